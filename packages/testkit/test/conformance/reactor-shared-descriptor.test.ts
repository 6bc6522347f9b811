// Several watchers of one descriptor, each with its own interest and callback: each hears of what it
// asked for, whatever the others do.
import { Events, Interest, type Watcher } from '@pollux/core';
import {
  close,
  pipe,
  read,
  recvUrgent,
  sendUrgent,
  socketpair,
  tcpPair,
  write,
} from '@pollux/testkit';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, insideTurn, readyPipes, turnsIn } from './reactor-support.js';

const { readable, writable, priority } = Interest;

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  test('reading, writing and urgent data, a callback for each', async () => {
    using driven = new DrivenReactor(row);
    const [client, server] = fds.trackAll(tcpPair());
    const heard = { reader: 0, writer: 0, urgent: 0 };
    driven.reactor.watch(client, readable, (events) => {
      heard.reader |= events;
      read(client);
    });
    driven.reactor.watch(client, writable, (events) => {
      heard.writer |= events;
    });
    driven.reactor.watch(client, priority, (events) => {
      heard.urgent |= events;
      recvUrgent(client);
    });
    await driven.until(() => heard.writer !== 0);
    expect(heard).toEqual({ reader: 0, writer: writable, urgent: 0 });
    write(server, 'x');
    await driven.until(() => heard.reader !== 0);
    expect(heard).toEqual({ reader: readable, writer: writable, urgent: 0 });
    sendUrgent(server, 7);
    await driven.until(() => heard.urgent !== 0);
    expect(heard.urgent).toBe(priority);
    expect(heard.writer).toBe(writable);
  });

  test('a conversation: the writer comes and goes, the reader stays', async () => {
    using driven = new DrivenReactor(row);
    const [first, second] = fds.trackAll(socketpair());
    let received = '';
    let answered = '';
    let queue = '';
    const writer = driven.reactor.watch(first, writable, (_events, self) => {
      write(first, queue);
      queue = '';
      self.pause();
    });
    writer.pause();
    driven.reactor.watch(first, readable, () => {
      const bytes = String(read(first));
      received += bytes;
      queue += bytes.toUpperCase();
      writer.resume();
    });
    driven.reactor.watch(second, readable, () => {
      answered += read(second);
    });
    for (const piece of ['abc', 'def', 'ghi']) {
      const length = received.length + piece.length;
      write(second, piece);
      await driven.until(() => answered.length === length);
    }
    expect([received, answered]).toEqual(['abcdefghi', 'ABCDEFGHI']);
    await driven.during(5);
    expect(await turnsIn(driven, 20)).toBeLessThan(5);
  });

  const orders = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ];
  test.each(orders)('closed in the order %i, %i, %i: the others go on', async (...order) => {
    using driven = new DrivenReactor(row);
    const [first, second] = fds.trackAll(socketpair());
    write(second, 'x');
    const interests = [readable, writable, readable | writable];
    const heard = interests.map(() => 0);
    const watchers = interests.map((interest, n) =>
      driven.reactor.watch(first, interest, (events) => {
        heard[n]! |= events;
      }),
    );
    const open = new Set(order);
    for (const n of order) {
      heard.fill(0);
      await driven.until(() => [...open].every((m) => heard[m] === interests[m]));
      watchers[n]?.close();
      open.delete(n);
      heard.fill(0);
      await driven.during(5);
      expect(heard[n]).toBe(0);
    }
    expect(driven.reactor.alive).toBe(false);
    expect(await turnsIn(driven, 20)).toBeLessThan(5);
  });

  test('one without interest does not hear of another’s hangup', async () => {
    using driven = new DrivenReactor(row);
    const [reader, writer] = pipe();
    fds.track(reader);
    let heard = 0;
    const silent: number[] = [];
    driven.reactor.watch(reader, 0, (events) => silent.push(events));
    const muted = driven.reactor.watch(reader, readable, (events) => silent.push(events));
    muted.update(0);
    driven.reactor.watch(reader, readable, (events) => {
      heard |= events;
    });
    close(writer);
    await driven.until(() => heard !== 0);
    await driven.during(5);
    expect(heard & readable).toBe(readable);
    expect(silent).toEqual([]);
  });

  test('a hangup found before the interest was taken away is not delivered', async () => {
    using driven = new DrivenReactor(row);
    const [reader, writer] = pipe();
    fds.track(reader);
    close(writer);
    const called: string[] = [];
    let second: Watcher | undefined;
    await insideTurn(driven, () => {
      driven.reactor.watch(reader, readable, (_events, self) => {
        called.push('first');
        second?.update(0);
        self.close();
      });
      second = driven.reactor.watch(reader, readable, () => called.push('second'));
    });
    await driven.until(() => called.length > 0);
    await driven.during(5);
    expect(called).toEqual(['first']);
  });

  test('a hundred of them, called in the order they were made', async () => {
    using driven = new DrivenReactor(row);
    const [reader] = readyPipes(fds, 1) as [number];
    const order: number[] = [];
    const all = Array.from({ length: 100 }, (_, n) => n);
    await insideTurn(driven, () => {
      for (const n of all) {
        driven.reactor.watch(reader, readable, (events, self) => {
          expect(events).toBe(Events.readable);
          order.push(n);
          self.close();
        });
      }
    });
    await driven.until(() => order.length === 100);
    expect(order).toEqual(all);
    expect(driven.reactor.alive).toBe(false);
  });

  test('one callback for two watchers tells them apart by its argument', async () => {
    using driven = new DrivenReactor(row);
    const [first, second] = fds.trackAll(socketpair());
    write(second, 'x');
    const heard = new Map<Watcher, number>();
    const callback = (events: number, watcher: Watcher): void => {
      heard.set(watcher, events);
    };
    const reader = driven.reactor.watch(first, readable, callback);
    const writer = driven.reactor.watch(first, writable, callback);
    await driven.until(() => heard.size === 2);
    expect([heard.get(reader), heard.get(writer)]).toEqual([readable, writable]);
  });
});
