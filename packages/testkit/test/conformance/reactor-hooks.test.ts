// Hooks in every way of waiting: prepare before each wait, check after it, idle when there was nothing
// else to do. Their order to the letter is tested in core, on a poller in memory.
import { Interest } from '@pollux/core';
import { attachedCases, cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, insideTurn, macrotask, readyPipes, runFixture } from './reactor-support.js';

const { readable } = Interest;

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  test('check, watchers by priority, timers, deferred calls', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const order: string[] = [];
    await insideTurn(driven, () => {
      const check = reactor.check(() => {
        order.push('check');
        check.close();
      });
      const [low, high, middle] = readyPipes(fds, 3) as [number, number, number];
      for (const [fd, priority] of [
        [low, -2],
        [high, 2],
        [middle, 0],
      ] as const) {
        reactor.watch(
          fd,
          readable,
          (_events, watcher) => {
            order.push(`priority ${priority}`);
            watcher.close();
            if (priority !== 2) return;
            reactor.defer(() => order.push('deferred'));
            reactor.timer(0, () => order.push('timer'));
          },
          { priority },
        );
      }
    });
    await driven.until(() => order.includes('deferred'));
    expect(order).toEqual([
      'check',
      'priority 2',
      'priority 0',
      'priority -2',
      'timer',
      'deferred',
    ]);
  });

  test('a prepare hook is told how long the wait may be, at most until the next timer', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const given: number[] = [];
    using hook = reactor.prepare((timeoutMs, self) => {
      expect(self).toBe(hook);
      given.push(timeoutMs);
    });
    let fired = false;
    reactor.timer(15, () => {
      fired = true;
    });
    await driven.until(() => fired);
    expect(given.length).toBeGreaterThan(0);
    for (const timeoutMs of given.slice(0, -1)) expect(timeoutMs).toBeLessThanOrEqual(15);
  });

  test('what a prepare hook queues runs before the wait, and can keep it short', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const called: string[] = [];
    reactor.timer(60_000, () => called.push('far'));
    const hook = reactor.prepare(() => {
      hook.close();
      process.nextTick(() => reactor.timer(1, () => called.push('set by a nextTick')));
      Promise.resolve().then(() => reactor.defer(() => called.push('deferred by a promise')));
    });
    if (row.way === 'blocking') {
      await macrotask(() => {
        while (called.length < 2) reactor.turn();
      });
    } else await driven.until(() => called.length === 2);
    // In this order, unless the timer was due by then.
    expect(called.toSorted()).toEqual(['deferred by a promise', 'set by a nextTick']);
  });

  test('what a hook throws is reported, and the turn goes on', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const caught: unknown[] = [];
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const onError = (error: unknown): void => {
      caught.push((error as Error).message);
    };
    process.on('uncaughtException', onError);
    try {
      const called: string[] = [];
      for (const kind of ['prepare', 'check', 'idle'] as const) {
        reactor[kind]((_timeout, hook) => {
          hook.close();
          called.push(kind);
          throw new Error(kind);
        });
      }
      await driven.until(() => called.length === 3 && caught.length === 3);
      expect(new Set(caught)).toEqual(new Set(['prepare', 'check', 'idle']));
    } finally {
      process.off('uncaughtException', onError);
      for (const listener of listeners) process.on('uncaughtException', listener);
    }
  });

  test('an idle hook does not come beside work, and comes again and again without it', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const [fd] = readyPipes(fds, 1) as [number];
    let watched = 0;
    let idle = 0;
    let beside = 0;
    const turns = { watcher: -1 };
    const watcher = reactor.watch(fd, readable, () => {
      watched++;
      turns.watcher = reactor.stats().turns;
    });
    using _hook = reactor.idle(() => {
      idle++;
      if (reactor.stats().turns === turns.watcher) beside++;
    });
    await driven.until(() => watched > 20);
    watcher.close();
    const before = idle;
    await driven.until(() => idle > before + 20, 5000);
    expect(beside).toBe(0);
  });

  test('an aborted signal closes a hook', async () => {
    using driven = new DrivenReactor(row);
    const controller = new AbortController();
    let calls = 0;
    const hook = driven.reactor.check(() => calls++, { signal: controller.signal });
    await driven.until(() => {
      driven.reactor.poller.notify();
      return calls > 0;
    });
    controller.abort();
    expect(hook.closed).toBe(true);
    const before = calls;
    driven.reactor.poller.notify();
    await driven.during(5);
    expect(calls).toBe(before);
    expect(() => driven.reactor.idle(() => {}, { signal: controller.signal })).toThrow('abort');
  });
});

describe.each(attachedCases)('a process with hooks on $backend, $way', ({ backend, way }) => {
  test.concurrent.each(['hooks-only', 'idle-unref', 'idle-until-closed'])(
    'ends when nothing else is left: %s',
    async (scenario) => {
      const ended = await runFixture('reactor-liveness', [backend, way, scenario]);
      expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
      expect(ended.said.at(-1)).toEqual({ exit: 'as expected' });
    },
  );
});
