// `timer.again` and `timer.remaining` on the real clock: whatever becomes of a timer, it is never
// early. To the millisecond it is tested in core, on a clock of the test's own.
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';

describe.each(cases)('$backend, $way', (row) => {
  test('put off again and again, it does not fire; left alone, it does, and not early', async () => {
    using driven = new DrivenReactor(row);
    let calls = 0;
    let due = 0;
    const timer = driven.reactor.timer(10_000, () => {
      calls++;
      expect(performance.now()).toBeGreaterThanOrEqual(due);
    });
    for (const delay of [5000, 4000, 3000, undefined, 2000.5]) {
      await driven.during(2);
      due = performance.now() + (delay ?? 3000);
      timer.again(delay);
      expect(timer.remaining).toBeGreaterThan(0);
      expect(calls).toBe(0);
    }
    due = performance.now() + 7.25;
    timer.again(7.25);
    await driven.until(() => calls === 1);
    expect([timer.active, driven.reactor.alive]).toEqual([false, false]);
  });

  test('set sooner while a long wait is under way', async () => {
    using driven = new DrivenReactor(row);
    let calls = 0;
    const timer = driven.reactor.timer(60_000, () => calls++);
    await driven.during(3);
    timer.again(1);
    await driven.until(() => calls === 1, 2000);
  });

  test('in its own callback and after it has fired', async () => {
    using driven = new DrivenReactor(row);
    const times: number[] = [];
    const start = performance.now();
    const timer = driven.reactor.timer(1.5, (self) => {
      times.push(performance.now() - start);
      if (times.length < 5) self.again();
    });
    await driven.until(() => times.length === 5);
    times.forEach((time, n) => {
      expect(time).toBeGreaterThanOrEqual(1.5 * (n + 1));
    });
    await driven.during(5);
    expect(times).toHaveLength(5);
    timer.again(0.25);
    await driven.until(() => times.length === 6);
  });

  test('on a repeating one: the new interval counts from then', async () => {
    using driven = new DrivenReactor(row);
    let calls = 0;
    using timer = driven.reactor.timer(60_000, () => calls++, { repeat: true });
    const set = performance.now();
    timer.again(2);
    await driven.until(() => calls >= 3);
    expect(performance.now() - set).toBeGreaterThanOrEqual(3 * 2);
    expect(timer.remaining).toBeLessThanOrEqual(2);
  });

  test('remaining never lies beyond the delay, and ends at 0 or with the call', async () => {
    using driven = new DrivenReactor(row);
    let fired = false;
    const timer = driven.reactor.timer(20, () => {
      fired = true;
    });
    let last = timer.remaining;
    expect(last).toBeLessThanOrEqual(20);
    while (!fired) {
      const { remaining } = timer;
      expect(remaining).toBeLessThanOrEqual(last);
      expect(remaining).toBeGreaterThanOrEqual(0);
      last = remaining;
      await driven.during(1);
    }
    expect(timer.remaining).toBe(Number.POSITIVE_INFINITY);
  });
});
