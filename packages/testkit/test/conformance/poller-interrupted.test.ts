// Signals do not end a wait, do not shorten it, and cannot keep it from ending: EINTR is retried with
// the rest of the time. (The wait thread blocks all signals; the storm is for the thread that waits.)
import { Interest } from '@pollux/core';
import {
  monotonicNs,
  pipe,
  settleLater,
  startInterrupter,
  stopInterrupter,
  writeLater,
} from '@pollux/testkit';
import { cases, checkLeaks, DrivenPoller, Scene } from '@pollux/testkit/conformance';
import { afterEach, describe, expect, test } from 'vitest';
import { RemoteWaker } from './poller-support.js';

checkLeaks();
let delivered = 0;
const storm = (scene: Scene, periodMs: number) => {
  startInterrupter(periodMs);
  scene.defer(() => {
    delivered = stopInterrupter();
  });
};
afterEach(() => {
  expect(delivered).toBeGreaterThan(0);
  delivered = 0;
});

describe.each(cases)('$backend, $way', (row) => {
  test('a wait in a storm of signals is neither early nor endless', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    storm(scene, 0.3);
    for (const timeoutMs of [3.3, 120, 260]) {
      const start = monotonicNs();
      expect(await driven.once(timeoutMs)).toBe(0);
      const lasted = Number(monotonicNs() - start) / 1e6;
      expect(lasted).toBeGreaterThanOrEqual(timeoutMs);
      // An EINTR that restarted the whole time would never end while the storm lasts.
      expect(lasted).toBeLessThan(timeoutMs + 5000);
    }
  });

  test('events and notifies get through it', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    await using remote = await RemoteWaker.start(driven.poller.waker);
    const [reader, writer] = scene.fds.trackAll(pipe());
    driven.poller.add(reader, Interest.readable, 1);
    storm(scene, 0.3);
    // Long enough for the thread that interrupts, on a busy machine, to come to run.
    remote.wake(1, 300);
    expect(await driven.once()).toBe(0);
    writeLater(writer, 'x', 300);
    expect(await driven.keys()).toEqual([1]);
    settleLater();
    expect(remote.answers()).toBe(1);
  });

  test('signals now and then in a long wait are not its end', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    storm(scene, 40);
    const start = monotonicNs();
    expect(await driven.once(500)).toBe(0);
    expect(monotonicNs() - start).toBeGreaterThanOrEqual(500_000_000n);
  });
});
