// Pollers in workers: a worker can be terminated while its poller waits, in either way; it may forget
// to close; and what it opened is closed with it.
import { once } from 'node:events';
import { createPoller, wake } from '@pollux/core';
import { openFds, pipe, threadCount, write } from '@pollux/testkit';
import { backends, cases, checkLeaks, Scene } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { HANG_MS, message, startWorker } from './poller-support.js';

checkLeaks();

describe.each(cases)('$backend, $way', (row) => {
  const start = (scene: Scene, plan: string) => {
    const [reader, writer] = scene.fds.trackAll(pipe());
    return { worker: startWorker('poller-in-worker.mjs', { ...row, plan, fd: reader }), writer };
  };

  test.each([
    ['for ever', 'wait'],
    ['for an hour, on nothing', 'empty'],
    ['again and again', 'spin'],
  ])('terminated while it waits %s', async (_, plan) => {
    using scene = new Scene();
    const { worker } = start(scene, plan);
    const before = openFds();
    const { waker, threads } = (await message(worker)) as { waker: never; threads: number };
    await new Promise((resolve) => setTimeout(resolve, 20));
    const asked = performance.now();
    expect(await worker.terminate()).toBe(1);
    expect(performance.now() - asked).toBeLessThan(HANG_MS);
    expect(wake(waker)).toBe(false);
    expect(threadCount()).toBeLessThan(threads);
    // Fewer than at its start, when its own event loop was open already.
    expect(openFds().length).toBeLessThanOrEqual(before.length);
    // And the process goes on.
    using poller = createPoller({ backend: row.backend, ignoreEnvironment: true });
    expect(poller.wait(1)).toBe(0);
  });

  test('terminated in the very moment of an event', async () => {
    for (let i = 0; i < 5; i++) {
      using scene = new Scene();
      const { worker, writer } = start(scene, 'wait');
      await message(worker);
      if (i > 1) write(writer, 'x');
      if (i > 3) await new Promise((resolve) => setTimeout(resolve, 5));
      const asked = performance.now();
      await worker.terminate();
      expect(performance.now() - asked).toBeLessThan(HANG_MS);
    }
  });

  test('one that never closes its poller ends with 0 and leaves nothing open', async () => {
    using scene = new Scene();
    const { worker, writer } = start(scene, 'forget');
    const exited = once(worker, 'exit');
    await message(worker);
    write(writer, 'x');
    expect(await exited).toEqual([0]);
  });

  test('process.exit in a worker ends the worker, and only it', async () => {
    using scene = new Scene();
    const { worker } = start(scene, 'exit');
    const exited = once(worker, 'exit');
    await message(worker);
    expect(await exited).toEqual([7]);
  });

  test('an attached poller does not keep a worker alive unless it is told to', async () => {
    if (row.way === 'blocking') return;
    using scene = new Scene();
    const { worker } = start(scene, 'unref');
    const exited = once(worker, 'exit');
    await message(worker);
    expect(await exited).toEqual([0]);
  });
});

describe.each(backends)('%s', (backend) => {
  test('workers beside each other wait on pollers of their own, and end one by one', async () => {
    using scene = new Scene();
    const started = Array.from({ length: 4 }, (_, i) => {
      const [reader, writer] = scene.fds.trackAll(pipe());
      const way = i % 2 === 0 ? 'blocking' : 'thread';
      const data = { backend, way, plan: 'forget', fd: reader };
      return { worker: startWorker('poller-in-worker.mjs', data), writer };
    });
    const wakers = (await Promise.all(started.map(({ worker }) => message(worker)))) as {
      waker: { id: number };
    }[];
    expect(new Set(wakers.map(({ waker }) => waker.id)).size).toBe(4);
    for (const { worker, writer } of started) {
      const exited = once(worker, 'exit');
      write(writer, 'x');
      expect(await exited).toEqual([0]);
    }
  });
});
