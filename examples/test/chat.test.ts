// The chat example: everybody hears what the others say, on select unless told otherwise; names and
// lines are checked; and one who stops reading is dropped, having cost no more than the bound.
import { once } from 'node:events';
import net from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { backends, commandFor, interrupt, type Running, start, testWith } from './support.js';

const MANY = 200;
const KIB_64 = 65_536;
const sockets = new Set<net.Socket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
});

async function startChat(options: { backend?: string; patienceMs?: number } = {}) {
  // An empty variable is as good as none.
  const env = { POLLUX_BACKEND: options.backend ?? process.env.POLLUX_BACKEND ?? '' };
  const server = start(commandFor('chat', '0', `${options.patienceMs ?? 10_000}`), { env });
  const [, port, backend] = await server.until(
    /^chat on tcp 127\.0\.0\.1:(\d+) with (\w+); Ctrl-C stops\n/,
  );
  return { server, port: Number(port), backend };
}

async function stop(server: Running): Promise<void> {
  await interrupt(server);
  expect(server.output.stderr).toBe('');
}

class Guest {
  readonly socket: net.Socket;
  heard = '';
  #look = () => {};

  constructor(port: number, name: string) {
    this.socket = net.connect(port, '127.0.0.1').setEncoding('utf8');
    this.socket.on('data', (text: string) => {
      this.heard += text;
      this.#look();
    });
    this.socket.on('error', () => {}).on('close', () => this.#look());
    sockets.add(this.socket);
    this.say(name);
  }

  say(line: string): void {
    this.socket.write(`${line}\n`);
  }

  until(enough: (heard: string) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#look = () => {
        if (enough(this.heard)) resolve();
        else if (this.socket.destroyed) reject(new Error(`cut off after: ${this.heard}`));
      };
      this.#look();
    });
  }

  static async enter(port: number, name: string): Promise<Guest> {
    const guest = new Guest(port, name);
    await guest.until((heard) => heard.includes(`* welcome, ${name};`));
    return guest;
  }
}

const said = (text: string) => text.split('\n').filter((line) => /^\w+: /.test(line));

test('on select by itself, elsewhere on demand', async () => {
  for (const [asked, expected] of [['', 'select'], ...backends.map((name) => [name, name])] as [
    string,
    string,
  ][]) {
    const { server, backend } = await startChat({ backend: asked });
    expect(backend).toBe(expected);
    await stop(server);
  }
});

testWith('nc')('two people with nc', async () => {
  const { server, port } = await startChat();
  const nc = () =>
    start(['env', '-u', 'LD_PRELOAD', 'nc', '127.0.0.1', `${port}`], { stdin: 'pipe' });
  const ann = nc();
  ann.child.stdin?.write('ann\n');
  await ann.until(/^Your name\?\n\* welcome, ann; 1 here\n/);
  const bob = nc();
  bob.child.stdin?.write('bob\nhi ann\n/who\n');
  await ann.until(/\* bob is here\nbob: hi ann\n/);
  await bob.until(/\* here: ann, bob\n/);
  ann.child.stdin?.write('hello bob\n');
  await bob.until(/ann: hello bob\n/);
  ann.child.kill('SIGINT');
  await bob.until(/\* ann has left\n/);
  expect(said(bob.output.stdout)).toEqual(['ann: hello bob']); // not what bob said himself
  await stop(server); // with bob still there
});

test(`each of ${MANY} hears every line of all the others, in order, and none of their own`, async () => {
  const { server, port } = await startChat();
  const guests: Guest[] = [];
  for (let i = 0; i < MANY; i += 20) {
    const entering = Array.from({ length: 20 }, (_, j) => Guest.enter(port, `guest${i + j}`));
    guests.push(...(await Promise.all(entering)));
  }
  const lines = (i: number) => Array.from({ length: 3 }, (_, n) => `line ${n} of ${i}`);
  guests.forEach((guest, i) => void lines(i).forEach((line) => void guest.say(line)));
  const wanted = (MANY - 1) * 3;
  await Promise.all(
    guests.map((guest) => guest.until((heard) => heard.split(': line ').length > wanted)),
  );
  for (const [i, { heard }] of guests.entries()) {
    const heardFrom = new Map<string, string[]>();
    for (const line of said(heard)) {
      const [speaker = '', text = ''] = line.split(': ');
      heardFrom.set(speaker, [...(heardFrom.get(speaker) ?? []), text]);
    }
    expect(heardFrom.size).toBe(MANY - 1);
    expect(heardFrom.has(`guest${i}`)).toBe(false);
    for (const [speaker, texts] of heardFrom) {
      if (texts.join() === lines(Number(speaker.slice(5))).join()) continue;
      throw new Error(`guest${i} heard from ${speaker}: ${texts}`);
    }
  }
  await stop(server);
});

test('names are checked, control characters taken out, endless lines cut off', async () => {
  const { server, port } = await startChat();
  const ann = await Guest.enter(port, 'ann');
  const other = new Guest(port, 'ann');
  await other.until((heard) => heard.includes('* ann is taken\n'));
  other.say('no name');
  await other.until((heard) => heard.includes('* no name is no name'));
  other.say('zoë');
  await other.until((heard) => heard.includes('* welcome, zoë; 2 here\n'));
  const word = Buffer.from('é\r\n');
  other.socket.write(word.subarray(0, 1)); // half a character
  other.socket.write(word.subarray(1));
  other.say('red \x1b[31malert\x07');
  await ann.until((heard) => heard.includes('zoë: é\nzoë: red [31malert\n'));
  other.socket.write('x'.repeat(5000));
  await once(other.socket, 'close');
  await ann.until((heard) => heard.includes('* zoë has left\n'));
  const heir = await Guest.enter(port, 'zoë'); // the name is free again
  expect(heir.heard).toContain('2 here');
  await stop(server);
});

testWith('nc')('one who stops reading is dropped, and costs the others nothing', async () => {
  const { server, port } = await startChat({ patienceMs: 2000 });
  const sleeper = start(['env', '-u', 'LD_PRELOAD', 'nc', '127.0.0.1', `${port}`], {
    stdin: 'pipe',
  });
  sleeper.child.stdin?.write('sleeper\n');
  await sleeper.until(/welcome/);
  const reader = await Guest.enter(port, 'reader');
  const talker = await Guest.enter(port, 'talker');
  sleeper.child.kill('SIGSTOP');

  const COUNT = 40_000; // 36 MB, far more than the kernel's buffers hold
  let sent = 0;
  const talk = () => {
    while (sent < COUNT && talker.socket.write(`${sent} ${'x'.repeat(900)}\n`)) sent++;
    if (sent++ < COUNT) talker.socket.once('drain', talk);
  };
  reader.socket.removeAllListeners('data');
  let heard = 0;
  let rest = '';
  const all = new Promise<void>((resolve, reject) => {
    reader.socket.on('close', () => reject(new Error(`the reader was cut off after ${heard}`)));
    reader.socket.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of said(lines.join('\n'))) {
        if (!line.startsWith(`talker: ${heard} x`)) reject(new Error(`lost before: ${line}`));
        if (++heard === COUNT) resolve();
      }
    });
  });
  talk();
  const [, bytes] = await server.until(/\ndropped sleeper: (\d+) bytes behind\n/);
  await all;
  // The bound, and one read of each who talks.
  expect(Number(bytes)).toBeGreaterThan(0);
  expect(Number(bytes)).toBeLessThan(3 * KIB_64);
  expect(server.output.stdout.match(/dropped/g)).toHaveLength(1);
  await stop(server);
});
