// `reactor.at`: a time of the wall clock, which may be set forward and back meanwhile. It is looked
// at every second, so a change is noticed within one.
import { describe, expect, test } from 'vitest';
import { MemoryReactor, modes } from './memory-reactor.js';

const HOUR = 3_600_000;

describe.each(modes)('%s', (mode) => {
  const wall = (driven: MemoryReactor): number => driven.now + driven.wallOffset;

  test('when its time has come, not before, however far it is', async () => {
    using driven = new MemoryReactor(mode);
    const times: number[] = [];
    for (const from of [0, 1, 250, 1000, 1000.5, 2500, 10_000]) {
      driven.reactor.at(wall(driven) + from, () => times.push(driven.now));
    }
    driven.reactor.at(new Date(wall(driven) + 7), () => times.push(driven.now));
    await driven.pass(20_000);
    expect(times).toEqual([0, 1, 7, 250, 1000, 1000.5, 2500, 10_000]);
    expect(driven.reactor.alive).toBe(false);
  });

  test.each([0, -1e15, Number.NEGATIVE_INFINITY, new Date(0)])(
    '%s is past: at once',
    async (time) => {
      using driven = new MemoryReactor(mode);
      let calls = 0;
      const timer = driven.reactor.at(time, () => calls++);
      expect(timer.remaining).toBe(0);
      await driven.settle();
      expect([calls, driven.now, timer.active]).toEqual([1, 0, false]);
    },
  );

  test('the clock is set forward: noticed within a second', async () => {
    using driven = new MemoryReactor(mode);
    const times: number[] = [];
    const timer = driven.reactor.at(wall(driven) + HOUR, () => times.push(driven.now));
    await driven.pass(2300);
    expect(timer.remaining).toBe(HOUR - 2300);
    driven.wallOffset += HOUR;
    expect(timer.remaining).toBe(0);
    await driven.pass(1000);
    expect(times).toEqual([3000]);
  });

  test('the clock is set back: later by as much', async () => {
    using driven = new MemoryReactor(mode);
    const times: number[] = [];
    const timer = driven.reactor.at(wall(driven) + 5000, () => times.push(wall(driven)));
    const due = wall(driven) + 5000;
    await driven.pass(4500);
    driven.wallOffset -= 60_000;
    expect(timer.remaining).toBe(60_500);
    await driven.pass(60_000);
    expect(times).toEqual([]);
    await driven.pass(500);
    expect(times).toEqual([due]);
  });

  test('the clock is set back when it is due, in a callback before it', async () => {
    using driven = new MemoryReactor(mode);
    const times: number[] = [];
    driven.reactor.timer(100, () => {
      driven.wallOffset -= 10_000;
    });
    driven.reactor.at(wall(driven) + 100, () => times.push(driven.now));
    await driven.pass(10_099);
    expect(times).toEqual([]);
    await driven.pass(1);
    expect(times).toEqual([10_100]);
  });

  test('a look at the clock is no callback', async () => {
    using driven = new MemoryReactor(mode);
    driven.reactor.at(wall(driven) + 10_500, () => {});
    let idle = 0;
    if (mode === 'blocking') {
      expect(await driven.pass(10_000)).toBe(undefined);
      expect(driven.now).toBe(10_000);
      // It waits through the looks, to its end.
      expect(driven.reactor.turn(400)).toBe(0);
      expect(driven.now).toBe(10_400);
    } else {
      await driven.pass(10_000);
      const hook = driven.reactor.idle(() => {
        idle++;
        hook.close();
      });
      await driven.settle();
      expect(idle).toBe(1);
    }
    expect(driven.reactor.stats().callbacks).toBe(idle);
  });

  test('Infinity is never; what is no time is refused', async () => {
    using driven = new MemoryReactor(mode);
    let calls = 0;
    const timer = driven.reactor.at(Number.POSITIVE_INFINITY, () => calls++);
    expect(timer.remaining).toBe(Number.POSITIVE_INFINITY);
    for (const time of [Number.NaN, new Date(Number.NaN), '2030-01-01', null, undefined, 5n]) {
      expect(() => driven.reactor.at(time as number, () => {})).toThrow(
        expect.objectContaining({ name: 'TypeError', message: expect.stringContaining('time') }),
      );
    }
    await driven.pass(100_000);
    expect([calls, driven.reactor.stats().timers]).toEqual([0, 1]);
    timer.close();
    expect(driven.reactor.alive).toBe(false);
  });
});
