// Among what is ready in one turn the most urgent is served first, 2 to -2; within one priority, first
// found is first served. What a budget leaves for the next turn is overtaken by what is more urgent.
import { Interest, Reactor, type ReactorOptions } from '@pollux/core';
import { MemoryPoller } from '@pollux/core/testing';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, insideTurn, readyPipes } from './reactor-support.js';

const { readable } = Interest;
const shuffled = [0, -2, 2, 1, -1, 2, -2, 0, 1, -1, 0, 2];
const sorted = shuffled.toSorted((a, b) => b - a);

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  test('most urgent first, over descriptors', async () => {
    using driven = new DrivenReactor(row);
    const order: number[] = [];
    await insideTurn(driven, () => {
      readyPipes(fds, shuffled.length).forEach((fd, n) => {
        const priority = shuffled[n] as number;
        const watcher = driven.reactor.watch(
          fd,
          readable,
          (_events, self) => {
            order.push(self.priority);
            self.close();
          },
          { priority },
        );
        expect(watcher.priority).toBe(priority);
      });
    });
    await driven.until(() => order.length === shuffled.length);
    expect(order).toEqual(sorted);
  });

  test('most urgent first on one descriptor, and in the order they were made within one priority', async () => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    const order: number[] = [];
    await insideTurn(driven, () => {
      shuffled.forEach((priority, n) => {
        driven.reactor.watch(
          fd,
          readable,
          (_events, self) => {
            order.push(n);
            self.close();
          },
          { priority },
        );
      });
    });
    await driven.until(() => order.length === shuffled.length);
    const expected = shuffled
      .map((priority, n) => ({ priority, n }))
      .toSorted((a, b) => b.priority - a.priority || a.n - b.n)
      .map(({ n }) => n);
    expect(order).toEqual(expected);
  });

  test('watchers, a batch and a stream among each other; 0 if none is given', async () => {
    using driven = new DrivenReactor(row);
    const order: string[] = [];
    await insideTurn(driven, () => {
      const { reactor } = driven;
      const [a, b, c, d, e] = readyPipes(fds, 5) as [number, number, number, number, number];
      const watch = (name: string, fd: number, options: { priority?: number }): void => {
        reactor.watch(
          fd,
          readable,
          (_events, self) => {
            order.push(name);
            self.close();
          },
          options,
        );
      };
      watch('low', a, { priority: -1 });
      watch('none', b, {});
      watch('high', c, { priority: 1 });
      const batch = reactor.batch(
        () => {
          order.push('batch');
          batch.close();
        },
        { priority: 2 },
      );
      batch.add(d, readable, 0);
      const stream = reactor.watch(e, readable, { priority: -2 });
      void stream.next().then(() => {
        order.push('stream');
        stream.close();
      });
    });
    await driven.until(() => order.length === 5);
    expect(order).toEqual(['batch', 'high', 'none', 'low', 'stream']);
  });

  test('with a budget of one callback a turn, too', async () => {
    using driven = new DrivenReactor(row, { budget: { callbacks: 1 } });
    const order: number[] = [];
    await insideTurn(driven, () => {
      readyPipes(fds, shuffled.length).forEach((fd, n) => {
        const callback = (_events: number, self: { priority: number; close(): void }): void => {
          order.push(self.priority);
          self.close();
        };
        driven.reactor.watch(fd, readable, callback, { priority: shuffled[n] as number });
      });
    });
    await driven.until(() => order.length === shuffled.length);
    expect(order).toEqual(sorted);
  });
});

describe('in memory, where the order of what is found is known', () => {
  function inMemory(options: ReactorOptions = {}) {
    const poller = new MemoryPoller();
    const reactor = new Reactor({ mode: 'blocking', poller, clock: poller.clock, ...options });
    const order: string[] = [];
    const watch = (fd: number, priority: number): void => {
      reactor.watch(fd, readable, () => order.push(`${fd}`), { priority, mode: 'edge' });
    };
    return { poller, reactor, order, watch };
  }

  test('first found, first served', () => {
    const { poller, reactor, order, watch } = inMemory();
    [0, 1, 0, 1, 0].forEach((priority, fd) => {
      watch(fd, priority);
      poller.set(fd, readable);
    });
    expect(reactor.turn(0)).toBe(5);
    expect(order).toEqual(['1', '3', '0', '2', '4']);
  });

  test('what was left over keeps its place within its priority, and is overtaken by no equal', () => {
    const { poller, reactor, order, watch } = inMemory({ budget: { callbacks: 2 } });
    for (const fd of [0, 1, 2, 3]) watch(fd, 0);
    watch(4, 2);
    watch(5, -2);
    for (const fd of [3, 2, 5]) poller.set(fd, readable);
    expect(reactor.turn(0)).toBe(2);
    // 5 is left. Found now: two more of priority 0, and one that is urgent.
    for (const fd of [0, 1, 4]) poller.set(fd, readable);
    expect(reactor.turn(0)).toBe(2);
    // Found again while it waits: once is enough.
    poller.set(5, 0);
    poller.set(5, readable);
    expect(reactor.turn(0)).toBe(2);
    expect(order).toEqual(['2', '3', '4', '0', '1', '5']);
    expect(reactor.turn(0)).toBe(0);
  });

  test('more of them than a lane is cut at, in order', () => {
    const { poller, reactor, order, watch } = inMemory({ budget: { callbacks: 7 } });
    const count = 3000;
    for (let fd = 0; fd < count; fd++) {
      watch(fd, 0);
      poller.set(fd, readable);
    }
    while (order.length < count) reactor.turn(0);
    expect(order).toEqual(Array.from({ length: count }, (_, fd) => `${fd}`));
  });
});
