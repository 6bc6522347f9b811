// Timers that are far away, or never: they cost a few looks on the way there, and no more.
import { describe, expect, test } from 'vitest';
import { MemoryReactor, modes } from './memory-reactor.js';

const DAY = 86_400_000;

describe.each(modes)('%s', (mode) => {
  test.each([30_000, 2 ** 31, 2 ** 31 + 0.5, 30 * DAY, 365 * DAY, 1000 * 365 * DAY])(
    'a timer of %d ms comes at its time, after a look per level of the wheel at most',
    async (delay) => {
      using driven = new MemoryReactor(mode);
      const times: number[] = [];
      driven.reactor.timer(delay, () => times.push(driven.now));
      await driven.pass(delay);
      expect(times).toEqual([delay]);
      // One more for the beginning, and the one after its call.
      expect(driven.poller.waits.length).toBeLessThanOrEqual(10);
    },
  );

  test('in a blocking turn the looks are no reason to return', () => {
    if (mode !== 'blocking') return;
    using driven = new MemoryReactor(mode);
    driven.reactor.timer(30 * DAY, () => {});
    expect(driven.reactor.turn(DAY)).toBe(0);
    expect(driven.now).toBe(DAY);
    expect(driven.reactor.turn()).toBe(1);
    expect(driven.now).toBe(30 * DAY);
  });

  test.each([1e15, 1e300, Number.MAX_VALUE, Number.POSITIVE_INFINITY])(
    'a timer of %d ms never comes, and is not looked for',
    async (delay) => {
      using driven = new MemoryReactor(mode);
      let calls = 0;
      const timer = driven.reactor.timer(delay, () => calls++);
      expect(timer.remaining).toBe(delay);
      await driven.pass(1000 * 365 * DAY);
      expect([calls, timer.active]).toEqual([0, true]);
      expect(driven.poller.waits.length).toBeLessThanOrEqual(4);
    },
  );

  test('one that is set among far ones comes at its time', async () => {
    using driven = new MemoryReactor(mode);
    const times: number[] = [];
    const note = (): void => {
      times.push(driven.now);
    };
    driven.reactor.timer(Number.POSITIVE_INFINITY, note);
    driven.reactor.timer(DAY, note);
    await driven.pass(12_345);
    driven.reactor.timer(2 * DAY, note);
    driven.reactor.timer(0.5, note);
    driven.reactor.timer(70, note);
    await driven.pass(3 * DAY);
    expect(times).toEqual([12_345.5, 12_415, DAY, 2 * DAY + 12_345]);
  });

  test('setting later ones does not disturb a wait under way', async () => {
    using driven = new MemoryReactor(mode);
    driven.reactor.timer(50, () => {});
    await driven.settle();
    const before = driven.poller.waits.length;
    for (let n = 0; n < 1000; n++) driven.reactor.timer(50 + n, () => {});
    expect(driven.poller.waits.length).toBe(before);
    if (mode === 'blocking') return;
    // A sooner one shortens it, once.
    driven.reactor.timer(20, () => {});
    driven.reactor.timer(30, () => {});
    expect(driven.poller.waits.slice(before)).toEqual([20]);
  });
});
