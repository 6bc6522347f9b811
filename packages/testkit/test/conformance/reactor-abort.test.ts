// `signal` in the options of everything that a reactor hands out: an abort is a close, at once and in
// the middle of a batch; one that was aborted before is thrown, and nothing was begun; and whatever is
// closed is forgotten by the signal.
import { getEventListeners } from 'node:events';
import { Interest, type Reactor } from '@pollux/core';
import { openFds, pipe, write } from '@pollux/testkit';
import { attachedCases, cases, DrivenReactor } from '@pollux/testkit/conformance';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { countedFds, insideTurn, readyPipes, thrownBy, turnsIn } from './reactor-support.js';

const { readable } = Interest;
const ignore = (): void => {};

interface Made {
  readonly closed: boolean;
  close(): void;
}
type Make = (reactor: Reactor, fd: number, signal: AbortSignal, call: () => void) => Made;

/** Each is certain to call, soon and again and again, unless it is closed. */
const makers: Record<string, Make> = {
  watch: (reactor, fd, signal, call) => reactor.watch(fd, readable, call, { signal }),
  'watch, oneshot': (reactor, fd, signal, call) =>
    reactor.watch(fd, readable, call, { signal, mode: 'oneshot' }),
  'watch, timeout': (reactor, _fd, signal, call) =>
    // Itself: readable for whoever asks for that, and silent for this.
    reactor.watch(_fd, 0, call, { signal, timeoutMs: 1 }),
  timer: (reactor, _fd, signal, call) => reactor.timer(0, call, { signal }),
  'timer, repeating': (reactor, _fd, signal, call) =>
    reactor.timer(1, call, { signal, repeat: true }),
  at: (reactor, _fd, signal, call) => reactor.at(Date.now(), call, { signal }),
  prepare: (reactor, _fd, signal, call) => reactor.prepare(call, { signal }),
  check: (reactor, _fd, signal, call) => reactor.check(call, { signal }),
  idle: (reactor, _fd, signal, call) => reactor.idle(call, { signal }),
  batch: (reactor, fd, signal, call) => {
    const batch = reactor.batch(call, { signal });
    batch.add(fd, readable, 1);
    return batch;
  },
  stream: (reactor, fd, signal, call) => {
    const stream = reactor.watch(fd, readable, { signal });
    void stream.next().then(call, ignore);
    return stream;
  },
};
const each = Object.entries(makers);
const once = new Set(['timer', 'at']);

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  describe.each(each)('%s', (name, make) => {
    test('aborted before: its reason is thrown, and there is no trace', () => {
      using driven = new DrivenReactor(row);
      const { reactor } = driven;
      const [fd] = readyPipes(fds, 1) as [number];
      const before = { fds: openFds(), dump: reactor.dump() };
      for (const reason of [new Error('mine'), 'a string', undefined]) {
        const signal = AbortSignal.abort(reason);
        let thrown: unknown;
        try {
          make(reactor, fd, signal, ignore);
        } catch (error) {
          thrown = error;
        }
        expect(thrown).toBe(signal.reason);
        expect(getEventListeners(signal, 'abort')).toEqual([]);
      }
      // Not even the driver was started.
      expect(openFds()).toEqual(before.fds);
      expect(reactor.dump()).toEqual(before.dump);
      expect(reactor.alive).toBe(false);
      expect(reactor.stats()).toMatchObject({ watchers: 0, timers: 0 });
    });

    test('an abort closes it: no calls from there on', async () => {
      using driven = new DrivenReactor(row);
      const [fd] = readyPipes(fds, 1) as [number];
      const controller = new AbortController();
      let calls = 0;
      const made = make(driven.reactor, fd, controller.signal, () => calls++);
      // A hook is there in a turn only, and something must take turns.
      driven.reactor.timer(1, ignore, { repeat: true });
      // One that calls once is aborted before it does.
      if (!once.has(name)) await driven.until(() => calls > 0);
      controller.abort();
      expect(made.closed).toBe(true);
      calls = 0;
      await driven.during(10);
      expect(calls).toBe(0);
      expect(driven.reactor.stats()).toMatchObject({ watchers: 0, timers: 1 });
      expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    });

    test('closed first: the signal has forgotten it', () => {
      using driven = new DrivenReactor(row);
      const [fd] = readyPipes(fds, 1) as [number];
      const controller = new AbortController();
      const made = make(driven.reactor, fd, controller.signal, ignore);
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
      made.close();
      expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
      controller.abort();
      expect(made.closed).toBe(true);
    });

    test('the reactor closed first, likewise', () => {
      using driven = new DrivenReactor(row);
      const [fd] = readyPipes(fds, 1) as [number];
      const controller = new AbortController();
      make(driven.reactor, fd, controller.signal, ignore);
      driven.close();
      expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
      controller.abort();
    });
  });

  test('an abort in the middle of a batch drops what was found for others, and for itself', async () => {
    using driven = new DrivenReactor(row);
    const controller = new AbortController();
    const { signal } = controller;
    const called: string[] = [];
    await insideTurn(driven, () => {
      const { reactor } = driven;
      for (const fd of readyPipes(fds, 5)) {
        const abort = (): void => {
          called.push('watcher');
          controller.abort();
        };
        reactor.watch(fd, readable, abort, { signal });
      }
      const batch = reactor.batch(() => called.push('batch'), { signal, priority: -1 });
      batch.add(readyPipes(fds, 1)[0] as number, readable, 1);
      reactor.timer(0, () => called.push('timer'), { signal });
      reactor.check((_ms, hook) => hook.close(), { signal });
    });
    await driven.until(() => called.length > 0);
    await driven.during(10);
    expect(called).toEqual(['watcher']);
    expect(driven.reactor.alive).toBe(false);
  });

  test.each([
    ['nextTick', (abort: () => void): void => process.nextTick(abort)],
    ['promise', (abort: () => void): void => void Promise.resolve().then(abort)],
  ] as const)('an abort in a %s between two callbacks', async (_name, later) => {
    using driven = new DrivenReactor(row);
    const controller = new AbortController();
    let calls = 0;
    await insideTurn(driven, () => {
      for (const fd of readyPipes(fds, 3)) {
        const callback = (): void => {
          calls++;
          later(() => controller.abort());
        };
        driven.reactor.watch(fd, readable, callback, { signal: controller.signal });
      }
    });
    await driven.until(() => calls > 0);
    await driven.during(10);
    expect(calls).toBe(1);
  });

  test('who waits for a stream is told the reason; a stream that was closed is done', async () => {
    using driven = new DrivenReactor(row);
    const [reader] = fds.trackAll(pipe());
    const controller = new AbortController();
    const { signal } = controller;
    const waiting = driven.reactor.watch(reader, readable, { signal });
    const resting = driven.reactor.watch(reader, readable, { signal });
    const closed = driven.reactor.watch(reader, readable, { signal });
    closed.close();
    const results = Promise.allSettled([waiting.next(), waiting.next()]);
    const reason = new Error('enough');
    controller.abort(reason);
    expect(await results).toEqual(Array(2).fill({ status: 'rejected', reason }));
    await expect(waiting.next()).rejects.toBe(reason);
    await expect(resting.next()).rejects.toBe(reason);
    expect(await closed.next()).toEqual({ done: true, value: undefined });
    const loop = async (): Promise<void> => {
      for await (const _ of resting) throw new Error('a step too many');
    };
    await expect(loop()).rejects.toBe(reason);
    expect(driven.reactor.alive).toBe(false);
  });

  test('AbortSignal.timeout and AbortSignal.any', async () => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    const controller = new AbortController();
    const any = AbortSignal.any([controller.signal, AbortSignal.timeout(60_000)]);
    let calls = 0;
    const first = driven.reactor.watch(fd, readable, () => calls++, { signal: any });
    const second = driven.reactor.timer(60_000, ignore, { signal: AbortSignal.timeout(5) });
    await driven.until(() => calls > 0 && second.closed);
    controller.abort();
    expect(first.closed).toBe(true);
    expect(driven.reactor.alive).toBe(false);
  });

  test('a timer that has fired is not kept by its signal; started again, it heeds it again', async () => {
    using driven = new DrivenReactor(row);
    const controller = new AbortController();
    const { signal } = controller;
    let calls = 0;
    const timer = driven.reactor.timer(0, () => calls++, { signal });
    await driven.until(() => calls === 1);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    timer.again(1);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    timer.again(60_000);
    controller.abort();
    expect(timer.closed).toBe(true);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('aborted after it fired: a timer cannot be started again', async () => {
    using driven = new DrivenReactor(row);
    const controller = new AbortController();
    let calls = 0;
    const timer = driven.reactor.timer(0, () => calls++, { signal: controller.signal });
    await driven.until(() => calls === 1);
    controller.abort();
    expect(thrownBy(() => timer.again(0))).toMatchObject({ code: 'ERR_POLLUX_CLOSED' });
    expect(timer.closed).toBe(true);
    expect(driven.reactor.alive).toBe(false);
  });

  describe('a hundred handles on one signal', () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error): unknown => warnings.push(warning);
    beforeEach(() => {
      warnings.length = 0;
      process.on('warning', onWarning);
    });
    afterEach(() => {
      process.removeListener('warning', onWarning);
    });

    test('one listener, no warning, and all of them closed by one abort', async () => {
      using driven = new DrivenReactor(row);
      const controller = new AbortController();
      const made: Made[] = [];
      for (let n = 0; n < 10; n++) {
        for (const [name, make] of each) {
          // A batch shares its descriptor with nobody.
          const [fd] = readyPipes(fds, 1) as [number];
          made.push(make(driven.reactor, fd, controller.signal, ignore));
          expect(made.at(-1)?.closed, name).toBe(false);
        }
      }
      expect(made.length).toBeGreaterThanOrEqual(100);
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
      controller.abort();
      expect(made.every(({ closed }) => closed)).toBe(true);
      expect(driven.reactor.alive).toBe(false);
      await driven.during(5);
      expect(warnings).toEqual([]);
    });

    test('made and closed one after the other: nothing stays', async () => {
      using driven = new DrivenReactor(row);
      const [fd] = readyPipes(fds, 1) as [number];
      const { signal } = new AbortController();
      for (let n = 0; n < 100; n++) {
        for (const [, make] of each) make(driven.reactor, fd, signal, ignore).close();
      }
      expect(getEventListeners(signal, 'abort')).toEqual([]);
      await driven.during(5);
      expect(warnings).toEqual([]);
    });
  });

  test('one reactor’s handles and another’s on one signal', () => {
    using driven = new DrivenReactor(row);
    using other = new DrivenReactor(row);
    const controller = new AbortController();
    const { signal } = controller;
    const mine = driven.reactor.timer(60_000, ignore, { signal });
    const theirs = other.reactor.timer(60_000, ignore, { signal });
    other.close();
    expect([mine.closed, theirs.closed]).toEqual([false, true]);
    controller.abort();
    expect(mine.closed).toBe(true);
  });

  test('an abort of what waits leaves the reactor at rest', async () => {
    using driven = new DrivenReactor(row);
    const [reader, writer] = fds.trackAll(pipe());
    const controller = new AbortController();
    const watcher = driven.reactor.watch(reader, readable, ignore, { signal: controller.signal });
    await driven.during(5);
    controller.abort();
    expect(thrownBy(() => watcher.resume())).toMatchObject({ code: 'ERR_POLLUX_CLOSED' });
    write(writer, 'x');
    await driven.during(5);
    expect(await turnsIn(driven, 20)).toBeLessThan(5);
  });
});

describe.each(attachedCases)('$backend, $way: signals and children', (row) => {
  countedFds();

  test('SIGINT: aborted before, and later', () => {
    using driven = new DrivenReactor(row);
    const before = process.listenerCount('SIGINT');
    const reason = new Error('mine');
    const watch = (signal: AbortSignal) => driven.reactor.signal('SIGINT', ignore, { signal });
    expect(thrownBy(() => watch(AbortSignal.abort(reason)))).toBe(reason);
    expect(process.listenerCount('SIGINT')).toBe(before);
    const controller = new AbortController();
    const watcher = watch(controller.signal);
    expect(process.listenerCount('SIGINT')).toBe(before + 1);
    controller.abort();
    expect(watcher.closed).toBe(true);
    expect(process.listenerCount('SIGINT')).toBe(before);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  test('a child: aborted before, and later', (context) => {
    using driven = new DrivenReactor(row);
    context.skip(process.platform !== 'linux', 'pidfd is Linux only');
    const reason = new Error('mine');
    const before = openFds();
    const watch = (signal: AbortSignal) => driven.reactor.child(process.pid, ignore, { signal });
    expect(thrownBy(() => watch(AbortSignal.abort(reason)))).toBe(reason);
    expect(openFds()).toEqual(before);
    const controller = new AbortController();
    const watcher = watch(controller.signal);
    const open = openFds();
    controller.abort();
    expect(watcher.closed).toBe(true);
    expect(driven.reactor.alive).toBe(false);
    expect(openFds()).toHaveLength(open.length - 1);
  });
});
