// A timer is never early, on the clock that users have: performance.now(). Not with fractions, not
// among hundreds, not when the wait under way has to be cut short for it.
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';

const { POSITIVE_INFINITY, MAX_VALUE, MAX_SAFE_INTEGER } = Number;

describe.each(cases)('$backend, $way', (row) => {
  test('300 timers with fractions of a millisecond', async () => {
    using driven = new DrivenReactor(row);
    const early: string[] = [];
    let called = 0;
    for (let n = 0; n < 300; n++) {
      const delay = ((n * 37) % 300) / 7 + 0.013;
      const due = performance.now() + delay;
      driven.reactor.timer(delay, () => {
        called++;
        const now = performance.now();
        if (now < due) early.push(`${delay}: by ${due - now}`);
      });
    }
    await driven.until(() => called === 300);
    expect(early).toEqual([]);
  });

  test('one after the other, each set in the callback of the one before', async () => {
    using driven = new DrivenReactor(row);
    const early: number[] = [];
    let called = 0;
    const next = (): void => {
      const delay = 0.05 + (called % 10) / 10;
      const due = performance.now() + delay;
      driven.reactor.timer(delay, () => {
        if (performance.now() < due) early.push(delay);
        if (++called < 60) next();
      });
    };
    next();
    await driven.until(() => called === 60);
    expect(early).toEqual([]);
  });

  test.each([POSITIVE_INFINITY, MAX_VALUE, MAX_SAFE_INTEGER, 2 ** 31, 2 ** 32 + 1, 9e12, 1e15])(
    'a delay of %d ms does not fire, and hinders no other',
    async (delay) => {
      using driven = new DrivenReactor(row);
      let huge = 0;
      let near = 0;
      const timer = driven.reactor.timer(delay, () => huge++);
      await driven.during(5);
      driven.reactor.timer(1, () => near++);
      await driven.until(() => near === 1);
      await driven.during(5);
      expect(huge).toBe(0);
      expect(timer.closed).toBe(false);
      expect(driven.reactor.alive).toBe(true);
      timer.close();
      expect(driven.reactor.alive).toBe(false);
    },
  );

  test('a repeating timer is never early on its grid', async () => {
    using driven = new DrivenReactor(row);
    const period = 0.7;
    const start = performance.now();
    const early: number[] = [];
    let called = 0;
    using _timer = driven.reactor.timer(
      period,
      () => {
        called++;
        // A missed point only moves later ones further away.
        if (performance.now() < start + called * period) early.push(called);
      },
      { repeat: true },
    );
    await driven.until(() => called >= 50);
    expect(early).toEqual([]);
  });
});
