// One turn: what the system has, then timers, then deferred calls. And `turn()`, the turn of a
// blocking reactor: what it waits for, what it returns, where it is refused.
import { createPoller, Interest, Reactor, type ReactorOptions, wake } from '@pollux/core';
import { pipe, writeLater } from '@pollux/testkit';
import { backends, cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, insideTurn, macrotask, readyPipes, thrownBy } from './reactor-support.js';

const { readable } = Interest;
const ignore = (): void => {};

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  test('watchers, then timers, then deferred calls, whatever order they were made in', async () => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    const order: string[] = [];
    await insideTurn(driven, () => {
      driven.reactor.timer(0, () => {
        order.push('timer');
        driven.reactor.defer(() => order.push('deferred'));
      });
      driven.reactor.watch(fd, readable, (_events, watcher) => {
        order.push('watcher');
        watcher.close();
      });
    });
    await driven.until(() => order.length === 3);
    expect(order).toEqual(['watcher', 'timer', 'deferred']);
  });

  test('a batch is delivered whole in one turn', async () => {
    using driven = new DrivenReactor(row);
    const turns: number[] = [];
    let calls = 0;
    await insideTurn(driven, () => {
      for (const fd of readyPipes(fds, 100)) {
        driven.reactor.watch(fd, readable, (_events, watcher) => {
          watcher.close();
          if (calls++ === 0) driven.reactor.defer(() => turns.push(calls));
        });
      }
    });
    await driven.until(() => turns.length === 1);
    expect(turns).toEqual([100]);
  });

  test('a wait of the poller by hand is refused while it is attached', () => {
    using driven = new DrivenReactor(row);
    driven.reactor.timer(60_000, ignore);
    if (row.way === 'blocking') expect(driven.reactor.poller.wait(0)).toBe(0);
    else {
      const error = thrownBy(() => driven.reactor.poller.wait(0));
      expect(error).toMatchObject({ name: 'PolluxError', code: 'ERR_POLLUX_ATTACHED' });
    }
  });

  test('turn() of an attached reactor is refused', () => {
    if (row.way === 'blocking') return;
    using driven = new DrivenReactor(row);
    for (const timeout of [undefined, 0, 10]) {
      const error = thrownBy(() => driven.reactor.turn(timeout));
      expect(error).toMatchObject({ name: 'PolluxError', code: 'ERR_POLLUX_ATTACHED' });
    }
  });
});

describe.each(backends)('turn() on %s', (backend) => {
  const fds = countedFds();
  const open = (options: ReactorOptions = {}): Reactor => {
    const reactor = new Reactor({ backend, ignoreEnvironment: true, mode: 'blocking', ...options });
    expect([reactor.backend, reactor.driver]).toEqual([backend, 'blocking']);
    return reactor;
  };

  test('returns how many callbacks ran, of every kind', () => {
    using reactor = open();
    expect(reactor.turn(0)).toBe(0);
    const [first, second] = readyPipes(fds, 2) as [number, number];
    reactor.watch(first, readable, ignore);
    reactor.watch(first, readable, ignore);
    reactor.watch(second, readable, (_events, watcher) => watcher.close());
    expect(reactor.turn(0)).toBe(3);
    reactor.timer(0, ignore);
    reactor.timer(0, ignore);
    reactor.timer(60_000, ignore);
    reactor.defer(ignore);
    reactor.defer(() => reactor.defer(ignore));
    expect(reactor.turn()).toBe(2 + 2 + 2);
    expect(reactor.turn(60_000)).toBe(2 + 1);
    expect(reactor.turn(0)).toBe(2);
  });

  test('ends with its timeout, and never before it', () => {
    using reactor = open();
    reactor.timer(60_000, ignore);
    for (const timeout of [0, 0.3, 1.7, 12, 230]) {
      const start = performance.now();
      expect(reactor.turn(timeout)).toBe(0);
      expect(performance.now() - start).toBeGreaterThanOrEqual(timeout);
    }
  });

  test('ends when a timer is due, a descriptor is ready, or there is a deferred call', () => {
    using reactor = open();
    reactor.timer(3, ignore);
    expect(reactor.turn()).toBe(1);
    reactor.timer(3, ignore);
    expect(reactor.turn(Number.POSITIVE_INFINITY)).toBe(1);
    const [reader, writer] = fds.trackAll(pipe());
    using _watcher = reactor.watch(reader, readable, ignore);
    writeLater(writer, 'x', 5);
    expect(reactor.turn()).toBe(1);
  });

  test('ends on a notify, from this thread or another, without a callback', () => {
    using reactor = open();
    reactor.poller.notify();
    reactor.poller.notify();
    expect(reactor.turn()).toBe(0);
    expect(reactor.turn(0)).toBe(0);
    expect(wake(reactor.poller.waker)).toBe(true);
    expect(reactor.turn()).toBe(0);
  });

  test('inside a callback of any kind, or what runs between two, is refused', async () => {
    using reactor = open();
    const [fd] = readyPipes(fds, 1) as [number];
    const codes: Record<string, string | undefined> = {};
    const nested = (where: string) => (): void => {
      codes[where] = thrownBy(() => reactor.turn(0)).code;
    };
    reactor.watch(fd, readable, (_events, watcher) => {
      nested('watcher')();
      process.nextTick(nested('nextTick'));
      queueMicrotask(nested('promise'));
      watcher.close();
    });
    reactor.timer(0, nested('timer'));
    reactor.defer(nested('deferred'));
    expect(await macrotask(() => reactor.turn(0))).toBe(3);
    const code = 'ERR_POLLUX_NESTED';
    expect(codes).toEqual({
      watcher: code,
      nextTick: code,
      promise: code,
      timer: code,
      deferred: code,
    });
    expect(reactor.turn(0)).toBe(0);
  });

  test('what the last callback queued has run when it returns, and does not change the count', async () => {
    using reactor = open();
    const [fd] = readyPipes(fds, 1) as [number];
    const ran: (string | undefined)[] = [];
    const watcher = reactor.watch(fd, readable, () => {
      process.nextTick(() => {
        watcher.close();
        // It still belongs to the turn.
        ran.push(thrownBy(() => reactor.turn(0)).code);
      });
    });
    expect(await macrotask(() => reactor.turn(0))).toBe(1);
    expect(ran).toEqual(['ERR_POLLUX_NESTED']);
    expect(reactor.turn(0)).toBe(0);
  });

  test('a turn that could not wait leaves the reactor usable', () => {
    using poller = createPoller({ backend, ignoreEnvironment: true });
    using reactor = open({ poller });
    const [fd] = readyPipes(fds, 1) as [number];
    reactor.watch(fd, readable, ignore);
    structuredClone(poller.events, { transfer: [poller.events.buffer as ArrayBuffer] });
    expect(thrownBy(() => reactor.turn(0)).code).toBe('ERR_POLLUX_EVENTS_DETACHED');
    expect(reactor.turn(0)).toBe(1);
    expect(thrownBy(() => reactor.turn(-1)).code).toBe('ERR_OUT_OF_RANGE');
    expect(reactor.turn(0)).toBe(1);
  });

  test('more ready descriptors than one batch holds are all served', () => {
    using reactor = open();
    const called = new Set<number>();
    for (const fd of readyPipes(fds, 400)) reactor.watch(fd, readable, () => called.add(fd));
    for (let turns = 0; called.size < 400 && turns < 10; turns++) reactor.turn(0);
    expect(called.size).toBe(400);
  });
});
