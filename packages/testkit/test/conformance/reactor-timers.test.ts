// Timers: once and repeating, in the order of their deadlines, closed from anywhere.
import { Interest, type Timer } from '@pollux/core';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, insideTurn, readyPipes } from './reactor-support.js';

/** Blocks this thread. */
function stall(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  test('once: one call, with the timer, which is not active by then', async () => {
    using driven = new DrivenReactor(row);
    const calls: [Timer, boolean][] = [];
    const timer = driven.reactor.timer(2, (self) => calls.push([self, self.active]));
    expect(timer).toMatchObject({ closed: false, repeat: undefined });
    expect(driven.reactor.alive).toBe(true);
    await driven.until(() => calls.length > 0);
    await driven.during(10);
    expect(calls).toHaveLength(1);
    expect(calls[0]?.[0]).toBe(timer);
    expect(calls[0]?.[1]).toBe(false);
    expect(driven.reactor.alive).toBe(false);
    timer.close();
  });

  test('repeating: again and again, until closed, also by itself', async () => {
    using driven = new DrivenReactor(row);
    let calls = 0;
    const timer = driven.reactor.timer(1.5, () => calls++, { repeat: true });
    expect(timer.repeat).toBe(1.5);
    await driven.until(() => calls >= 5);
    expect(timer.closed).toBe(false);
    timer.close();
    timer.close();
    let own = 0;
    driven.reactor.timer(
      1,
      (self) => {
        if (++own === 3) self.close();
      },
      { repeat: true },
    );
    const before = calls;
    await driven.until(() => own === 3);
    await driven.during(10);
    expect([calls, own]).toEqual([before, 3]);
    expect(driven.reactor.alive).toBe(false);
  });

  test('repeating: what a stall made it miss is missed', async () => {
    using driven = new DrivenReactor(row);
    const period = 5;
    const times: number[] = [];
    const start = performance.now();
    using _timer = driven.reactor.timer(
      period,
      () => {
        times.push(performance.now() - start);
        if (times.length === 2) stall(50);
      },
      { repeat: true },
    );
    await driven.until(() => times.length >= 8);
    for (const [n, time] of times.entries()) {
      // Never early: the n-th call comes at the earliest with the n-th point of the grid.
      expect(time).toBeGreaterThanOrEqual(period * (n + 1));
      // No burst: of the ten points in the stall none is made up for.
      if (n >= 2) expect(time).toBeGreaterThanOrEqual((times[1] as number) + 50);
    }
  });

  test('in the order of deadlines, equal ones in the order they were set', async () => {
    // Stands still while they are set, which may take milliseconds where code is emulated, or cold.
    let still: number | undefined;
    using driven = new DrivenReactor(row, { clock: { now: () => still ?? performance.now() } });
    const order: string[] = [];
    await insideTurn(driven, () => {
      const delays = [9, 3, 6, 3, 9, 3, 0, 6];
      still = performance.now();
      delays.forEach((delay, n) => {
        driven.reactor.timer(delay, () => order.push(`${delay}:${n}`));
      });
      still = undefined;
    });
    // A stall changes nothing.
    stall(5);
    await driven.until(() => order.length === 8);
    expect(order).toEqual(['0:6', '3:1', '3:3', '3:5', '6:2', '6:7', '9:0', '9:4']);
  });

  test('closed from callbacks of every kind, in the turn in which it is due', async () => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    const called: string[] = [];
    await insideTurn(driven, () => {
      let watched = false;
      driven.reactor.watch(fd, Interest.readable, (_events, watcher) => {
        watched = true;
        late[0]?.close();
        watcher.close();
      });
      driven.reactor.timer(0, () => late[1]?.close());
      driven.reactor.timer(0, () => process.nextTick(() => late[2]?.close()));
      const late = ['watcher', 'timer', 'tick'].map((name) =>
        driven.reactor.timer(0.5, () => {
          // A thread that was not let run in time finds the descriptor in a later turn.
          if (name !== 'watcher' || watched) called.push(name);
        }),
      );
      stall(2);
    });
    await driven.until(() => !driven.reactor.alive);
    await driven.during(20);
    expect(called).toEqual([]);
    expect(driven.reactor.alive).toBe(false);
  });

  test('a timer of 0 ms that sets itself again starves nobody', async () => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    const count = { zero: 0, watcher: 0, timer: 0, deferred: 0, immediate: 0 };
    const again = (): void => {
      count.zero++;
      driven.reactor.timer(0, again);
    };
    again();
    driven.reactor.watch(fd, Interest.readable, () => count.watcher++);
    driven.reactor.timer(1, () => count.timer++, { repeat: true });
    const deferAgain = (): void => {
      count.deferred++;
      driven.reactor.defer(deferAgain);
    };
    deferAgain();
    const immediate = setInterval(() => count.immediate++, 1);
    await driven.until(() => Object.values(count).every((calls) => calls > 5));
    clearInterval(immediate);
  });

  test.each([0.001, 1e-9, 1e-300, Number.MIN_VALUE])(
    'a period of %d ms is as often as can be, not never',
    async (period) => {
      using driven = new DrivenReactor(row);
      let calls = 0;
      driven.reactor.timer(period, () => calls++, { repeat: true });
      await driven.until(() => calls > 10, 1000);
    },
  );

  test('a timer set for the time before those under way comes first', async () => {
    using driven = new DrivenReactor(row);
    const order: number[] = [];
    const far = driven.reactor.timer(60_000, () => order.push(60_000));
    for (const delay of [40, 20, 10]) driven.reactor.timer(delay, () => order.push(delay));
    await driven.until(() => order.length === 3);
    expect(order).toEqual([10, 20, 40]);
    expect(far.closed).toBe(false);
  });

  test('a deadline that passes just before a turn for something else is not the last one', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const order: string[] = [];
    // A wait for the first of them is under way.
    await driven.during(2);
    reactor.timer(5, () => order.push('first'));
    reactor.timer(500, () => order.push('second'));
    setImmediate(() => {
      // In Node's next round: the deadline passes after its poll phase, and then comes the turn.
      setImmediate(() => stall(10));
      reactor.defer(() => order.push('deferred'));
    });
    await driven.until(() => order.length === 3, 5000);
    expect(order.indexOf('second')).toBe(2);
  });

  test('a thousand set, half of them closed: the other half comes', async () => {
    using driven = new DrivenReactor(row);
    const called = new Set<number>();
    const timers = Array.from({ length: 1000 }, (_, n) =>
      driven.reactor.timer((n * 7) % 13, () => called.add(n)),
    );
    timers.forEach((timer, n) => {
      if (n % 2 === 0) timer.close();
    });
    await driven.until(() => called.size === 500);
    await driven.during(5);
    expect([...called].every((n) => n % 2 === 1)).toBe(true);
    expect(driven.reactor.alive).toBe(false);
  });
});
