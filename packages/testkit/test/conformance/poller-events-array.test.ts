// `events` is an ordinary Uint32Array of JavaScript's, and may be transferred to another thread. The
// poller notices, says so once, and goes on with a new one; it never writes into what is not its own
// any more.
import { createPoller, Interest } from '@pollux/core';
import { eventfd, write } from '@pollux/testkit';
import {
  attachedCases,
  backends,
  checkLeaks,
  DrivenPoller,
  Scene,
} from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { readyPipe, refused } from './poller-support.js';

const { readable } = Interest;
checkLeaks();

const transfer = (events: Uint32Array) =>
  structuredClone(events, { transfer: [events.buffer as ArrayBuffer] });

describe.each(backends)('%s', (backend) => {
  const open = () => createPoller({ backend, ignoreEnvironment: true });

  test('transferred away: one error, then it works as before', () => {
    using scene = new Scene();
    using poller = open();
    poller.add(readyPipe(scene)[0], readable, 7);
    expect(poller.wait(0)).toBe(1);
    for (let i = 0; i < 3; i++) {
      const { events } = poller;
      const moved = transfer(events);
      expect(events).toHaveLength(0);
      expect([...moved.subarray(0, 2)]).toEqual([7, 1]);
      expect(() => poller.wait(0)).toThrow(refused('ERR_POLLUX_EVENTS_DETACHED'));
      expect(poller.events === events).toBe(false);
      expect(poller.events).toHaveLength(moved.length);
      expect(poller.wait(0)).toBe(1);
      expect([...poller.events.subarray(0, 2)]).toEqual([7, 1]);
      moved.fill(0);
      expect(poller.wait(0)).toBe(1);
      expect([...moved.subarray(0, 2)]).toEqual([0, 0]);
    }
  });

  test('nothing is lost by it: neither a notify nor a oneshot', () => {
    using scene = new Scene();
    using poller = open();
    poller.add(readyPipe(scene)[0], readable, 7, { mode: 'oneshot' });
    poller.notify();
    transfer(poller.events);
    expect(() => poller.wait(0)).toThrow(refused('ERR_POLLUX_EVENTS_DETACHED'));
    expect(poller.wait(0)).toBe(1);
    expect(poller.counters().wakeups).toBe(1);
  });

  test('changes of registrations do not mind', () => {
    using scene = new Scene();
    using poller = open();
    const [reader] = readyPipe(scene);
    poller.add(reader, readable, 7);
    expect(poller.wait(0)).toBe(1);
    transfer(poller.events);
    poller.modify(reader, readable, 8);
    poller.delete(reader);
    poller.add(reader, readable, 9);
    expect(() => poller.wait(0)).toThrow(refused('ERR_POLLUX_EVENTS_DETACHED'));
    expect(poller.wait(0)).toBe(1);
    expect(poller.events[0]).toBe(9);
  });

  test('one that had grown is replaced by one as large', () => {
    using scene = new Scene();
    using poller = open();
    for (let key = 0; key < 300; key++) poller.add(scene.fds.track(eventfd(1)), readable, key);
    poller.wait(0);
    poller.wait(0);
    const grown = poller.events.length;
    expect(grown).toBe(1024);
    transfer(poller.events);
    expect(() => poller.wait(0)).toThrow(refused('ERR_POLLUX_EVENTS_DETACHED'));
    expect(poller.wait(0)).toBe(300);
    expect(poller.events).toHaveLength(grown);
  });

  test('what a user writes into it confuses nobody', () => {
    using scene = new Scene();
    using poller = open();
    const [reader] = readyPipe(scene);
    poller.add(reader, readable, 7);
    poller.events.fill(2 ** 32 - 1);
    expect(poller.wait(0)).toBe(1);
    expect([...poller.events.subarray(0, 2)]).toEqual([7, 1]);
    poller.delete(reader);
    expect(poller.wait(0)).toBe(0);
  });
});

describe.each(attachedCases)('$backend, $way', (row) => {
  test('attached: survives, before and after arming, also when it had to grow', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const { poller } = driven;
    const fds = Array.from({ length: 300 }, () => scene.fds.track(eventfd(0)));
    for (const [key, fd] of fds.entries()) poller.add(fd, readable, key);
    const cycle = driven.once(60_000);
    transfer(poller.events);
    write(fds[5]!, new Uint8Array(BigUint64Array.of(1n).buffer));
    expect(await cycle).toBe(1);
    expect(driven.records(1)).toEqual([{ key: 5, events: readable }]);
    transfer(poller.events);
    expect(await driven.keys(0)).toEqual([5]);

    for (const fd of fds) write(fd, new Uint8Array(BigUint64Array.of(1n).buffer));
    const served = new Set<number>();
    for (let waits = 0; served.size < 300 && waits < 4; waits++) {
      const next = driven.once(5000);
      transfer(poller.events);
      for (const { key } of driven.records(await next)) served.add(key);
    }
    expect(served.size).toBe(300);
  });
});
