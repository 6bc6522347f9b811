// An attached reactor on which nothing else happens: what a budget has left over gets a turn of its
// own, and a wait that would end too late for a new timer ends sooner.
import { Interest } from '@pollux/core';
import { attachedCases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, readyPipes } from './reactor-support.js';

const { readable } = Interest;

describe.each(attachedCases)('$backend, $way', (row) => {
  const fds = countedFds();

  test('leftovers of a budget come without another event', async () => {
    using driven = new DrivenReactor(row, { budget: { callbacks: 1 } });
    const called: number[] = [];
    for (const fd of readyPipes(fds, 5)) {
      driven.reactor.watch(fd, readable, () => called.push(fd), { mode: 'oneshot' });
    }
    await driven.until(() => called.length === 5);
    expect(new Set(called).size).toBe(5);
    expect(driven.reactor.stats().callbacks).toBe(5);
  });

  test.each([1, 2, 4])('timers set one below the other, from outside, x %i', async (times) => {
    // Stands still while one is set: when it is due is known then.
    let still: number | undefined;
    using driven = new DrivenReactor(row, { clock: { now: () => still ?? performance.now() } });
    driven.reactor.timer(3_600_000, () => {}).unref();
    await driven.during(5); // it waits, for an hour
    const called: number[] = [];
    const set: { n: number; due: number }[] = [];
    for (let n = times; n > 0; n--) {
      still = performance.now();
      set.push({ n, due: still + 10 * n });
      driven.reactor.timer(10 * n, () => called.push(n));
      still = undefined;
      await driven.during(1);
    }
    await driven.until(() => called.length === times);
    // A busy machine may take longer to set one than it is sooner than the one before.
    const inOrder = set.toSorted((a, b) => a.due - b.due);
    expect(called).toEqual(inOrder.map(({ n }) => n));
  });
});
