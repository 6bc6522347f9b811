// Watchers of one descriptor: any number of them, each with its own interest, on one registration.
import { createPoller, Events, Interest } from '@pollux/core';
import { close, pipe, read, shutdown, socketpair, write } from '@pollux/testkit';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test, vi } from 'vitest';
import { countedFds, insideTurn, readyPipes } from './reactor-support.js';

const { readable, writable } = Interest;

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  test('a level watcher is called as long as its condition holds', async () => {
    using driven = new DrivenReactor(row);
    const [reader, writer] = fds.trackAll(pipe());
    const calls: [number, unknown][] = [];
    const watcher = driven.reactor.watch(reader, readable, (...call) => calls.push(call));
    await driven.during(10);
    expect(calls).toEqual([]);
    write(writer, 'x');
    await driven.until(() => calls.length >= 3);
    expect(calls.every(([events, self]) => events === readable && self === watcher)).toBe(true);
    read(reader);
    // A report of the byte may be on its way from the wait thread, in the turn of this at the latest.
    await insideTurn(driven, () => {});
    const before = calls.length;
    await driven.during(20);
    expect(calls.length).toBe(before);
  });

  test('a watcher tells what it was made with', () => {
    using driven = new DrivenReactor(row);
    const [reader] = fds.trackAll(pipe());
    const watcher = driven.reactor.watch(reader, readable, () => {}, { mode: 'oneshot' });
    expect(watcher).toMatchObject({ fd: reader, interest: readable, mode: 'oneshot' });
    expect(watcher).toMatchObject({ exclusive: false, active: true, closed: false });
    watcher.close();
    watcher.close();
    expect(watcher).toMatchObject({ fd: reader, interest: readable, active: false, closed: true });
  });

  test('several watchers of one descriptor are called in the order they were made', async () => {
    using driven = new DrivenReactor(row);
    const [reader] = readyPipes(fds, 1) as [number];
    const order: number[] = [];
    await insideTurn(driven, () => {
      for (const n of [1, 2, 3]) {
        driven.reactor.watch(reader, readable, (_events, watcher) => {
          order.push(n);
          watcher.pause();
        });
      }
    });
    await driven.until(() => order.length >= 3);
    await driven.during(10);
    expect(order).toEqual([1, 2, 3]);
  });

  test('a reader and a writer share one registration, and each hears of its own', async () => {
    const poller = createPoller({ backend: row.backend, ignoreEnvironment: true });
    const add = vi.spyOn(poller, 'add');
    const remove = vi.spyOn(poller, 'delete');
    {
      using driven = new DrivenReactor(row, { poller });
      const [first, second] = fds.trackAll(socketpair());
      const heard = { reader: new Set<number>(), writer: new Set<number>() };
      const reader = driven.reactor.watch(first, readable, (events) => heard.reader.add(events));
      const writer = driven.reactor.watch(first, writable, (events) => heard.writer.add(events));
      await driven.until(() => heard.writer.size > 0);
      await driven.during(10);
      expect(heard.reader.size).toBe(0);
      write(second, 'x');
      await driven.until(() => heard.reader.size > 0);
      expect(heard).toEqual({ reader: new Set([readable]), writer: new Set([writable]) });

      writer.close();
      heard.reader.clear();
      heard.writer.clear();
      await driven.until(() => heard.reader.size > 0);
      expect(heard.writer.size).toBe(0);
      expect(add).toHaveBeenCalledTimes(1);
      expect(remove).not.toHaveBeenCalled();
      reader.close();
      expect(remove).toHaveBeenCalledTimes(1);
      // It is gone from the poller too: it can be added to it by hand.
      poller.add(first, readable, 1);
      poller.delete(first);
    }
    poller.close();
  });

  test('hints are given with what was asked for, and to nobody else', async () => {
    using driven = new DrivenReactor(row);
    const { earlyClose } = driven.reactor.poller.capabilities;
    const [first, second] = fds.trackAll(socketpair());
    shutdown(second, 'write');
    let reader = 0;
    let writer = 0;
    driven.reactor.watch(first, readable, (events) => {
      reader |= events;
    });
    driven.reactor.watch(first, writable, (events) => {
      writer |= events;
    });
    await driven.until(() => reader !== 0 && writer !== 0);
    expect(reader).toBe(earlyClose ? Events.readable | Events.readClosed : Events.readable);
    expect(writer).toBe(Events.writable);
  });

  test('a hangup calls a reader, an error a writer', async () => {
    using driven = new DrivenReactor(row);
    const [reader, closedLater] = pipe();
    const [closedLaterToo, writer] = pipe();
    fds.trackAll([reader, writer]);
    let atReader = 0;
    let atWriter = 0;
    driven.reactor.watch(reader, readable, (events) => {
      atReader |= events;
    });
    close(closedLater);
    close(closedLaterToo);
    driven.reactor.watch(writer, writable, (events) => {
      atWriter |= events;
    });
    await driven.until(() => atReader !== 0 && atWriter !== 0);
    expect(atReader & readable).toBe(readable);
    expect(atWriter & writable).toBe(writable);
  });

  test('without interest, or paused, not even a hangup is heard', async () => {
    using driven = new DrivenReactor(row);
    const [first, firstWriter] = pipe();
    const [second, secondWriter] = pipe();
    fds.trackAll([first, second]);
    const called = new Set<string>();
    const mute = driven.reactor.watch(first, 0, () => called.add('mute'));
    const paused = driven.reactor.watch(second, readable, () => called.add('paused'));
    paused.pause();
    paused.pause();
    expect(paused.active).toBe(false);
    for (const fd of [firstWriter, secondWriter]) {
      write(fd, 'x');
      close(fd);
    }
    await driven.during(20);
    expect([...called]).toEqual([]);

    mute.update(readable);
    paused.resume();
    paused.resume();
    expect(mute.interest).toBe(readable);
    await driven.until(() => called.size === 2);

    mute.update(0);
    paused.pause();
    called.clear();
    await driven.during(20);
    expect([...called]).toEqual([]);
  });

  test('update changes what a watcher hears of, and ends a pause', async () => {
    using driven = new DrivenReactor(row);
    const [first, second] = fds.trackAll(socketpair());
    write(second, 'x');
    let heard = 0;
    const watcher = driven.reactor.watch(first, readable, (events) => {
      heard |= events;
    });
    for (const interest of [readable, writable, readable | writable]) {
      watcher.update(interest);
      heard = 0;
      await driven.until(() => heard !== 0);
      await driven.during(5);
      expect(heard).toBe(interest);
      watcher.pause();
    }
    watcher.update(readable);
    expect(watcher.active).toBe(true);
    heard = 0;
    await driven.until(() => heard !== 0);
  });

  test('a watcher made for one more interest does not disturb the others', async () => {
    using driven = new DrivenReactor(row);
    const [first, second] = fds.trackAll(socketpair());
    let reads = 0;
    driven.reactor.watch(first, readable, () => {
      reads += 1;
      read(first);
    });
    for (let round = 1; round <= 20; round++) {
      let writes = 0;
      const writer = driven.reactor.watch(first, writable, () => {
        writes += 1;
      });
      write(second, 'x');
      await driven.until(() => reads === round && writes > 0);
      writer.close();
    }
  });
});
