// More descriptors are ready than `events` holds: all are served within a few waits, in turn, and the
// array grows. No number, low or high, is served before the others have had their turn.
import { Interest } from '@pollux/core';
import { eventfd, raiseNofile } from '@pollux/testkit';
import { cases, checkLeaks, DrivenPoller, Scene } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';

const { readable } = Interest;
raiseNofile();
checkLeaks();

const FIRST_CAPACITY = 256;

describe.each(cases)('$backend, $way', (row) => {
  function ready(scene: Scene, driven: DrivenPoller, count: number, from = 0): number[] {
    const fds = Array.from({ length: count }, () => scene.fds.track(eventfd(1)));
    for (const [i, fd] of fds.entries()) driven.poller.add(fd, readable, from + i);
    return fds;
  }
  async function serve(driven: DrivenPoller, served: Map<number, number>): Promise<number> {
    const count = await driven.once(5000);
    for (const { key } of driven.records(count)) served.set(key, (served.get(key) ?? 0) + 1);
    return count;
  }

  test('the second wait goes on where the first had no more room, and has more', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    ready(scene, driven, 600);
    const served = new Map<number, number>();
    expect(driven.poller.events).toHaveLength(2 * FIRST_CAPACITY);
    expect(await serve(driven, served)).toBe(FIRST_CAPACITY);
    expect(served.size).toBe(FIRST_CAPACITY);
    expect(await serve(driven, served)).toBe(2 * FIRST_CAPACITY);
    // 256 and 512 are 768 places, so nobody need have waited for a third.
    expect(served.size).toBe(600);
    expect(await serve(driven, served)).toBe(600);
    expect(driven.poller.events).toHaveLength(8 * FIRST_CAPACITY);
  });

  test('nothing of a full batch is lost, in oneshot mode', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const fds = ready(scene, driven, 1000);
    for (const [key, fd] of fds.entries())
      driven.poller.modify(fd, readable, key, { mode: 'oneshot' });
    const served = new Map<number, number>();
    for (let waits = 0; served.size < 1000; waits++) {
      expect(waits).toBeLessThan(5);
      await serve(driven, served);
    }
    expect([...served.values()].every((times) => times === 1)).toBe(true);
    expect(await driven.keys(0)).toEqual([]);
  });

  test('a full batch does not keep a notify from ending the next wait', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    ready(scene, driven, 300);
    driven.poller.notify();
    expect(await driven.once(5000)).toBeGreaterThan(0);
    expect(await driven.once(5000)).toBeGreaterThan(0);
    expect(driven.poller.counters().wakeups).toBe(1);
  });

  // The array has an upper bound; 16,384 records are more than this machine need have descriptors.
  test('late comers among thousands that are always ready are served in turn', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    ready(scene, driven, 3000);
    const served = new Map<number, number>();
    for (let i = 0; i < 3; i++) await serve(driven, served);
    ready(scene, driven, 3, 5000);
    for (let i = 0; i < 3; i++) await serve(driven, served);
    for (const key of [5000, 5001, 5002]) expect(served.get(key)).toBeGreaterThan(0);
    expect(Math.min(...served.values())).toBeGreaterThan(0);
    expect(Math.max(...served.values())).toBeLessThanOrEqual(4);
  });
});
