// A descriptor that is closed while it is registered. `delete` of it is fine, nothing spins, and
// everybody else is served. What is told of the closed number differs: select and poll say once that
// it is an error, epoll is silent, for the kernel has forgotten it (docs/portability.md).
import { Events, Interest } from '@pollux/core';
import {
  close,
  closeLater,
  dupTo,
  pipe,
  raiseNofile,
  settleLater,
  tcpPair,
  write,
  writeLater,
} from '@pollux/testkit';
import {
  cases,
  checkLeaks,
  DrivenPoller,
  type Found,
  modeCases,
  Scene,
  tellsClosed,
} from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { cpuMs, expectUnknown, readyPipe } from './poller-support.js';

const { readable, writable } = Interest;
checkLeaks();

/** A number that no smaller table of descriptors has, as far as the limit allows. */
const HIGH = Math.min(raiseNofile(), 20_000) - 50;

describe.each(modeCases)('$backend, $way, $mode', ({ mode, ...row }) => {
  test('delete of a closed descriptor is fine, once', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const { poller } = driven;
    const [reader] = readyPipe(scene);
    const [other] = readyPipe(scene);
    poller.add(reader, readable, 1, { mode });
    poller.add(other, readable, 2, { mode });
    close(reader);
    poller.delete(reader);
    expectUnknown(poller, reader);
    expect(await driven.keys(0)).toEqual([2]);
  });

  test('the same when it was paused, or has fired', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const { poller } = driven;
    const [paused] = readyPipe(scene);
    const [fired] = readyPipe(scene);
    poller.add(paused, 0, 1, { mode });
    poller.add(fired, readable, 2, { mode });
    expect(await driven.keys(0)).toEqual([2]);
    for (const fd of [paused, fired]) {
      close(fd);
      poller.delete(fd);
      expectUnknown(poller, fd);
    }
    expect(await driven.keys(0)).toEqual([]);
  });

  test('without delete: told at most once, no spin, and the others are served', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const { poller } = driven;
    const [closed] = readyPipe(scene);
    const [other, writer] = scene.fds.trackAll(pipe());
    poller.add(closed, readable, 1, { mode });
    poller.add(other, readable, 2, { mode });
    close(closed);
    let told = 0;
    const spent = await cpuMs(async () => {
      for (let i = 0; i < 3; i++) {
        for (const { key, events } of await driven.poll(100)) {
          expect({ key, events }).toEqual({ key: 1, events: Events.readable | Events.error });
          told++;
        }
      }
    });
    expect(told).toBe(tellsClosed(row.backend) ? 1 : 0);
    expect(spent).toBeLessThan(100);
    expect(driven.rounds).toBeLessThan(10);
    write(writer, 'x');
    expect(await driven.keys(5000)).toEqual([2]);
    poller.delete(closed);
    expectUnknown(poller, closed);
  });
});

describe.each(cases)('$backend, $way', (row) => {
  test('closed while a wait blocks: the others end it, and it is told at most once', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [closed] = scene.fds.trackAll(tcpPair());
    const [other, writer] = scene.fds.trackAll(pipe());
    driven.poller.add(closed, readable, 1);
    driven.poller.add(other, readable, 2);
    closeLater(closed, 20);
    writeLater(writer, 'x', 60);
    const seen: Found[] = [];
    seen.push(...(await driven.poll(5000)));
    // Both have happened, however late the machine was with the threads that do them.
    settleLater();
    for (let i = 0; i < 10; i++) seen.push(...(await driven.poll(20)));
    expect(seen).toContainEqual({ key: 2, events: Events.readable });
    const told = seen.filter(({ key }) => key === 1).map(({ events }) => events);
    // The select that was under way finds the number closed and calls it readable (POLLNVAL is
    // among what it takes for that); the next one is refused with EBADF, and then we know.
    if (row.backend === 'select') {
      expect(told.slice(-1)).toEqual([Events.readable | Events.error]);
      expect(told.length).toBeLessThanOrEqual(2);
    } else {
      expect(told).toEqual(tellsClosed(row.backend) ? [Events.readable | Events.error] : []);
    }
    driven.poller.delete(closed);
  });

  test('closed numbers high and low, of many at once, hide nobody', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const { poller } = driven;
    const [reader, writer] = scene.fds.trackAll(pipe());
    const numbers = [HIGH, HIGH + 1, HIGH + 40].flatMap((high, i) => [
      scene.fds.track(dupTo(reader, high)),
      scene.fds.track(dupTo(reader, 1000 * (i + 1))),
    ]);
    for (const fd of numbers) poller.add(fd, readable, fd);
    const [closed, open] = [numbers.slice(0, 4), numbers.slice(4)];
    for (const fd of closed) close(fd);
    for (const fd of closed) if (!tellsClosed(row.backend)) poller.delete(fd);
    write(writer, 'x');
    const seen = new Map<number, number>();
    for (let i = 0; i < 5; i++)
      for (const { key, events } of await driven.poll(0))
        seen.set(key, (seen.get(key) ?? 0) | events);
    for (const fd of open) expect(seen.get(fd)).toBe(Events.readable);
    if (!tellsClosed(row.backend)) return;
    for (const fd of closed) expect(seen.get(fd)).toBe(Events.readable | Events.error);
    expect(await driven.keys(0)).toEqual(open.sort((a, b) => a - b));
    for (const fd of closed) poller.delete(fd);
  });

  test('all are closed: a wait still lasts as long as it should, and notify ends it', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const ends = scene.fds.trackAll(pipe());
    driven.poller.add(ends[0], readable, 0);
    driven.poller.add(ends[1], writable, 1);
    for (const fd of ends) close(fd);
    await driven.drain(0);
    expect(await driven.poll(30)).toEqual([]);
    driven.expectNotify = true;
    driven.poller.notify();
    expect(await driven.poll(60_000)).toEqual([]);
  });
});
