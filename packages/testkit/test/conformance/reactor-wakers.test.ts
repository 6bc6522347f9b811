// A Waker is posted to other threads and ends a reactor's wait from there, also one that has nothing
// else to end it. A check hook then takes the messages: receiveMessageOnPort needs no loop of Node's.
import { once } from 'node:events';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import { wake } from '@pollux/core';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { HANG_MS, RemoteWaker } from './poller-support.js';
import { countedFds, macrotask, runFixture } from './reactor-support.js';

describe.each(cases)('$backend, $way', (row) => {
  const { backend, way } = row;

  test.concurrent('four threads wake each other in a ring, three thousand times', async () => {
    const ended = await runFixture('reactor-wakers', [backend, way]);
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(ended.said).toHaveLength(4);
    for (const thread of [0, 1, 2, 3]) {
      const did = { thread, backend, driver: way, passed: 750, woken: true };
      expect(ended.said).toContainEqual(did);
    }
  });
});

describe.each(cases)('one reactor, $backend, $way', (row) => {
  countedFds();

  test('a wake is a turn with its check hooks, and no callback of a watcher', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const { port1, port2 } = new MessageChannel();
    const messages: unknown[] = [];
    const hook = reactor.check(() => {
      for (;;) {
        const found = receiveMessageOnPort(port2);
        if (found === undefined) return;
        messages.push(found.message);
      }
    });
    expect([hook.hasRef(), reactor.alive]).toEqual([false, false]);
    hook.ref();
    for (let n = 0; n < 3; n++) {
      port1.postMessage(n);
      expect(wake(reactor.poller.waker)).toBe(true);
    }
    await driven.until(() => messages.length === 3);
    expect(messages).toEqual([0, 1, 2]);
    hook.close();
    port1.close();
    await once(port2, 'close');
  });

  test('waking a closed reactor does nothing, and says so', () => {
    const driven = new DrivenReactor(row);
    const { waker } = driven.reactor.poller;
    expect(structuredClone(waker)).toEqual(waker);
    driven.close();
    expect(wake(waker)).toBe(false);
    using other = new DrivenReactor(row);
    expect(other.reactor.poller.waker.id).not.toBe(waker.id);
    expect(wake(waker)).toBe(false);
  });
});

describe.each(cases.filter(({ way }) => way === 'blocking'))('$backend, $way', (row) => {
  test('a long wait is ended by another thread; turn() has called nobody', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    await using remote = await RemoteWaker.start(reactor.poller.waker);
    for (let n = 0; n < 10; n++) {
      remote.wake(1, n % 3);
      expect(await macrotask(() => reactor.turn(HANG_MS))).toBe(0);
      expect(remote.answers()).toBe(1);
    }
    expect(reactor.stats()).toMatchObject({ wakeups: 10, events: 0, callbacks: 0 });
  });

  test('runSync waits on after a wake, until stop()', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    await using remote = await RemoteWaker.start(reactor.poller.waker);
    let woken = 0;
    const hook = reactor.check(() => {
      remote.answers(); // it is ready for the next order
      if (++woken === 5) reactor.stop();
      else remote.wake(1, 1);
    });
    hook.ref();
    reactor.stop(HANG_MS);
    remote.wake(1, 1);
    await macrotask(() => reactor.runSync());
    expect([woken, reactor.stopped]).toEqual([5, true]);
  });
});
