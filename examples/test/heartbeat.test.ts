// The heartbeat client notices that its server was killed (refused), frozen (silence), resets it or
// talks nonsense, leaves growing pauses that are never cut short, and comes back each time.
import { once } from 'node:events';
import net from 'node:net';
import { expect, test } from 'vitest';
import { commandFor, interrupt, type Running, start } from './support.js';

const LEAST = 20;
const MOST = 160;

interface Line {
  readonly event: 'connecting' | 'connected' | 'answer' | 'lost' | 'pause';
  readonly atMs: number;
  readonly why?: string;
  readonly pauseMs?: number;
  readonly beat?: number;
}

/**
 * A port that stays free while nobody listens on it: below those that the system gives to whoever
 * asks for any (from 32768, where Linux is left as it comes).
 */
async function quietPort(): Promise<number> {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 15_000);
    const probe = net.createServer().listen(port, '127.0.0.1');
    const free = await new Promise<boolean>((resolve) => {
      probe.on('listening', () => resolve(true)).on('error', () => resolve(false));
    });
    if (!free) continue;
    await once(probe.close(), 'close');
    return port;
  }
}

async function startServer(port: number): Promise<Running> {
  const server = start(commandFor('heartbeat', 'server', '--port', `${port}`));
  await server.until(/answering beats on tcp 127\.0\.0\.1:\d+; Ctrl-C stops\n/);
  return server;
}

/** Silence that means loss has to be longer than a busy machine may hold up a living server. */
function startClient(port: number, timeoutMs: number) {
  const times = { interval: 10, timeout: timeoutMs, least: LEAST, most: MOST };
  const options = Object.entries(times).flatMap(([name, ms]) => [`--${name}`, `${ms}`]);
  const client = start(commandFor('heartbeat', 'client', '--port', `${port}`, ...options));

  function lines(): Line[] {
    const whole = client.output.stdout.split('\n').slice(0, -1);
    return whole.map((line) => JSON.parse(line) as Line);
  }

  /** Waits until what was printed after the first `from` lines is enough. */
  async function until(enough: (lines: Line[]) => boolean, from = 0): Promise<Line[]> {
    while (!enough(lines().slice(from))) {
      if (client.child.exitCode !== null) throw new Error(`ended: ${client.output.stderr}`);
      await once(client.child.stdout as NodeJS.ReadableStream, 'data');
    }
    return lines();
  }

  return { client, lines, until };
}

const count = (lines: Line[], event: Line['event']) =>
  lines.filter((line) => line.event === event).length;

/** Every loss, with what the client had heard on that connection, and the pause that followed. */
function losses(lines: Line[]) {
  const found: { why: string; answers: number; pauseMs: number }[] = [];
  let answers = 0;
  for (const [i, line] of lines.entries()) {
    if (line.event === 'connecting') answers = 0;
    if (line.event === 'answer') answers++;
    const pauseMs = lines[i + 1]?.pauseMs;
    if (line.event === 'lost' && pauseMs !== undefined) {
      found.push({ why: `${line.why}`, answers, pauseMs });
    }
  }
  return found;
}

/** Double from failure to failure up to the bound, half of it chance; and waited for in full. */
function checkPauses(lines: Line[]): void {
  let failures = 0;
  for (const { answers, pauseMs } of losses(lines)) {
    if (answers > 0) failures = 0;
    const bound = Math.min(MOST, LEAST * 2 ** failures++);
    expect(pauseMs).toBeGreaterThanOrEqual(bound / 2);
    expect(pauseMs).toBeLessThanOrEqual(bound);
  }
  for (const [i, { event, atMs, pauseMs = 0 }] of lines.entries()) {
    const next = lines[i + 1];
    if (event !== 'pause' || next === undefined) continue;
    expect(next.event).toBe('connecting');
    // The line is printed a little before the pause begins.
    expect(next.atMs - atMs).toBeGreaterThanOrEqual(pauseMs);
  }
}

test('a server that is killed and started again: refused meanwhile, then answered', async () => {
  const port = await quietPort();
  let server = await startServer(port);
  const { client, lines, until } = startClient(port, 10_000);
  await until((seen) => count(seen, 'answer') >= 3);

  for (let round = 0; round < 2; round++) {
    server.child.kill('SIGKILL');
    // Enough of them to reach the bound.
    await until((seen) => count(seen, 'pause') >= 6, lines().length);
    server = await startServer(port);
    await until((seen) => count(seen, 'answer') >= 3, lines().length);
  }

  checkPauses(lines());
  const seen = losses(lines());
  expect(seen.filter(({ answers }) => answers > 0)).toHaveLength(2);
  const refused = seen.filter(({ why }) => why === 'ECONNREFUSED');
  expect(refused.length).toBeGreaterThanOrEqual(10);
  expect(Math.max(...refused.map(({ pauseMs }) => pauseMs))).toBeGreaterThanOrEqual(MOST / 2);

  for (const running of [client, server]) {
    await interrupt(running);
    expect(running.output.stderr).toBe('');
  }
});

test('a frozen server is noticed by its silence alone, though its kernel accepts', async () => {
  const port = await quietPort();
  const server = await startServer(port);
  const { client, lines, until } = startClient(port, 500);
  await until((seen) => count(seen, 'answer') >= 3);

  server.child.kill('SIGSTOP');
  const before = lines().length;
  await until((seen) => count(seen, 'pause') >= 3, before);
  // The first of these may have been answered before. The others are connections that are no success:
  // the pauses go on growing.
  for (const { why, answers } of losses(lines()).slice(-2)) {
    expect({ why, answers }).toEqual({ why: 'silence', answers: 0 });
  }
  expect(count(lines().slice(before), 'connected')).toBeGreaterThanOrEqual(2);

  server.child.kill('SIGCONT');
  await until((seen) => count(seen, 'answer') >= 3, lines().length);
  checkPauses(lines());
  await interrupt(client);
});

test.each([
  ['resets', (socket: net.Socket) => socket.resetAndDestroy(), 'ECONNRESET'],
  ['ends', (socket: net.Socket) => socket.end(), 'ended by the server'],
  ['echoes', (socket: net.Socket) => socket.write('beat 1\n'), 'no heartbeat server'],
  ['answers ahead', (socket: net.Socket) => socket.write('alive 99\n'), 'no heartbeat server'],
  ['never ends a line', (socket: net.Socket) => socket.write('x'.repeat(500)), 'longer than 100'],
])('the client tells why: a server that %s', async (_, answer, why) => {
  const server = net.createServer((socket) => {
    socket.on('error', () => {}).once('data', () => answer(socket));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { client, lines, until } = startClient((server.address() as net.AddressInfo).port, 10_000);
  await until((seen) => count(seen, 'pause') >= 3);
  for (const loss of losses(lines())) expect(loss.why).toContain(why);
  checkPauses(lines());
  await interrupt(client);
  server.close();
});
