// Timers of months, and of never: nothing comes too soon because a number was too large for somebody
// below, and nobody is busy with waiting for them.
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';

describe.each(cases)('$backend, $way', (row) => {
  test.each([
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32,
    2 ** 32 + 5,
    2 ** 47,
    Number.MAX_SAFE_INTEGER,
    1e300,
    Number.MAX_VALUE,
    Number.POSITIVE_INFINITY,
  ])('%d ms: no call, and hardly a turn', async (delay) => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    let calls = 0;
    using timer = reactor.timer(delay, () => calls++);
    expect(timer.remaining).toBeGreaterThanOrEqual(delay - 60_000);
    const { turns } = reactor.stats();
    if (row.way === 'blocking') expect(reactor.turn(60)).toBe(0);
    else await new Promise((resolve) => setTimeout(resolve, 60));
    // A look may be near: at a border of the wheel's levels. A loop without a wait makes thousands.
    expect(reactor.stats().turns - turns).toBeLessThanOrEqual(10);
    expect([calls, timer.active, reactor.alive]).toEqual([0, true, true]);
  });

  test('many far ones and a near one: it is not early, and the wait is not cut into pieces', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    for (let n = 0; n < 1000; n++) reactor.timer(2 ** (16 + (n % 30)), () => {});
    const start = performance.now();
    let fired = 0;
    reactor.timer(80, () => {
      fired = performance.now();
    });
    const { turns } = reactor.stats();
    if (row.way === 'blocking') reactor.turn();
    else await driven.until(() => fired > 0);
    expect(fired - start).toBeGreaterThanOrEqual(80);
    expect(reactor.stats().turns - turns).toBeLessThanOrEqual(12);
  });
});
