// `run()` and `stop()` of an attached reactor, `runSync()` and `stop()` of a blocking one: when they
// end, and that nothing is lost between an end and the next beginning.
import { Interest } from '@pollux/core';
import { pipe, write } from '@pollux/testkit';
import { attachedCases, type Case, cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import {
  countedFds,
  insideTurn,
  macrotask,
  readyPipes,
  runFixture,
  thrownBy,
} from './reactor-support.js';

const { readable } = Interest;
const ignore = (): void => {};

/** Runs the reactor to its end, as its mode has it. */
function run({ reactor }: DrivenReactor, { way }: Case): Promise<void> {
  return way === 'blocking' ? macrotask(() => reactor.runSync()) : reactor.run();
}

/** Lets Node's loop go round; the reactor is not called. */
async function rounds(count = 20): Promise<void> {
  for (let n = 0; n < count; n++) await macrotask(ignore);
}

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  test('ends at once where there is nothing ref’d', async () => {
    using driven = new DrivenReactor(row);
    await run(driven, row);
    driven.reactor.timer(60_000, ignore).unref();
    driven.reactor.prepare(ignore);
    await run(driven, row);
    expect(driven.reactor.stopped).toBe(false);
  });

  test('ends when the last one is served, and not before', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const [fd] = readyPipes(fds, 1) as [number];
    const called: string[] = [];
    reactor.timer(60_000, ignore).unref();
    reactor.watch(fd, readable, (_events, watcher) => {
      called.push('watcher');
      watcher.close();
      reactor.timer(3, () => {
        called.push('timer');
        reactor.defer(() => called.push('deferred'));
      });
    });
    await run(driven, row);
    expect(called).toEqual(['watcher', 'timer', 'deferred']);
    expect(reactor.alive).toBe(false);
  });

  test('several deferred calls, the last of which starts something, are all waited for', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const called: string[] = [];
    reactor.defer(() => {
      called.push('first');
    });
    reactor.defer(() => {
      called.push('second');
      reactor.timer(1, () => called.push('timer'));
    });
    await run(driven, row);
    expect(called).toEqual(['first', 'second', 'timer']);
  });

  test('a stream is waited for: its body asks for the next event some microtasks later', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const [, writer] = fds.trackAll(pipe());
    let steps = 0;
    const body = async (): Promise<void> => {
      for await (const _events of reactor.watch(writer, Interest.writable)) {
        for (let n = 0; n < 10; n++) await undefined;
        if (++steps === 5) break;
      }
    };
    const finished = body();
    await run(driven, row);
    expect(steps).toBe(5);
    await finished;
  });

  test('ends at close', async () => {
    using driven = new DrivenReactor(row);
    driven.reactor.timer(60_000, ignore);
    driven.reactor.timer(1, () => driven.reactor.close());
    await run(driven, row);
    expect(driven.reactor.closed).toBe(true);
    const again = row.way === 'blocking' ? 'runSync' : 'run';
    expect(thrownBy(() => driven.reactor[again]()).code).toBe('ERR_POLLUX_CLOSED');
  });

  test('stop: the callback under way is the last; the rest of the batch comes after run', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const called: string[] = [];
    const all = ['watcher', 'watcher', 'watcher', 'timer', 'timer', 'deferred', 'deferred'];
    // Each one stops the reactor, so each run makes one call: in every phase of a turn.
    const call = (name: string) => (): void => {
      called.push(name);
      reactor.stop();
    };
    await insideTurn(driven, () => {
      for (const fd of readyPipes(fds, 3)) {
        reactor.watch(
          fd,
          readable,
          (_events, watcher) => {
            watcher.close();
            call('watcher')();
          },
          { mode: 'oneshot' },
        );
      }
      for (let n = 0; n < 2; n++) reactor.timer(0, call('timer'));
      for (let n = 0; n < 2; n++) reactor.timer(0, () => reactor.defer(call('deferred')));
    });
    for (let n = 1; n <= all.length; n++) {
      if (called.length < n) await run(driven, row);
      expect(called).toHaveLength(n);
      expect(reactor.stopped).toBe(true);
      await rounds();
      expect(called).toHaveLength(n);
    }
    expect(called.slice().sort()).toEqual(all.slice().sort());
    await run(driven, row);
    expect([reactor.stopped, reactor.alive, called.length]).toEqual([false, false, all.length]);
  });

  test.each(['prepare', 'check', 'idle'] as const)(
    'stop in a %s hook: nothing else is called, nothing is lost',
    async (kind) => {
      using driven = new DrivenReactor(row);
      const { reactor } = driven;
      const called: string[] = [];
      const [fd] = readyPipes(fds, 1) as [number];
      reactor[kind]((_timeout, hook) => {
        hook.close();
        called.push(kind);
        reactor.stop();
      });
      if (kind === 'idle') await run(driven, row);
      const start = (): void => {
        reactor.watch(
          fd,
          readable,
          (_events, watcher) => {
            called.push('watcher');
            watcher.close();
          },
          { mode: 'oneshot' },
        );
        reactor.timer(0, () => called.push('timer'));
        reactor.defer(() => called.push('deferred'));
      };
      if (kind === 'idle') {
        start();
        await rounds();
      } else {
        start();
        await run(driven, row);
        await rounds();
      }
      expect(called).toEqual([kind]);
      await run(driven, row);
      expect(called.slice().sort()).toEqual(['deferred', kind, 'timer', 'watcher'].sort());
    },
  );

  test('stop in a nextTick of a callback: the next callback waits', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    let called = 0;
    for (let n = 0; n < 3; n++) {
      reactor.timer(0, () => {
        called++;
        process.nextTick(() => reactor.stop());
      });
    }
    for (let n = 1; n <= 3; n++) {
      await run(driven, row);
      // The last one leaves nothing to run for: its tick comes after that.
      expect(called).toBe(n);
    }
  });

  test('what happens while it is stopped is kept: timers that are due, calls deferred, descriptors', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const called: string[] = [];
    const [reader, writer] = fds.trackAll(pipe());
    reactor.timer(0, () => reactor.stop());
    reactor.timer(3, () => called.push('timer'));
    reactor.watch(reader, readable, (_events, watcher) => {
      called.push('watcher');
      watcher.close();
    });
    await run(driven, row);
    reactor.timer(1, () => called.push('set while stopped'));
    reactor.defer(() => called.push('deferred while stopped'));
    write(writer, 'x');
    const [other] = readyPipes(fds, 1) as [number];
    reactor.watch(other, readable, (_events, watcher) => {
      called.push('watched while stopped');
      watcher.close();
    });
    await new Promise((resolve) => setTimeout(resolve, 15));
    expect([called, reactor.stopped, reactor.alive]).toEqual([[], true, true]);
    await run(driven, row);
    expect(called.sort()).toEqual([
      'deferred while stopped',
      'set while stopped',
      'timer',
      'watched while stopped',
      'watcher',
    ]);
  });

  test('stop(afterMs): not before that, and it keeps nothing alive by itself', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    let ticks = 0;
    using ticker = reactor.timer(1, () => ticks++, { repeat: true });
    const start = performance.now();
    reactor.stop(20.5);
    expect(reactor.stopped).toBe(false);
    await run(driven, row);
    expect(performance.now() - start).toBeGreaterThanOrEqual(20.5);
    expect([reactor.stopped, ticks > 0, ticker.active]).toEqual([true, true, true]);
    ticker.close();
    // A later stop replaces an earlier one.
    reactor.stop(60_000);
    reactor.stop(2);
    reactor.timer(30_000, ignore);
    await run(driven, row);
    expect(reactor.stopped).toBe(true);
    for (const afterMs of [-1, Number.NaN]) expect(() => reactor.stop(afterMs)).toThrow(RangeError);
    expect(() => reactor.stop('1' as unknown as number)).toThrow(TypeError);
  });

  test('stop and run in one callback: the batch goes on', async () => {
    using driven = new DrivenReactor(row);
    if (row.way === 'blocking') {
      driven.reactor.timer(0, () => {
        expect(thrownBy(() => driven.reactor.runSync()).code).toBe('ERR_POLLUX_NESTED');
      });
      driven.reactor.turn();
      return;
    }
    const { reactor } = driven;
    const called: string[] = [];
    const prepared: boolean[] = [];
    let inside = false;
    const hook = reactor.prepare(() => prepared.push(inside));
    let second: Promise<void> | undefined;
    reactor.timer(0, () => {
      inside = true;
      reactor.stop();
      second = reactor.run();
      inside = false;
      called.push('first');
    });
    reactor.timer(0, () => called.push('second'));
    await reactor.run();
    await second;
    expect(called).toEqual(['first', 'second']);
    expect(prepared).not.toContain(true);
    hook.close();
  });
});

describe.each(attachedCases)('run() on $backend, $way', (row) => {
  test('called twice is refused; after the end it may be called again', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    reactor.timer(1, ignore);
    const running = reactor.run();
    expect(thrownBy(() => reactor.run()).code).toBe('ERR_POLLUX_NESTED');
    reactor.timer(1, () => {
      expect(thrownBy(() => reactor.run()).code).toBe('ERR_POLLUX_NESTED');
    });
    await running;
    reactor.timer(1, ignore);
    await reactor.run();
  });

  test('is no condition for callbacks: without it they come too', async () => {
    using driven = new DrivenReactor(row);
    let called = 0;
    driven.reactor.timer(1, () => called++);
    await driven.until(() => called === 1);
  });

  test('stop before anything was started: nothing is called until run', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    let called = 0;
    reactor.stop();
    reactor.defer(() => called++);
    reactor.timer(0, () => called++);
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(called).toBe(0);
    await reactor.run();
    expect(called).toBe(2);
  });

  test('stop and run again and again, at any moment, lose nothing', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    let fired = 0;
    let deferred = 0;
    for (let n = 0; n < 300; n++) {
      reactor.timer(n / 20, () => fired++);
      reactor.defer(() => deferred++);
    }
    let rounds = 0;
    // Not in so many rounds: they go on while the wait thread is held up.
    const until = performance.now() + 10_000;
    while (fired < 300 || deferred < 300) {
      expect(performance.now()).toBeLessThan(until);
      rounds++;
      const running = reactor.run();
      if (rounds % 3 !== 0) await macrotask(ignore);
      reactor.stop();
      await running;
      if (rounds % 2 === 0) await macrotask(ignore);
    }
    expect([fired, deferred]).toEqual([300, 300]);
  });

  test.concurrent.each(['stopped', 'stopped-in-callback', 'stopped-before', 'stopped-ready'])(
    'a process ends though its reactor was only stopped: %s',
    async (scenario) => {
      const ended = await runFixture('reactor-liveness', [row.backend, row.way, scenario]);
      expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
      expect(ended.said.at(-1)).toEqual({ exit: 'as expected' });
    },
  );

  test.concurrent('a stopped one takes no CPU, though descriptors are ready and timers due', async () => {
    const ended = await runFixture('reactor-stopped', [row.backend, row.way]);
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
    const [{ called, cpuMs, rounds }] = ended.said as [
      { called: number; cpuMs: number; rounds: number },
    ];
    expect(called).toBe(0);
    // A loop that finds its descriptor ready again and again takes all 500 ms, and thousands of rounds.
    expect(cpuMs).toBeLessThan(250);
    expect(rounds).toBeLessThan(200);
  });
});
