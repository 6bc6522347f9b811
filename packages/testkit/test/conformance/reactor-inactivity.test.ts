// `timeoutMs` on real descriptors: never early, told again and again, and nothing of it is left
// behind. To the millisecond in reactor-inactivity-exact.test.ts.
import { Events, Interest } from '@pollux/core';
import { pipe, read, socketpair, write } from '@pollux/testkit';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, turnsIn } from './reactor-support.js';

const { readable, writable } = Interest;

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  test('silence is told again and again, and never early', async () => {
    using driven = new DrivenReactor(row);
    const [reader] = fds.trackAll(pipe());
    const told: { early: boolean; events: number }[] = [];
    const began = performance.now();
    driven.reactor.watch(
      reader,
      readable,
      (events) => {
        const due = began + 7.5 * (told.length + 1);
        told.push({ early: performance.now() < due, events });
      },
      { timeoutMs: 7.5 },
    );
    await driven.until(() => told.length === 5);
    expect(told).toEqual(Array(5).fill({ early: false, events: Events.timeout }));
  });

  test('not early after an event, in any mode', async () => {
    using driven = new DrivenReactor(row);
    const [reader, writer] = fds.trackAll(pipe());
    let wrote = 0;
    let early = 0;
    let timeouts = 0;
    let events = 0;
    driven.reactor.watch(
      reader,
      readable,
      (found) => {
        if (found === Events.timeout) {
          timeouts++;
          if (performance.now() < wrote + 10) early++;
        } else {
          events++;
          read(reader);
        }
      },
      { timeoutMs: 10 },
    );
    for (let round = 1; round <= 10; round++) {
      const before = timeouts;
      wrote = performance.now();
      write(writer, 'x');
      await driven.until(() => events === round);
      if (round % 2 === 0) await driven.until(() => timeouts > before);
    }
    expect(early).toBe(0);
  });

  test('a oneshot hears one of the two, and waits for resume', async () => {
    using driven = new DrivenReactor(row);
    const [first, second] = fds.trackAll(socketpair());
    const told: number[] = [];
    const watcher = driven.reactor.watch(first, readable, (events) => told.push(events), {
      mode: 'oneshot',
      // Long enough for a wait thread, on a busy machine, to see before it what is there already.
      timeoutMs: 500,
    });
    await driven.until(() => told.length === 1);
    write(second, 'x');
    await driven.during(15);
    expect(told).toEqual([Events.timeout]);
    expect(watcher.active).toBe(false);
    watcher.resume();
    await driven.until(() => told.length === 2);
    await driven.during(15);
    expect(told).toEqual([Events.timeout, readable]);
  });

  test('paused or closed: no timeout, and no turn for one', async () => {
    using driven = new DrivenReactor(row);
    const [first] = fds.trackAll(socketpair());
    let calls = 0;
    const watchers = [1, 2, 3].map(() =>
      driven.reactor.watch(first, readable, () => calls++, { timeoutMs: 3 }),
    );
    await driven.until(() => calls > 5);
    watchers[0]?.pause();
    watchers[1]?.close();
    watchers[2]?.pause();
    calls = 0;
    await driven.during(10);
    expect(await turnsIn(driven, 30)).toBeLessThan(5);
    expect(calls).toBe(0);
    expect(driven.reactor.stats().timers).toBe(0);
    watchers[0]?.resume();
    await driven.until(() => calls > 2);
  });

  test('a busy neighbour on the same descriptor resets nothing', async () => {
    using driven = new DrivenReactor(row);
    const [first] = fds.trackAll(socketpair());
    const told = new Set<number>();
    driven.reactor.watch(first, writable, () => {});
    driven.reactor.watch(first, readable, (events) => told.add(events), { timeoutMs: 5 });
    await driven.until(() => told.size > 0);
    expect([...told]).toEqual([Events.timeout]);
  });

  test('it does not keep the process alive more than its watcher does', () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const [reader] = fds.trackAll(pipe());
    const watcher = reactor.watch(reader, readable, () => {}, { timeoutMs: 5 });
    expect(reactor.alive).toBe(true);
    watcher.unref();
    expect(reactor.alive).toBe(false);
    watcher.ref();
    watcher.pause();
    expect(reactor.alive).toBe(false);
  });
});
