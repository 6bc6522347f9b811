// What ends while polls are outstanding: the sockets, the poller, the worker that has it. The driver lets
// go of everything then, and no handle is left.
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { Interest } from '@pollux/core';
import { close, pipe, tcpPair, write } from '@pollux/testkit';
import { DrivenPoller, Scene, settled } from '@pollux/testkit/conformance';
import { expect, test } from 'vitest';
import { describeIocp, expectNoHandles } from './support.js';

const { readable } = Interest;
/** More than one handle of the driver carries. */
const SOCKETS = 40;
const worker = new URL('../../testkit/test/fixtures/poller-in-worker.mjs', import.meta.url);

describeIocp((row) => {
  const watch = (scene: Scene, driven: DrivenPoller) => {
    const pairs = Array.from({ length: SOCKETS }, () => scene.fds.trackAll(tcpPair()));
    for (const [key, [near]] of pairs.entries()) driven.poller.add(near, readable, key);
    return pairs;
  };

  test('sockets closed without delete: their peers hear of it, the poller tells nothing', async () => {
    using driven = new DrivenPoller(row);
    await expectNoHandles(10, async () => {
      using scene = new Scene();
      const pairs = watch(scene, driven);
      expect(await driven.keys(0)).toEqual([]);
      for (const [near] of pairs) close(near);
      for (const [, far] of pairs) settled(far, ['rdhup']);
      expect(await driven.poll(1)).toEqual([]);
      for (const [near] of pairs) driven.poller.delete(near);
    });
  });

  test('the same, and the poller is closed with it', async () => {
    await expectNoHandles(10, async () => {
      using scene = new Scene();
      using driven = new DrivenPoller(row);
      const pairs = watch(scene, driven);
      expect(await driven.keys(0)).toEqual([]);
      for (const [, far] of pairs) write(far, 'x');
      for (const [near] of pairs.slice(SOCKETS / 2)) close(near);
    });
  });

  test('a poller closed while its thread waits, or has packets in its hands', async () => {
    let ended = 0;
    await expectNoHandles(20, async () => {
      using scene = new Scene();
      const driven = new DrivenPoller(row);
      const pairs = watch(scene, driven);
      expect(await driven.keys(0)).toEqual([]);
      if (row.way !== 'blocking') void driven.once();
      if (ended % 2 === 1) for (const [, far] of pairs) write(far, 'x');
      if (ended % 4 > 1) await new Promise((resolve) => setTimeout(resolve, 2));
      driven.poller.close();
      driven.close();
      ended++;
    });
    expect(ended).toBe(22);
  });

  test('a worker terminated in mid-wait', async () => {
    await expectNoHandles(10, async () => {
      using scene = new Scene();
      const [reader] = scene.fds.trackAll(pipe());
      const started = new Worker(fileURLToPath(worker), {
        workerData: { ...row, plan: 'wait', fd: reader },
      });
      await once(started, 'message');
      expect(await started.terminate()).toBe(1);
    });
  }, 60_000);
});
