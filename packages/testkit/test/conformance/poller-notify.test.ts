// `notify` and Wakers: they end a wait from any thread, now or the next one, coalesced; they lose no
// event; and one whose poller is unknown or closed does nothing.
import { createPoller, Interest, type Waker, wake } from '@pollux/core';
import { openFds, pipe, write } from '@pollux/testkit';
import { backends, cases, checkLeaks, DrivenPoller, Scene } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { RemoteWaker, readyPipe } from './poller-support.js';

const { readable } = Interest;
checkLeaks();

describe.each(cases)('$backend, $way', (row) => {
  function notified(): DrivenPoller {
    const driven = new DrivenPoller(row);
    driven.expectNotify = true;
    return driven;
  }

  test('before a wait it ends the next one, and only that', async () => {
    using driven = notified();
    driven.poller.notify();
    expect(await driven.poll(60_000)).toEqual([]);
    const start = performance.now();
    expect(await driven.poll(30)).toEqual([]);
    expect(performance.now() - start).toBeGreaterThanOrEqual(29);
    expect(driven.poller.counters().wakeups).toBe(1);
  });

  test('a thousand before a wait are one', async () => {
    using driven = notified();
    for (let i = 0; i < 500; i++) driven.poller.notify();
    for (let i = 0; i < 500; i++) expect(wake(driven.poller.waker)).toBe(true);
    expect(await driven.poll(60_000)).toEqual([]);
    await driven.poll(10);
    expect(driven.poller.counters().wakeups).toBe(1);
  });

  test('from another worker it ends the wait under way', async () => {
    using driven = notified();
    await using remote = await RemoteWaker.start(driven.poller.waker);
    for (let i = 0; i < 20; i++) {
      remote.wake(1, i % 3);
      expect(await driven.poll()).toEqual([]);
      expect(remote.answers()).toBe(1);
    }
    expect(driven.poller.counters().wakeups).toBe(20);
  });

  test('a thousand from another worker are a few, and the last is not lost', async () => {
    using driven = notified();
    await using remote = await RemoteWaker.start(driven.poller.waker);
    remote.wake(1000, 5);
    await driven.poll();
    expect(remote.answers()).toBe(1000);
    // Whatever came after the first wakeup is at most one more wait, and then it is quiet.
    await driven.poll(0);
    const { wakeups } = driven.poller.counters();
    await driven.poll(20);
    expect(driven.poller.counters().wakeups).toBe(wakeups);
    expect(wakeups).toBeLessThanOrEqual(2);
  });

  test('with an event there is the event, at once or in the next wait', async () => {
    using scene = new Scene();
    using driven = notified();
    const [reader] = readyPipe(scene);
    driven.poller.add(reader, readable, 1, { mode: 'oneshot' });
    driven.poller.notify();
    const keys = [...(await driven.keys(0)), ...(await driven.keys(0))];
    expect(keys).toEqual([1]);
  });

  test('neither events nor notifies are lost while both keep coming', async () => {
    using scene = new Scene();
    using driven = notified();
    await using remote = await RemoteWaker.start(driven.poller.waker);
    const [reader, writer] = scene.fds.trackAll(pipe());
    driven.poller.add(reader, readable, 1, { mode: 'oneshot' });
    let events = 0;
    for (let i = 0; i < 100; i++) {
      remote.wake(3, 0);
      write(writer, 'x');
      while ((await driven.keys()).length === 0);
      events++;
      driven.poller.modify(reader, readable, 1, { mode: 'oneshot' });
      expect(remote.answers()).toBe(3);
    }
    expect(events).toBe(100);
  });

  test('every poller has its own, and it is plain data', async () => {
    using first = notified();
    using second = notified();
    const { waker } = second.poller;
    expect(structuredClone(waker)).toEqual({ backend: row.backend, id: waker.id });
    expect(Object.isFrozen(waker)).toBe(true);
    expect(second.poller.waker).toBe(waker);
    expect(wake(structuredClone(waker))).toBe(true);
    expect(await second.poll(60_000)).toEqual([]);
    expect(await first.poll(0)).toEqual([]);
    expect(first.poller.counters().wakeups).toBe(0);
  });
});

describe.each(backends)('%s', (backend) => {
  const open = () => createPoller({ backend, ignoreEnvironment: true });

  test('ids are never used again, and those of closed pollers do nothing', () => {
    const before = openFds();
    const wakers: Waker[] = [];
    for (let i = 0; i < 200; i++) {
      using poller = open();
      wakers.push(poller.waker);
    }
    expect(new Set(wakers.map(({ id }) => id)).size).toBe(200);
    using alive = open();
    for (const waker of wakers) expect(wake(waker)).toBe(false);
    expect(alive.wait(0)).toBe(0);
    expect(alive.counters().wakeups).toBe(0);
    alive.close();
    expect(openFds()).toEqual(before);
  });

  test('unknown ids and backends are answered with false', () => {
    for (const id of [0, 2 ** 31, 2 ** 32 - 1]) expect(wake({ backend, id })).toBe(false);
    expect(wake({ backend: 'none', id: 1 })).toBe(false);
  });

  test('so is a backend of another system, whose package is not installed here', () => {
    expect(wake({ backend: 'iocp', id: 1 })).toBe(false);
  });

  test.each([
    [undefined, TypeError, 'ERR_INVALID_ARG_TYPE'],
    [null, TypeError, 'ERR_INVALID_ARG_TYPE'],
    [7, TypeError, 'ERR_INVALID_ARG_TYPE'],
    [{ backend }, TypeError, 'ERR_INVALID_ARG_TYPE'],
    [{ backend: 7, id: 1 }, TypeError, 'ERR_INVALID_ARG_TYPE'],
    [{ backend, id: '1' }, TypeError, 'ERR_INVALID_ARG_TYPE'],
    [{ backend, id: -1 }, RangeError, 'ERR_OUT_OF_RANGE'],
    [{ backend, id: 1.5 }, RangeError, 'ERR_OUT_OF_RANGE'],
    [{ backend, id: Number.NaN }, RangeError, 'ERR_OUT_OF_RANGE'],
  ])('wake(%o) names what is wrong', (waker, type, code) => {
    const call = () => wake(waker as unknown as Waker);
    expect(call).toThrow(type);
    expect(call).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining('waker') }),
    );
  });
});
