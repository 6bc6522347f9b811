// What the tests by model and of growth (reactor-model, reactor-growth) have found once, each alone.
import { getEventListeners } from 'node:events';
import { Events, Interest } from '@pollux/core';
import { ManualClock } from '@pollux/core/testing';
import { close, pipe, socketpair } from '@pollux/testkit';
import { attachedCases, cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, readyPipes } from './reactor-support.js';

const { readable } = Interest;
const ignore = (): void => {};

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  test('a watcher with interest 0 hears of no error or hangup that its neighbour hears of', async () => {
    using driven = new DrivenReactor(row);
    const [near, far] = fds.trackAll(socketpair());
    let calls = 0;
    const silent: number[] = [];
    driven.reactor.watch(near, 0, (events) => silent.push(events));
    const narrowed = driven.reactor.watch(near, readable, (events) => silent.push(events));
    driven.reactor.watch(near, readable, () => calls++, { priority: 1 });
    // In the turn in which it is found, and before it is delivered.
    const check = driven.reactor.check(() => narrowed.update(0));
    close(far);
    await driven.until(() => calls > 3);
    check.close();
    expect(silent).toEqual([]);
  });

  test('a timer that has fired is closed with its reactor', async () => {
    const driven = new DrivenReactor(row);
    let calls = 0;
    const timer = driven.reactor.timer(0, () => calls++);
    await driven.until(() => calls === 1);
    expect(timer.closed).toBe(false);
    driven.close();
    expect(timer.closed).toBe(true);
  });

  test('timers that a stop kept from their turn keep their order', async () => {
    const clock = new ManualClock();
    using driven = new DrivenReactor(row, { clock });
    const { reactor } = driven;
    const called: string[] = [];
    reactor.timer(1, () => {
      called.push('first');
      reactor.timer(0, () => called.push('last'));
      reactor.stop();
    });
    reactor.timer(1, () => called.push('second'));
    reactor.timer(1, () => called.push('third'));
    clock.advance(1);
    await driven.until(() => reactor.stopped);
    expect(called).toEqual(['first']);
    if (reactor.mode === 'attached') void reactor.run();
    await driven.until(() => called.length === 4);
    expect(called).toEqual(['first', 'second', 'third', 'last']);
  });

  test('a timeout begins anew with resume, also for what is found and not yet delivered', async () => {
    const clock = new ManualClock();
    using driven = new DrivenReactor(row, { clock, budget: { callbacks: 1 } });
    const { reactor } = driven;
    const [first, second] = readyPipes(fds, 2) as [number, number];
    const called: number[] = [];
    const late = reactor.watch(second, readable, (events) => called.push(events), { timeoutMs: 1 });
    reactor.watch(
      first,
      readable,
      (_events, watcher) => {
        // Long after this turn began, and the last call of it.
        clock.advance(5);
        late.resume();
        watcher.close();
      },
      { priority: 1 },
    );
    await driven.until(() => called.length > 3);
    // The clock stands still.
    expect(new Set(called)).toEqual(new Set([Events.readable]));
  });

  test('what is paused in the queue costs no budget', async () => {
    const clock = new ManualClock();
    using driven = new DrivenReactor(row, { clock, budget: { timeMs: 1 } });
    const { reactor } = driven;
    const called: string[] = [];
    const [first, second] = readyPipes(fds, 2) as [number, number];
    const paused = reactor.watch(first, readable, () => called.push('paused'), { priority: 1 });
    reactor.watch(second, readable, () => called.push('served'));
    // Each turn has spent its time before it serves anything.
    reactor.check(() => {
      clock.advance(2);
      called.push(reactor.stats().events > 0 ? 'found' : 'idle');
      if (paused.active && reactor.stats().events > 0) paused.pause();
    });
    await driven.until(() => called.filter((what) => what === 'found').length > 2);
    expect(called.slice(called.indexOf('found')).slice(0, 3)).toEqual(['found', 'served', 'found']);
  });
});

describe.each(cases)('$backend, $way: one signal', (row) => {
  const fds = countedFds();

  test('for many: they are closed in order, and Node warns of no leak', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    const abort = new AbortController();
    const { signal } = abort;
    const [reader] = fds.trackAll(pipe());
    const watchers = Array.from({ length: 20 }, () =>
      reactor.watch(reader, readable, ignore, { signal }),
    );
    const timers = Array.from({ length: 20 }, () => reactor.timer(60_000, ignore, { signal }));
    watchers[3]?.close();
    abort.abort();
    expect([...watchers, ...timers].filter(({ closed }) => !closed)).toEqual([]);
    expect(reactor.alive).toBe(false);
    await driven.during(1);
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });

  test('a timer that has fired, or was refused, is not kept by it; one that was set again is closed', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const abort = new AbortController();
    const calls = [0, 0];
    const [fired, again] = [0, 1].map((n) =>
      reactor.timer(0, () => calls[n]!++, { signal: abort.signal }),
    );
    await driven.until(() => calls[0] === 1 && calls[1] === 1);
    const listeners = () => getEventListeners(abort.signal, 'abort').length;
    expect(listeners()).toBe(0);
    const closed = reactor.timer(0, ignore, { signal: abort.signal });
    closed.close();
    expect(() => closed.again()).toThrow(expect.objectContaining({ code: 'ERR_POLLUX_CLOSED' }));
    expect(() => fired?.again(-1)).toThrow(RangeError);
    expect(listeners()).toBe(0);
    again?.again(1);
    expect(listeners()).toBe(1);
    abort.abort();
    expect(again?.closed).toBe(true);
    expect(() => fired?.again(0)).toThrow(expect.objectContaining({ code: 'ERR_POLLUX_CLOSED' }));
    await driven.during(5);
    expect(calls).toEqual([1, 1]);
    expect(reactor.alive).toBe(false);
  });
});

describe.each(attachedCases)('$backend, $way', (row) => {
  const fds = countedFds();

  test.each(['stop', 'close'] as const)(
    'run() ends if a prepare hook says %s at once',
    async (how) => {
      using driven = new DrivenReactor(row);
      const { reactor } = driven;
      const [reader] = fds.trackAll(pipe());
      reactor.watch(reader, readable, ignore);
      await driven.during(1);
      reactor.stop();
      let hooks = 0;
      reactor.prepare(() => {
        hooks++;
        reactor[how]();
      });
      await reactor.run();
      expect(hooks).toBe(1);
    },
  );
});
