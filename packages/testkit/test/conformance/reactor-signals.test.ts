// reactor.signal, on signals that a process of its own really gets: beside Node's listeners and other
// reactors, and out of the way again once the last watcher is closed. Blocking reactors have none.
import { attachedCases } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { type Ended, runFixture } from './reactor-support.js';

// On Windows process.kill sends nothing: it ends the process.
const rows = process.platform === 'win32' ? [] : attachedCases;

describe.each(rows)('$backend, $way', ({ backend, way }) => {
  const run = async (scenario: string): Promise<Ended> => {
    const ended = await runFixture('reactor-signals', [backend, way, scenario]);
    expect(ended.said.shift()).toEqual({ backend, driver: way });
    return ended;
  };
  /** It ends by itself, having said this. */
  const says = async (scenario: string, ...said: unknown[]): Promise<void> => {
    expect(await run(scenario)).toEqual({ code: 0, signal: null, said, stderr: '' });
  };
  /** A signal ends it, after it has said this. */
  const diesOf = async (signal: string, scenario: string, ...said: unknown[]): Promise<void> => {
    expect(await run(scenario)).toEqual({ code: null, signal, said, stderr: '' });
  };

  test.concurrent('beside listeners of process.on, which stay', () =>
    says(
      'beside process.on',
      // Node's listeners run when libuv has the signal, ours in the turn that follows.
      'before: SIGUSR2',
      'after: SIGUSR2',
      'reactor: SIGUSR2',
      'before: SIGUSR2',
      'after: SIGUSR2',
      2,
    ));

  test.concurrent('several watchers and reactors share one listener of the process', () =>
    says(
      'several watchers, one listener of the process',
      [1, 1],
      'a: SIGUSR2',
      'b: SIGUSR2',
      'c: SIGUSR2',
      [true, true, false, false],
      'c: SIGUSR2',
      [0, 1],
      'd: SIGHUP',
      [0, 0],
    ));

  test.concurrent.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'])(
    'after the last close %s ends the process again',
    (name) =>
      diesOf(
        name,
        `default restored: ${name}`,
        `one: ${name}`,
        `two: ${name}`,
        `one: ${name}`,
        'closed',
      ),
  );

  test.concurrent('so it does after the end of the reactor', () =>
    diesOf('SIGTERM', 'default restored by the end of the reactor', 'reactor: SIGTERM'));

  test.concurrent('and after an abort', () =>
    diesOf('SIGINT', 'default restored by an abort', 'reactor: SIGINT', [true, 0]));

  test.concurrent('it does not hold the process at first', () =>
    says('unref’d at first', [false, true, false]));

  test.concurrent('ref() makes it hold the process', () =>
    says('ref’d, it holds the process', [true, true], 'reactor: SIGTERM', true));

  test.concurrent('ref() makes run() wait for its close', () =>
    says('ref’d, run() waits for it', 'reactor: SIGTERM', 'run is over'));

  test.concurrent('those that came before a call are one call', () =>
    says('many at once are one', true, 1));

  test.concurrent('a stopped reactor keeps it until run()', () =>
    says('stopped: delivered after run()', 'still stopped', 'reactor: SIGTERM'));

  test.concurrent('the more urgent ones first', () =>
    says('priority', 'first: SIGHUP', 'second: SIGHUP', 'middle: SIGUSR2', 'last: SIGUSR2'));

  test.concurrent('a busy descriptor does not keep it waiting', () =>
    says('a busy descriptor does not keep it waiting', 'reactor: SIGTERM'));

  test.concurrent('closed in a callback: itself, and another that is due', () =>
    says('closed in the callback', 'one: SIGUSR2', [true, true, 1]));

  test.concurrent('made in a callback: for the next signal', () =>
    says('made in the callback', 'one: SIGUSR2', 'two: SIGUSR2', 1));

  test.concurrent('after process.removeAllListeners the next watcher listens anew', () =>
    says(
      'after process.removeAllListeners',
      1,
      'one: SIGUSR2',
      'two: SIGUSR2',
      'three: SIGUSR2',
      0,
    ));

  test.concurrent('what one throws is reported, and the others are called', () =>
    says(
      'an exception costs nobody else anything',
      'uncaught: thrown by one',
      'two: SIGUSR2',
      'uncaught: thrown by one',
      'two: SIGUSR2',
    ));

  test.concurrent('what one throws ends the process if nobody listens', async () => {
    const ended = await run('an exception that nobody catches ends the process');
    expect(ended).toMatchObject({ code: 1, signal: null, said: [] });
    expect(ended.stderr).toContain('Error: thrown by one');
  });

  test.concurrent('called in the async context of its making', () =>
    says('in the async context of its making', 'made here'));

  test.concurrent('refused in a worker', () =>
    says(
      'refused in a worker',
      {
        name: 'PolluxError',
        code: 'ERR_POLLUX_UNSUPPORTED',
        message: "Signals are the main thread's: Node does not hand them to workers",
      },
      [0, false],
    ));

  test.concurrent('refused by a blocking reactor', () =>
    says(
      'refused while blocking',
      {
        name: 'PolluxError',
        code: 'ERR_POLLUX_UNSUPPORTED',
        message:
          "A blocking reactor keeps Node's loop, which handles signals, from running; " +
          'use an attached one, or watch a signalfd',
      },
      [0, false],
    ));

  test.concurrent('refused: what is no signal, or cannot be caught', () => {
    const refusal = (code: string, must: string, received: string) => [
      'TypeError',
      code,
      `The "name" argument must be ${must}. Received ${received}`,
    ];
    const value = refusal.bind(null, 'ERR_INVALID_ARG_VALUE');
    const type = refusal.bind(null, 'ERR_INVALID_ARG_TYPE', 'of type string');
    return says(
      'refused names',
      value('a signal that can be caught', "'SIGKILL'"),
      value('a signal that can be caught', "'SIGSTOP'"),
      value('the name of a signal', "'SIGNONE'"),
      value('the name of a signal', "'sigterm'"),
      value('the name of a signal', "'toString'"),
      value('the name of a signal', "''"),
      type('15'),
      type('undefined'),
      type('null'),
      [[], false],
    );
  });

  test.concurrent('refused arguments leave no trace', () =>
    says(
      'refused options',
      'ERR_INVALID_ARG_TYPE',
      'ERR_INVALID_ARG_TYPE',
      'ERR_INVALID_ARG_TYPE',
      'ERR_OUT_OF_RANGE',
      'ERR_OUT_OF_RANGE',
      'ERR_INVALID_ARG_TYPE',
      20, // DOMException.ABORT_ERR
      'ERR_POLLUX_CLOSED',
      0,
    ));
});

test.runIf(process.platform === 'win32')('Windows sends no signals', (context) => {
  context.skip('process.kill ends a process there, whatever the signal');
});
