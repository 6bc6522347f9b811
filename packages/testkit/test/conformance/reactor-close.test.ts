// Closing a reactor: from outside, from each kind of callback, with what it was given and what it
// made itself.
import { createPoller, Interest, type Reactor } from '@pollux/core';
import { close, pipe, read, write } from '@pollux/testkit';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, insideTurn, readyPipes, thrownBy } from './reactor-support.js';

const { readable } = Interest;
const ignore = (): void => {};

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  test('closes what it has, and is idempotent', async () => {
    const driven = new DrivenReactor(row);
    const { reactor } = driven;
    const [fd] = readyPipes(fds, 1) as [number];
    const called: string[] = [];
    const watcher = reactor.watch(fd, readable, () => called.push('watcher'));
    const timer = reactor.timer(0, () => called.push('timer'));
    const repeating = reactor.timer(1, () => called.push('repeating'), { repeat: true });
    reactor.defer(() => called.push('deferred'));
    expect(reactor.closed).toBe(false);
    reactor.close();
    reactor.close();
    expect(reactor.closed).toBe(true);
    expect([watcher, timer, repeating].map(({ closed }) => closed)).toEqual([true, true, true]);
    expect(reactor.alive).toBe(false);
    await driven.during(10);
    expect(called).toEqual([]);
    // The descriptor is the caller's.
    expect(read(fd)?.toString()).toBe('x');
  });

  test.each(['watcher', 'timer', 'defer'] as const)(
    'in a callback of %s: nothing runs afterwards',
    async (from) => {
      using driven = new DrivenReactor(row);
      const { reactor } = driven;
      const called: string[] = [];
      const step = (name: string) => (): void => {
        called.push(name);
        if (name === from) reactor.close();
      };
      await insideTurn(driven, () => {
        for (const fd of readyPipes(fds, 3)) {
          reactor.watch(fd, readable, step('watcher'));
          reactor.watch(fd, readable, step('watcher'));
        }
        for (let n = 0; n < 3; n++) reactor.timer(0, step('timer'));
        for (let n = 0; n < 3; n++) {
          reactor.watch(readyPipes(fds, 1)[0] as number, readable, (_events, watcher) => {
            watcher.close();
            if (!reactor.closed) reactor.defer(step('defer'));
          });
        }
      });
      await driven.until(() => reactor.closed);
      await driven.during(10);
      const phases = { watcher: 0, timer: 0, defer: 0 };
      for (const name of called) phases[name as keyof typeof phases]++;
      expect(phases[from]).toBe(1);
      if (from === 'watcher') expect([phases.timer, phases.defer]).toEqual([0, 0]);
      if (from === 'timer') expect(phases.defer).toBe(0);
    },
  );

  test('in what runs between two callbacks: nothing runs afterwards', async () => {
    using driven = new DrivenReactor(row);
    let called = 0;
    await insideTurn(driven, () => {
      for (const fd of readyPipes(fds, 5)) {
        driven.reactor.watch(fd, readable, () => {
          called++;
          process.nextTick(() => driven.close());
        });
      }
      driven.reactor.timer(0, () => called++);
    });
    await driven.until(() => driven.reactor.closed);
    await driven.during(5);
    expect(called).toBe(1);
  });

  test('a poller that was injected stays open, one that was selected is closed', async () => {
    const poller = createPoller({ backend: row.backend, ignoreEnvironment: true });
    const [fd] = readyPipes(fds, 1) as [number];
    for (let round = 0; round < 3; round++) {
      using driven = new DrivenReactor(row, { poller });
      expect(driven.reactor.poller).toBe(poller);
      let calls = 0;
      driven.reactor.watch(fd, readable, () => calls++);
      await driven.until(() => calls > 1);
      driven.close();
      // Nothing is left in it, and it is detached.
      expect(poller.wait(0)).toBe(0);
      poller.add(fd, readable, 7);
      expect(poller.wait(0)).toBe(1);
      poller.delete(fd);
    }
    poller.close();

    const driven = new DrivenReactor(row);
    driven.reactor.watch(fd, readable, ignore);
    driven.close();
    const error = thrownBy(() => driven.reactor.poller.wait(0));
    expect(error).toMatchObject({ code: 'ERR_POLLUX_CLOSED' });
  });

  test('an injected poller that was closed first is no trouble for close', () => {
    const poller = createPoller({ backend: row.backend, ignoreEnvironment: true });
    const driven = new DrivenReactor(row, { poller });
    const [fd] = readyPipes(fds, 1) as [number];
    const watcher = driven.reactor.watch(fd, readable, ignore);
    const timer = driven.reactor.timer(60_000, ignore);
    poller.close();
    const refused = [
      () => driven.reactor.watch(fd, readable, ignore),
      () => watcher.update(Interest.writable),
    ];
    for (const use of refused) expect(thrownBy(use)).toMatchObject({ code: 'ERR_POLLUX_CLOSED' });
    driven.close();
    expect([watcher.closed, timer.closed, driven.reactor.closed]).toEqual([true, true, true]);
  });

  test('using closes: the reactor, watchers, timers', async () => {
    const [reader, writer] = fds.trackAll(pipe());
    let outside: Reactor | undefined;
    let called = 0;
    {
      using driven = new DrivenReactor(row);
      using reactor = driven.reactor;
      outside = reactor;
      {
        using watcher = reactor.watch(reader, readable, () => called++);
        using timer = reactor.timer(1, () => called++);
        expect([watcher.closed, timer.closed]).toEqual([false, false]);
      }
      expect(reactor.alive).toBe(false);
      write(writer, 'x');
      await driven.during(10);
      expect(called).toBe(0);
    }
    expect(outside.closed).toBe(true);
    outside[Symbol.dispose]();
  });

  test('of two reactors in one thread one does not disturb the other', async () => {
    using first = new DrivenReactor(row);
    const second = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    const calls = [0, 0];
    first.reactor.watch(fd, readable, () => calls[0]!++);
    second.reactor.watch(fd, readable, () => calls[1]!++);
    await first.until(() => calls[0]! > 2);
    await second.until(() => calls[1]! > 2);
    second.close();
    calls.fill(0);
    await first.until(() => calls[0]! > 2);
    expect(calls[1]).toBe(0);
    // One may close the other, and be used in the other's callbacks.
    using third = new DrivenReactor(row);
    third.reactor.watch(fd, readable, () => first.close());
    await third.until(() => first.reactor.closed);
  });

  test('a reactor that was never used leaves nothing, nor do many of them', () => {
    for (let n = 0; n < 50; n++) {
      const driven = new DrivenReactor(row);
      const [reader, writer] = pipe();
      if (n % 2 === 0) driven.reactor.watch(reader, readable, ignore);
      driven.close();
      close(reader);
      close(writer);
    }
  });
});
