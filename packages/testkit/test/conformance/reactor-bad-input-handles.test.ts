// Wrong arguments for the options and methods of watchers, timers, hooks, batches, signals, children
// and the loop's control: a typed error, thrown at once, that names the argument; and nothing has
// changed. The rest of them is in reactor-bad-input.test.ts.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { constants } from 'node:os';
import { createPoller, Interest, Reactor, type ReactorOptions } from '@pollux/core';
import { openFds, pipe } from '@pollux/testkit';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test, vi } from 'vitest';
import { countedFds, thrownBy } from './reactor-support.js';
import {
  type Expected,
  expectRefusal,
  ignore,
  NOT_BOOLEANS,
  NOT_FUNCTIONS,
  NOT_INTEGERS,
  NOT_NUMBERS,
  NOT_OBJECTS,
  range,
  type,
  value,
} from './refusals.js';

const { readable } = Interest;
const NOT_SIGNALS: unknown[] = [null, 1, 'abort', {}, [], new EventTarget(), { aborted: false }];
const NOT_POSITIVE = [Number.NaN, 0, -0, -1, Number.NEGATIVE_INFINITY];
const NOT_PRIORITIES = [...NOT_INTEGERS, 3, -3, 1e9];

type Loose = Record<string, (...args: unknown[]) => unknown>;

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  /** A reactor that nothing was asked of yet, and a check that nothing was begun. */
  function untouched(driven: DrivenReactor) {
    const { reactor } = driven;
    const before = { fds: openFds(), dump: reactor.dump() };
    return {
      loose: reactor as unknown as Loose,
      check(): void {
        expect(openFds()).toEqual(before.fds);
        expect(reactor.dump()).toEqual(before.dump);
        expect(reactor.alive).toBe(false);
        expect(reactor.stats()).toMatchObject({ watchers: 0, timers: 0 });
      },
    };
  }

  test('the options of watch', () => {
    using driven = new DrivenReactor(row);
    const [fd] = fds.trackAll(pipe());
    const { loose, check } = untouched(driven);
    const refused = (expected: Expected, options: unknown): void => {
      expectRefusal(() => loose.watch?.(fd, readable, ignore, options), expected);
      // A stream's are the same.
      if (typeof options === 'object' && options !== null) {
        expectRefusal(() => loose.watch?.(fd, readable, options), expected);
      }
    };
    for (const bad of NOT_NUMBERS.slice(1)) {
      refused(type('options.priority'), { priority: bad });
      refused(type('options.timeoutMs'), { timeoutMs: bad });
    }
    for (const bad of NOT_PRIORITIES) refused(range('options.priority'), { priority: bad });
    for (const bad of NOT_POSITIVE) refused(range('options.timeoutMs'), { timeoutMs: bad });
    for (const bad of NOT_BOOLEANS) refused(type('options.alwaysReady'), { alwaysReady: bad });
    for (const bad of NOT_SIGNALS) refused(type('options.signal'), { signal: bad });
    const edge = { alwaysReady: true, mode: 'edge' };
    expectRefusal(() => loose.watch?.(fd, readable, ignore, edge), value('options.mode'));
    check();
  });

  test('timer, at, and again', () => {
    using driven = new DrivenReactor(row);
    const { loose, check } = untouched(driven);
    for (const bad of NOT_SIGNALS) {
      expectRefusal(() => loose.timer?.(1, ignore, { signal: bad }), type('options.signal'));
      expectRefusal(() => loose.at?.(1, ignore, { signal: bad }), type('options.signal'));
    }
    for (const bad of [...NOT_NUMBERS, new Date(Number.NaN), Number.NaN]) {
      expectRefusal(() => loose.at?.(bad, ignore), type('time'));
    }
    for (const bad of NOT_FUNCTIONS) expectRefusal(() => loose.at?.(1, bad), type('callback'));
    for (const bad of NOT_OBJECTS) expectRefusal(() => loose.at?.(1, ignore, bad), type('options'));
    check();
    const timer = driven.reactor.timer(60_000, ignore);
    const again = timer.again.bind(timer) as (delay: unknown) => unknown;
    for (const bad of NOT_NUMBERS.slice(1)) expectRefusal(() => again(bad), type('delayMs'));
    for (const bad of [Number.NaN, -1]) expectRefusal(() => again(bad), range('delayMs'));
    expect(timer.remaining).toBeGreaterThan(50_000);
  });

  test('hooks', () => {
    using driven = new DrivenReactor(row);
    const { loose, check } = untouched(driven);
    for (const kind of ['prepare', 'check', 'idle']) {
      for (const bad of NOT_FUNCTIONS) expectRefusal(() => loose[kind]?.(bad), type('callback'));
      for (const bad of NOT_OBJECTS) {
        expectRefusal(() => loose[kind]?.(ignore, bad), type('options'));
      }
      for (const bad of NOT_SIGNALS) {
        expectRefusal(() => loose[kind]?.(ignore, { signal: bad }), type('options.signal'));
      }
    }
    check();
  });

  test('batch', () => {
    using driven = new DrivenReactor(row);
    const [fd, watched] = fds.trackAll(pipe());
    const { loose, check } = untouched(driven);
    for (const bad of NOT_FUNCTIONS) expectRefusal(() => loose.batch?.(bad), type('callback'));
    for (const bad of NOT_OBJECTS) expectRefusal(() => loose.batch?.(ignore, bad), type('options'));
    for (const bad of NOT_PRIORITIES) {
      expectRefusal(() => loose.batch?.(ignore, { priority: bad }), range('options.priority'));
    }
    for (const bad of NOT_SIGNALS) {
      expectRefusal(() => loose.batch?.(ignore, { signal: bad }), type('options.signal'));
    }
    for (const bad of NOT_FUNCTIONS) {
      if (bad === undefined) continue;
      expectRefusal(() => loose.batch?.(ignore, { onClose: bad }), type('options.onClose'));
    }
    check();

    const batch = driven.reactor.batch(ignore);
    const { add, modify, delete: remove, drive } = bound(batch);
    for (const change of [add, modify]) {
      for (const bad of NOT_NUMBERS) {
        expectRefusal(() => change?.(bad, readable, 1), type('fd'));
        expectRefusal(() => change?.(fd, bad, 1), type('interest'));
        expectRefusal(() => change?.(fd, readable, bad), type('key'));
      }
      for (const bad of [...NOT_INTEGERS, -1, 2 ** 32]) {
        expectRefusal(() => change?.(bad, readable, 1), range('fd'));
        expectRefusal(() => change?.(fd, bad, 1), range('interest'));
        expectRefusal(() => change?.(fd, readable, bad), range('key'));
      }
    }
    for (const bad of NOT_NUMBERS) expectRefusal(() => remove?.(bad), type('fd'));
    for (const bad of NOT_FUNCTIONS) expectRefusal(() => drive?.(bad), type('step'));
    for (const action of [() => batch.modify(fd, readable, 1), () => batch.delete(fd)]) {
      expect(thrownBy(action)).toMatchObject({ code: 'ENOENT', fd });
    }
    expect(thrownBy(() => batch.add(777_777, readable, 1))).toMatchObject({ code: 'EBADF' });
    using watcher = driven.reactor.watch(watched, 0, ignore).unref();
    expect(thrownBy(() => batch.add(watched, readable, 1))).toMatchObject({ code: 'EEXIST' });
    expect(watcher.closed).toBe(false);
    expect([batch.size, batch.active, driven.reactor.alive]).toEqual([0, false, false]);
    batch.add(fd, readable, 1);
    for (const action of [
      () => batch.add(fd, readable, 2),
      () => driven.reactor.watch(fd, readable, ignore),
      () => driven.reactor.batch(ignore).delete(fd),
    ]) {
      expect(thrownBy(action)).toMatchObject({ code: expect.stringMatching(/^(EEXIST|ENOENT)$/) });
    }
    expect(batch.size).toBe(1);
    batch.close();
    for (const use of [
      () => batch.add(fd, readable, 1),
      () => batch.modify(fd, readable, 1),
      () => batch.delete(fd),
    ]) {
      expect(thrownBy(use)).toMatchObject({ code: 'ERR_POLLUX_CLOSED' });
    }
  });

  test('signal', () => {
    using driven = new DrivenReactor(row);
    const { loose, check } = untouched(driven);
    const listeners = (): number[] =>
      Object.keys(constants.signals).map((name) => process.listenerCount(name));
    const before = listeners();
    for (const bad of [undefined, null, 15, {}, Symbol('SIGINT')]) {
      expectRefusal(() => loose.signal?.(bad, ignore), type('name'));
    }
    for (const bad of ['', 'sigusr2', 'SIGNONE', 'toString', '__proto__', 'SIGKILL', 'SIGSTOP']) {
      expectRefusal(() => loose.signal?.(bad, ignore), value('name'));
    }
    check();
    if (row.way === 'blocking') {
      const error = thrownBy(() => loose.signal?.('SIGINT', ignore));
      expect(error).toMatchObject({ code: 'ERR_POLLUX_UNSUPPORTED' });
      check();
      return;
    }
    for (const bad of NOT_FUNCTIONS) {
      expectRefusal(() => loose.signal?.('SIGINT', bad), type('callback'));
    }
    for (const bad of NOT_OBJECTS) {
      expectRefusal(() => loose.signal?.('SIGINT', ignore, bad), type('options'));
    }
    for (const bad of NOT_PRIORITIES) {
      const options = { priority: bad };
      expectRefusal(() => loose.signal?.('SIGINT', ignore, options), range('options.priority'));
    }
    check();
    expect(listeners()).toEqual(before);
  });

  test('child', () => {
    using driven = new DrivenReactor(row);
    const { loose, check } = untouched(driven);
    for (const bad of NOT_NUMBERS) expectRefusal(() => loose.child?.(bad, ignore), type('pid'));
    for (const bad of [...NOT_INTEGERS, 0, -1, 2 ** 31]) {
      expectRefusal(() => loose.child?.(bad, ignore), range('pid'));
    }
    for (const bad of NOT_FUNCTIONS) {
      expectRefusal(() => loose.child?.(process.pid, bad), type('callback'));
    }
    for (const bad of NOT_OBJECTS) {
      expectRefusal(() => loose.child?.(process.pid, ignore, bad), type('options'));
    }
    for (const bad of NOT_BOOLEANS) {
      const options = { reap: bad };
      expectRefusal(() => loose.child?.(process.pid, ignore, options), type('options.reap'));
    }
    for (const bad of NOT_SIGNALS) {
      const options = { signal: bad };
      expectRefusal(() => loose.child?.(process.pid, ignore, options), type('options.signal'));
    }
    if (process.platform === 'linux') {
      const error = thrownBy(() => loose.child?.(2 ** 31 - 1, ignore));
      expect(error).toMatchObject({ code: 'ESRCH' });
    }
    check();
  });

  test('stop, run and runSync', () => {
    using driven = new DrivenReactor(row);
    const { loose, check } = untouched(driven);
    for (const bad of NOT_NUMBERS.slice(1)) expectRefusal(() => loose.stop?.(bad), type('afterMs'));
    for (const bad of [Number.NaN, -1]) expectRefusal(() => loose.stop?.(bad), range('afterMs'));
    const [method, code] =
      row.way === 'blocking' ? ['run', 'ERR_POLLUX_BLOCKING'] : ['runSync', 'ERR_POLLUX_ATTACHED'];
    expect(thrownBy(() => loose[method]?.())).toMatchObject({ code });
    expect(driven.reactor.stopped).toBe(false);
    check();
  });

  test('the reactor’s budget and report of slow callbacks', () => {
    const before = openFds();
    const make = (options: unknown) => () =>
      new Reactor({ backend: row.backend, ...(options as ReactorOptions) });
    for (const bad of NOT_OBJECTS) expectRefusal(make({ budget: bad }), type('options.budget'));
    for (const bad of NOT_NUMBERS.slice(1)) {
      expectRefusal(make({ budget: { callbacks: bad } }), type('options.budget.callbacks'));
      expectRefusal(make({ budget: { timeMs: bad } }), type('options.budget.timeMs'));
      expectRefusal(make({ slowCallbackMs: bad }), type('options.slowCallbackMs'));
    }
    for (const bad of NOT_POSITIVE) {
      expectRefusal(make({ budget: { callbacks: bad } }), range('options.budget.callbacks'));
      expectRefusal(make({ budget: { timeMs: bad } }), range('options.budget.timeMs'));
      expectRefusal(make({ slowCallbackMs: bad }), range('options.slowCallbackMs'));
    }
    expect(openFds()).toEqual(before);
  });

  test('what the poller refuses: nothing was opened, so nothing is closed', (context) => {
    context.skip(process.platform !== 'linux', 'pidfd is Linux only');
    using poller = createPoller({ backend: row.backend, ignoreEnvironment: true });
    using driven = new DrivenReactor(row, { poller });
    const [fd] = fds.trackAll(pipe());
    const { check } = untouched(driven);
    const refusal = new Error('no room');
    vi.spyOn(poller, 'add').mockImplementation(() => {
      throw refusal;
    });
    const told: unknown[] = [];
    const onMessage = (message: unknown): unknown => told.push(message);
    const names = ['pollux:watcher:open', 'pollux:watcher:close'];
    for (const name of names) subscribe(name, onMessage);
    try {
      for (const use of [
        () => driven.reactor.watch(fd, readable, ignore, { timeoutMs: 5 }),
        () => driven.reactor.watch(fd, readable),
        // Its pidfd is closed, and once.
        () => driven.reactor.child(process.pid, ignore),
      ]) {
        expect(thrownBy(use)).toBe(refusal);
      }
    } finally {
      for (const name of names) unsubscribe(name, onMessage);
    }
    expect(told).toEqual([]);
    check();
  });
});

/** Methods that take anything, bound to their object. */
function bound(object: object): Loose {
  const methods = object as Loose;
  return Object.fromEntries(
    ['add', 'modify', 'delete', 'drive'].map((name) => [
      name,
      (...args: unknown[]) => methods[name]?.(...args),
    ]),
  );
}
