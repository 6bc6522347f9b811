// The connect-many example holds thousands of connections between two processes on each backend, has
// each message echoed, sums up, and makes fewer where descriptors are short.
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { backends, commandFor, start } from './support.js';

const limit = Number(spawnSync('sh', ['-c', 'ulimit -n']).stdout) || Infinity;
const sanitized = process.env.POLLUX_SANITIZED !== undefined;

async function connectMany(backend: string, connections: number, most = limit) {
  const [node = '', ...rest] = commandFor('connect-many', '--connections', `${connections}`);
  const command = [node, '--expose-gc', ...rest];
  if (most < limit) command.unshift('sh', '-c', `ulimit -n ${most}; exec "$0" "$@"`);
  const run = start(command, { env: { POLLUX_BACKEND: backend } });
  const { code, signal } = await run.ended;
  const summary = run.output.stdout === '' ? undefined : JSON.parse(run.output.stdout);
  return { code, signal, summary, stderr: run.output.stderr };
}

async function holds(backend: string, connections: number): Promise<void> {
  const { code, summary, stderr } = await connectMany(backend, connections);
  expect(stderr).toBe('');
  expect(summary).toMatchObject({
    backend,
    asked: connections,
    held: { client: connections, server: connections },
    echoes: 2 * connections,
    errors: {},
  });
  for (const side of ['client', 'server']) {
    const { rss, heap } = summary.bytesPerConnection[side];
    expect(Number.isInteger(rss)).toBe(true);
    expect(heap).toBeGreaterThan(0);
    // A stream is a few objects; a buffer of its own for each would show.
    expect(heap).toBeLessThan(16_384);
  }
  expect(code).toBe(0);
}

describe.each(backends)('%s', (backend) => {
  // Skipped where the right to so many descriptors is missing.
  test.skipIf(limit < 2100)('2,000 connections', () => holds(backend, 2000), 60_000);

  // Likewise; and under AddressSanitizer, which is slow.
  test.skipIf(limit < 10_100 || sanitized)(
    '10,000 connections',
    () => holds(backend, 10_000),
    120_000,
  );

  test('fewer where descriptors are short, and the reason', async () => {
    const { code, summary, stderr } = await connectMany(backend, 2000, 300);
    expect(stderr).toBe('236 connections, not 2000: ulimit -n is 300\n');
    expect(summary).toMatchObject({
      asked: 2000,
      reason: 'ulimit -n is 300',
      held: { client: 236, server: 236 },
      echoes: 472,
      errors: {},
    });
    expect(code).toBe(0);
  });
});
