// `reactor.at`, on the system's clocks, and on a wall clock that the test sets forward and back.
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';

describe.each(cases)('$backend, $way', (row) => {
  test('a Date, and milliseconds since 1970: not early by Date.now()', async () => {
    using driven = new DrivenReactor(row);
    const early: number[] = [];
    let calls = 0;
    const now = Date.now();
    for (const time of [new Date(now + 12), now + 3, now + 25.5, now - 1000, new Date(0)]) {
      driven.reactor.at(time, () => {
        calls++;
        if (Date.now() < Number(time)) early.push(Number(time));
      });
    }
    await driven.until(() => calls === 5);
    expect(early).toEqual([]);
    expect(driven.reactor.alive).toBe(false);
  });

  test('the wall clock is set forward and back', async () => {
    let offset = 0;
    const wallNow = (): number => performance.now() + offset;
    const clock = { now: () => performance.now(), wallNow };
    using driven = new DrivenReactor(row, { clock });
    const called: string[] = [];
    const start = wallNow();
    // An hour away: set forward, it is noticed with the next look, within a second.
    driven.reactor.at(start + 3_600_000, () => called.push('far'));
    // Soon: set back, it is as far as that.
    const near = driven.reactor.at(start + 40, () => called.push('near'));
    offset = -10_000_000;
    await driven.during(60);
    expect(called).toEqual([]);
    expect(near.remaining).toBeGreaterThan(9_000_000);
    offset = 3_600_000;
    expect(near.remaining).toBe(0);
    await driven.until(() => called.length === 2);
    expect(new Set(called)).toEqual(new Set(['far', 'near']));
  });

  test('far away it costs a look a second, not more', async () => {
    using driven = new DrivenReactor(row);
    const timer = driven.reactor.at(Date.now() + 86_400_000, () => {});
    const { turns } = driven.reactor.stats();
    if (row.way === 'blocking') {
      driven.reactor.turn(100);
      expect(driven.reactor.stats().turns - turns).toBeLessThanOrEqual(20);
    } else {
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(driven.reactor.stats().turns - turns).toBeLessThanOrEqual(20);
    }
    timer.close();
  });
});
