// The end of the process while a poller waits: process.exit in the main thread, with the poller there
// or in a worker, in either way of waiting; and a process with nothing left to wait for.
import { cases } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { HANG_MS, runFixture } from './poller-support.js';

describe.each(cases)('$backend, $way', ({ backend, way }) => {
  const run = (plan: string) => runFixture('poller-exit.mjs', [backend, way, plan]);

  test.each([
    ['a worker waits', 'worker'],
    ['the main thread and a worker wait', 'both'],
    ['the wait thread is about to call', 'batch'],
  ])('process.exit(7) while %s', async (_, plan) => {
    if (plan === 'batch' && way === 'blocking') return;
    const { code, signal, stdout, stderr, afterOutputMs } = await run(plan);
    expect({ code, signal, stdout, stderr }).toEqual({
      code: 7,
      signal: null,
      stdout: 'waiting\n',
      stderr: '',
    });
    expect(afterOutputMs).toBeLessThan(HANG_MS);
  });

  test('nothing left to wait for: it ends by itself, though nobody closed the poller', async () => {
    const { code, signal, stderr } = await run('idle');
    expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
  });

  test('an exception that nobody catches ends it as it would without a poller', async () => {
    const { code, signal, stderr } = await run('throw');
    expect({ code, signal }).toEqual({ code: 1, signal: null });
    expect(stderr).toContain('thrown beside a poller');
  });

  test('a signal ends it', async () => {
    const { code, signal } = await runFixture(
      'poller-exit.mjs',
      [backend, way, 'signal'],
      (child) => child.kill('SIGTERM'),
    );
    expect({ code, signal }).toEqual({ code: null, signal: 'SIGTERM' });
  });
});
