// Deferred calls: once each, in order, at the end of a turn, in whatever place they are asked for.
import { Interest } from '@pollux/core';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, insideTurn, readyPipes } from './reactor-support.js';

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  test('outside a turn: not at once, each once, in order', async () => {
    using driven = new DrivenReactor(row);
    const order: number[] = [];
    for (let n = 0; n < 100; n++) driven.reactor.defer(() => order.push(n));
    expect(order).toEqual([]);
    expect(driven.reactor.alive).toBe(true);
    await driven.until(() => order.length >= 100);
    await driven.during(5);
    expect(order).toEqual(Array.from({ length: 100 }, (_, n) => n));
    expect(driven.reactor.alive).toBe(false);
  });

  test('the same function twice is two calls, and it is given nothing', async () => {
    using driven = new DrivenReactor(row);
    const calls: unknown[][] = [];
    const callback = (...args: unknown[]): void => {
      calls.push(args);
    };
    driven.reactor.defer(callback);
    driven.reactor.defer(callback);
    await driven.until(() => calls.length === 2);
    expect(calls).toEqual([[], []]);
  });

  test('within a deferred call: in the next turn', async () => {
    using driven = new DrivenReactor(row);
    const order: string[] = [];
    driven.reactor.defer(() => {
      order.push('first');
      driven.reactor.defer(() => {
        order.push('third');
        driven.reactor.defer(() => order.push('fourth'));
      });
    });
    driven.reactor.defer(() => order.push('second'));
    await driven.until(() => order.length === 4);
    expect(order).toEqual(['first', 'second', 'third', 'fourth']);
  });

  test('a chain of deferred calls holds up neither watchers nor Node', async () => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    let links = 0;
    let watched = 0;
    let immediates = 0;
    const link = (): void => {
      links++;
      driven.reactor.defer(link);
    };
    link();
    driven.reactor.watch(fd, Interest.readable, () => watched++);
    const interval = setInterval(() => immediates++, 1);
    await driven.until(() => links > 20 && watched > 20 && immediates > 2);
    clearInterval(interval);
  });

  test('in a watcher or timer: at the end of this turn, after what is due', async () => {
    using driven = new DrivenReactor(row);
    const pair = readyPipes(fds, 2);
    const order: string[] = [];
    await insideTurn(driven, () => {
      for (const fd of pair) {
        driven.reactor.watch(fd, Interest.readable, (_events, watcher) => {
          order.push('watcher');
          watcher.close();
          driven.reactor.defer(() => order.push('deferred by watcher'));
          driven.reactor.timer(0, () => {
            order.push('timer');
            driven.reactor.defer(() => order.push('deferred by timer'));
          });
        });
      }
    });
    await driven.until(() => order.length === 8);
    expect(order).toEqual([
      'watcher',
      'watcher',
      'timer',
      'timer',
      'deferred by watcher',
      'deferred by watcher',
      'deferred by timer',
      'deferred by timer',
    ]);
  });

  test('from a nextTick, a promise and an immediate', async () => {
    using driven = new DrivenReactor(row);
    const called = new Set<string>();
    process.nextTick(() => driven.reactor.defer(() => called.add('nextTick')));
    queueMicrotask(() => driven.reactor.defer(() => called.add('promise')));
    setImmediate(() => driven.reactor.defer(() => called.add('immediate')));
    await driven.until(() => called.size === 3);
  });

  test('a wait without end does not hold them up', async () => {
    using driven = new DrivenReactor(row);
    let called = 0;
    // The timer's wait is under way in the attached case when defer is called.
    driven.reactor.timer(60_000, () => {});
    await driven.during(2);
    driven.reactor.defer(() => called++);
    if (row.way === 'blocking') expect(driven.reactor.turn()).toBe(1);
    else await driven.until(() => called === 1, 1000);
    expect(called).toBe(1);
  });
});
