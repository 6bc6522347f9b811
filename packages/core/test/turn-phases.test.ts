// The phases of a turn, in the order that event-loop.ts documents, and the hooks around the wait.
import { Interest } from '@pollux/core';
import { macrotask } from '@pollux/testkit';
import { describe, expect, test } from 'vitest';
import { MemoryReactor, modes } from './memory-reactor.js';

const { readable } = Interest;
const NEVER = Number.POSITIVE_INFINITY;

describe.each(modes)('%s', (mode) => {
  test('prepare, the wait, check, watchers by priority, timers, deferred calls', async () => {
    using driven = new MemoryReactor(mode);
    const { reactor, poller } = driven;
    const order: string[] = [];
    const note = (name: string) => (): void => {
      order.push(name);
    };
    // Made in the wrong order.
    reactor.defer(note('deferred'));
    reactor.timer(5, note('timer 5'));
    reactor.timer(0, note('timer 0'));
    const hooks = [reactor.check(note('check')), reactor.prepare(note('prepare'))];
    hooks.push(reactor.idle(note('idle')));
    for (const priority of [0, -2, 2, 1, -1]) {
      const fd = 10 + priority;
      poller.set(fd, readable);
      reactor.watch(
        fd,
        readable,
        (_events, watcher) => {
          order.push(`priority ${priority}`);
          watcher.close();
        },
        { priority },
      );
    }
    driven.clock.advance(5);
    await macrotask(() => {
      if (mode === 'blocking') reactor.turn();
    });
    while (!order.includes('deferred')) await macrotask(() => {});
    expect(order.slice(0, order.indexOf('deferred') + 1)).toEqual([
      'prepare',
      'check',
      'priority 2',
      'priority 1',
      'priority 0',
      'priority -1',
      'priority -2',
      'timer 0',
      'timer 5',
      'deferred',
    ]);
    for (const hook of hooks) hook.close();
  });

  test('a prepare hook gets the time the wait may last', async () => {
    using driven = new MemoryReactor(mode);
    const { reactor, poller } = driven;
    const given: number[] = [];
    using _hook = reactor.prepare((timeoutMs) => given.push(timeoutMs));
    const check = (): void => {
      expect(given).toEqual(poller.waits);
      given.length = 0;
      poller.waits.length = 0;
    };
    if (mode === 'blocking') {
      reactor.turn(12);
      reactor.turn();
      expect(poller.waits).toEqual([12, NEVER]);
      check();
      reactor.timer(20, () => {});
      reactor.turn(5);
      reactor.turn();
      reactor.defer(() => {});
      reactor.turn(5);
      expect(poller.waits).toEqual([5, 15, 0]);
      check();
    } else {
      await driven.settle();
      expect(given.every((timeoutMs) => timeoutMs === NEVER)).toBe(true);
      given.length = 0;
      poller.waits.length = 0;
      reactor.timer(20, () => {});
      await driven.pass(20);
      reactor.timer(7, () => {});
      // In a turn, it waits anew; beside it, the wait under way is shortened, without a hook.
      expect(given).toEqual([NEVER]);
      expect(poller.waits).toEqual([20, NEVER, 7]);
    }
  });

  test('what a prepare hook starts counts for the wait that follows', async () => {
    using driven = new MemoryReactor(mode);
    const { reactor } = driven;
    const called: string[] = [];
    reactor.timer(1000, () => called.push('far'));
    const hook = reactor.prepare(() => {
      hook.close();
      reactor.timer(10, () => called.push('timer'));
      reactor.defer(() => called.push('deferred'));
    });
    await driven.pass(10);
    expect(called).toEqual(['deferred', 'timer']);
  });

  test('check hooks come after each wait, before what it found, also if it found nothing', async () => {
    using driven = new MemoryReactor(mode);
    const { reactor, poller } = driven;
    const order: string[] = [];
    using hook = reactor.check((argument, self) => {
      expect([argument, self]).toEqual([0, hook]);
      order.push('check');
    });
    poller.notify();
    await macrotask(() => mode === 'blocking' && reactor.turn(0));
    while (order.length === 0) await macrotask(() => {});
    order.length = 0;
    poller.set(1, readable);
    using watcher = reactor.watch(1, readable, () => {
      order.push('watcher');
      poller.set(1, 0);
    });
    await macrotask(() => mode === 'blocking' && reactor.turn(0));
    while (!order.includes('watcher')) await macrotask(() => {});
    expect(order.slice(-2)).toEqual(['check', 'watcher']);
    expect(watcher.closed).toBe(false);
  });

  test('hooks made in hooks come in the next turn; closed ones do not come', async () => {
    using driven = new MemoryReactor(mode);
    const { reactor } = driven;
    const order: string[] = [];
    const first = reactor.check(() => {
      order.push('first');
      second.close();
      first.close();
      reactor.check((_argument, self) => {
        order.push('third');
        self.close();
      });
    });
    const second = reactor.check(() => order.push('second'));
    reactor.defer(() => order.push('deferred'));
    reactor.timer(1, () => order.push('timer'));
    await driven.pass(1);
    expect(order).toEqual(['first', 'deferred', 'third', 'timer']);
  });

  test('idle hooks come when there is nothing else, and while there is one nothing waits', async () => {
    using driven = new MemoryReactor(mode);
    const { reactor, poller } = driven;
    const order: string[] = [];
    reactor.timer(0, () => order.push('timer'));
    reactor.timer(100, () => order.push('far timer'));
    reactor.defer(() => order.push('deferred'));
    let left = 3;
    const hook = reactor.idle((argument) => {
      expect(argument).toBe(0);
      order.push('idle');
      if (--left === 0) hook.close();
    });
    while (left > 0) {
      await macrotask(() => mode === 'blocking' && reactor.turn());
    }
    expect(order).toEqual(['timer', 'deferred', 'idle', 'idle', 'idle']);
    // No time has passed: on this clock, only a wait lets it.
    expect(driven.now).toBe(0);
    if (mode === 'blocking') expect(poller.waits).toEqual([0, 0, 0, 0]);
    await driven.pass(100);
    expect(order.at(-1)).toBe('far timer');
  });

  test('hooks and the liveness: an idle hook counts, the others do not, and all may be told', async () => {
    using driven = new MemoryReactor(mode);
    const { reactor } = driven;
    const made = [reactor.prepare(() => {}), reactor.check(() => {}), reactor.idle(() => {})];
    expect(made.map((hook) => hook.hasRef())).toEqual([false, false, true]);
    expect(made.map(({ kind, active }) => [kind, active])).toEqual([
      ['prepare', true],
      ['check', true],
      ['idle', true],
    ]);
    expect(reactor.alive).toBe(true);
    made[2]?.unref();
    expect(reactor.alive).toBe(false);
    for (const hook of made) {
      hook.ref();
      expect(reactor.alive).toBe(true);
      hook.close();
      expect(reactor.alive).toBe(false);
    }
  });

  test('a deferred call of a deferred call comes in the turn after', async () => {
    using driven = new MemoryReactor(mode);
    const { reactor } = driven;
    const turns: number[] = [];
    const link = (): void => {
      turns.push(reactor.stats().turns);
      if (turns.length < 4) reactor.defer(link);
    };
    reactor.defer(link);
    await driven.settle();
    const [first = 0] = turns;
    expect(turns).toEqual([first, first + 1, first + 2, first + 3]);
  });
});
