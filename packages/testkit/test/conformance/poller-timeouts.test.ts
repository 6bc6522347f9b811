// Timeouts: milliseconds with fractions, never early, of any size. Lateness is the machine's affair
// and is not judged, but for what can only be a hang.
import { Interest } from '@pollux/core';
import { monotonicNs, pipe, timerfd, writeLater } from '@pollux/testkit';
import { cases, checkLeaks, DrivenPoller, Scene } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { cpuMs, HANG_MS, RemoteWaker, readyPipe } from './poller-support.js';

const { readable } = Interest;
checkLeaks();

describe.each(cases)('$backend, $way', (row) => {
  async function lasts(driven: DrivenPoller, timeoutMs: number): Promise<number> {
    const start = monotonicNs();
    const count = await driven.once(timeoutMs);
    const lasted = Number(monotonicNs() - start) / 1e6;
    expect(count).toBe(0);
    return lasted;
  }

  test('the backend says how finely it can wait', () => {
    using driven = new DrivenPoller(row);
    const { timeoutResolutionMs } = driven.poller.capabilities;
    expect(timeoutResolutionMs).toBeGreaterThan(0);
    expect(timeoutResolutionMs).toBeLessThanOrEqual(1);
  });

  test.each([0.05, 0.3, 1.5])('%d ms, 300 times, never early', async (timeoutMs) => {
    using driven = new DrivenPoller(row);
    let early = 0;
    for (let i = 0; i < 300; i++) if ((await lasts(driven, timeoutMs)) < timeoutMs) early++;
    expect(early).toBe(0);
  });

  test('of several slices, never early, and nothing is lost between two', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader, writer] = scene.fds.trackAll(pipe());
    driven.poller.add(reader, readable, 1);
    expect(await lasts(driven, 410.7)).toBeGreaterThanOrEqual(410.7);
    const start = monotonicNs();
    writeLater(writer, 'x', 230);
    expect(await driven.keys(60_000)).toEqual([1]);
    expect(monotonicNs() - start).toBeGreaterThanOrEqual(230_000_000n);
  });

  test('0 only looks, also at an empty poller', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    expect(await lasts(driven, 0)).toBeLessThan(HANG_MS);
    expect(await lasts(driven, -0)).toBeLessThan(HANG_MS);
    const [reader] = readyPipe(scene);
    driven.poller.add(reader, readable, 1);
    expect(await driven.keys(0)).toEqual([1]);
  });

  test('an empty poller waits as any other, without burning time', async () => {
    using driven = new DrivenPoller(row);
    const spent = await cpuMs(async () => {
      expect(await lasts(driven, 150)).toBeGreaterThanOrEqual(150);
    });
    expect(spent).toBeLessThan(75);
  });

  test.each([
    undefined,
    Number.POSITIVE_INFINITY,
    Number.MAX_VALUE,
    2 ** 31,
    2 ** 32 + 1,
    1e12,
    9e15,
  ])('%s ms are not cut short, and a notify from outside ends them', async (timeoutMs) => {
    using driven = new DrivenPoller(row);
    await using remote = await RemoteWaker.start(driven.poller.waker);
    const start = monotonicNs();
    remote.wake(1, 30);
    expect(await driven.once(timeoutMs)).toBe(0);
    expect(monotonicNs() - start).toBeGreaterThanOrEqual(29_000_000n);
    expect(remote.answers()).toBe(1);
  });

  test('an event ends an endless wait', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const start = monotonicNs();
    driven.poller.add(scene.fds.track(timerfd(30)), readable, 1);
    expect(await driven.keys()).toEqual([1]);
    expect(monotonicNs() - start).toBeGreaterThanOrEqual(29_000_000n);
  });

  test('the deadline of a wait under way can be moved, if a thread waits', async () => {
    if (row.way === 'blocking') return;
    using driven = new DrivenPoller({ ...row, way: 'blocking' });
    let ready = () => {};
    const attachment = driven.poller.attach(() => ready(), row.way);
    attachment.keepAlive(true);
    const over = async (first: number, then: number) => {
      const called = new Promise<void>((resolve) => {
        ready = resolve;
      });
      const start = monotonicNs();
      attachment.arm(first);
      attachment.retime(then);
      await called;
      expect(attachment.harvest()).toBe(0);
      return Number(monotonicNs() - start) / 1e6;
    };
    const nearer = await over(60_000, 20);
    expect(nearer).toBeGreaterThanOrEqual(20);
    expect(nearer).toBeLessThan(60_000);
    expect(await over(5, 40)).toBeGreaterThanOrEqual(40);
    expect(await over(Number.POSITIVE_INFINITY, 0)).toBeLessThan(60_000);
    attachment.detach();
  });
});
