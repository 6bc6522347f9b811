// The end of a process in the middle of a reactor's work: process.exit in each place, and signals.
import { cases } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { type Ended, runFixture } from './reactor-support.js';

// On Windows process.kill sends nothing: it ends the process.
const windows = process.platform === 'win32';

describe.each(cases)('$backend, $way', ({ backend, way }) => {
  const run = async (
    scenario: string,
    onSaid?: Parameters<typeof runFixture>[2],
  ): Promise<Ended> => {
    const ended = await runFixture('reactor-exit', [backend, way, scenario], onSaid);
    expect(ended.said.shift()).toEqual({ backend, driver: way });
    return ended;
  };

  test.concurrent.each([
    'watcher',
    'timer',
    'deferred',
    'nextTick',
    'promise',
    'inactivity timeout',
    'prepare hook',
    'check hook',
    'idle hook',
    'batch',
    'stream',
    'abort',
    'while closing',
    'child',
    'after stop',
    'natural end',
    'mid-wait',
    'mid-wait of a worker',
    'exit handler closes',
  ])('process.exit: %s', async (scenario) => {
    const ended = await run(scenario);
    // An attached fixture says 'ended' on exit.
    const said = ended.said.filter((value) => value !== 'ended');
    expect({ ...ended, said }).toEqual({ code: 7, signal: null, said: ['exits'], stderr: '' });
  });

  test.skipIf(windows).concurrent('SIGINT kills, as it does any program', async () => {
    const ended = await run('signal by default', {
      onSaid: (value, pid) => {
        if (value === 'waiting') setTimeout(() => process.kill(pid, 'SIGINT'), 20);
      },
    });
    expect(ended).toEqual({ code: null, signal: 'SIGINT', said: ['waiting'], stderr: '' });
  });

  // Elsewhere it is refused, for Node's loop, which handles signals, does not run.
  test
    .runIf(way !== 'blocking' && !windows)
    .concurrent('a signal that a reactor watches', async () => {
      const ended = await run('signal of a reactor', {
        onSaid: (value, pid) => {
          if (value === 'waiting') process.kill(pid, 'SIGINT');
        },
      });
      const said = ended.said.filter((value) => value !== 'ended');
      expect({ ...ended, said }).toEqual({
        code: 7,
        signal: null,
        said: ['waiting', 'exits'],
        stderr: '',
      });
    });

  test.skipIf(windows).concurrent('process.on(SIGINT) works, and the loop goes on', async () => {
    const ended = await run('signal handled', {
      onSaid: (value, pid) => {
        if (value === 'waiting') setTimeout(() => process.kill(pid, 'SIGINT'), 20);
      },
    });
    const said = ['waiting', 'SIGINT', 'still running', 'ended'];
    expect(ended).toEqual({ code: 7, signal: null, said, stderr: '' });
  });
});
