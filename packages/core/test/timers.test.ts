// Timers to the millisecond, on a clock of the test's own: when they come, and in which order.
import { Interest, type Timer } from '@pollux/core';
import { describe, expect, test } from 'vitest';
import { MemoryReactor, modes } from './memory-reactor.js';

describe.each(modes)('%s', (mode) => {
  test('once, at its time, and then no more', async () => {
    using driven = new MemoryReactor(mode);
    const times: number[] = [];
    for (const delay of [100, 0, 2.5, 64, 63.75, 4096, 1]) {
      driven.reactor.timer(delay, () => times.push(driven.now));
    }
    await driven.pass(5000);
    expect(times).toEqual([0, 1, 2.5, 63.75, 64, 100, 4096]);
    expect(driven.reactor.alive).toBe(false);
  });

  test('repeating, on its grid', async () => {
    using driven = new MemoryReactor(mode);
    const times: number[] = [];
    using timer = driven.reactor.timer(12.5, () => times.push(driven.now), { repeat: true });
    await driven.pass(60);
    expect(times).toEqual([12.5, 25, 37.5, 50]);
    expect([timer.active, timer.repeat]).toEqual([true, 12.5]);
  });

  test('after a stall one call, and then the grid again', async () => {
    using driven = new MemoryReactor(mode);
    const times: number[] = [];
    using _timer = driven.reactor.timer(
      10,
      () => {
        times.push(driven.now);
        // In the second call, to between two points; in the third, to a point itself.
        if (times.length === 2) driven.clock.advance(45);
        if (times.length === 4) driven.clock.advance(30);
      },
      { repeat: true },
    );
    await driven.pass(15);
    driven.clock.advance(3);
    await driven.pass(150);
    expect(times.slice(0, 9)).toEqual([10, 20, 65, 70, 100, 110, 120, 130, 140]);
  });

  test('a stall of years is one call', async () => {
    using driven = new MemoryReactor(mode);
    let calls = 0;
    using timer = driven.reactor.timer(0.25, () => calls++, { repeat: true });
    await driven.settle();
    driven.clock.advance(3e11);
    if (mode === 'attached') driven.poller.notify();
    await driven.settle();
    expect(calls).toBe(1);
    expect(timer.remaining).toBe(0.25);
  });

  test('what is due together comes by deadline, and equal deadlines as they were set', async () => {
    using driven = new MemoryReactor(mode);
    const order: string[] = [];
    [9, 3, 6.5, 3, 9, 3, 0, 6.25].forEach((delay, n) => {
      driven.reactor.timer(delay, () => order.push(`${delay}:${n}`));
    });
    driven.clock.advance(1000);
    await driven.settle();
    expect(order).toEqual(['0:6', '3:1', '3:3', '3:5', '6.25:7', '6.5:2', '9:0', '9:4']);
  });

  test('a repeating timer set anew by its call comes after those set before for the same time', async () => {
    using driven = new MemoryReactor(mode);
    const order: string[] = [];
    using _timer = driven.reactor.timer(5, () => order.push(`repeat ${driven.now}`), {
      repeat: true,
    });
    driven.reactor.timer(10, () => order.push('once 10'));
    await driven.pass(10);
    expect(order).toEqual(['repeat 5', 'once 10', 'repeat 10']);
  });

  test('set in the callback of one that is due: not in the same turn, even with 0', async () => {
    using driven = new MemoryReactor(mode);
    const turns: number[] = [];
    const note = (): void => {
      turns.push(driven.reactor.stats().turns);
    };
    driven.reactor.timer(1, () => {
      note();
      driven.reactor.timer(0, note);
    });
    driven.reactor.timer(1, note);
    await driven.pass(2);
    const [first = 0] = turns;
    expect(turns.slice(0, 2)).toEqual([first, first]);
    expect(turns[2]).toBeGreaterThan(first);
    expect(turns).toHaveLength(3);
  });

  test('set and closed in the middle of a batch', async () => {
    using driven = new MemoryReactor(mode);
    const order: string[] = [];
    const timers: Timer[] = [];
    const timer = (delay: number, name: string, then = () => {}): void => {
      timers.push(
        driven.reactor.timer(delay, () => {
          order.push(name);
          then();
        }),
      );
    };
    // All due at once, when the watcher's callback has had its time.
    const watcher = driven.reactor.watch(1, Interest.readable, () => {
      order.push('watcher');
      watcher.close();
      driven.clock.advance(100);
      timers[1]?.close();
      timer(0, 'set by the watcher, due when the timers run');
    });
    timer(10, 'a', () => {
      timers[2]?.close();
      timer(0, 'set by a');
      // Due in this batch, and set for later.
      timers[3]?.again(7);
    });
    timer(11, 'closed by the watcher');
    timer(12, 'closed by a');
    timer(13, 'put off by a');
    timer(14, 'b');
    driven.poller.set(1, Interest.readable);
    await driven.settle();
    expect(order).toEqual([
      'watcher',
      'a',
      'b',
      'set by the watcher, due when the timers run',
      'set by a',
    ]);
    await driven.pass(7);
    expect(order.at(-1)).toBe('put off by a');
    expect(driven.reactor.alive).toBe(false);
  });

  test('now is constant within a turn, and updateNow brings it up to date', async () => {
    using driven = new MemoryReactor(mode);
    const seen: number[] = [];
    const { reactor } = driven;
    reactor.timer(10, () => {
      seen.push(reactor.now);
      driven.clock.advance(5);
      seen.push(reactor.now);
    });
    reactor.timer(10, () => {
      seen.push(reactor.now);
      seen.push(reactor.updateNow(), reactor.now);
      driven.clock.advance(5);
      reactor.defer(() => seen.push(reactor.now));
      // Timers count from the present, not from the turn's beginning: never early.
      expect(reactor.timer(1, () => seen.push(driven.now)).remaining).toBe(1);
    });
    await driven.pass(30);
    expect(seen).toEqual([10, 10, 10, 15, 15, 15, 21]);
    // The time of the turn is counted in full, whatever `now` was set to.
    expect(reactor.stats().busyMs).toBe(10);
  });
});
