// A change takes effect at once, also for events that the last wait has written already: whoever
// walks through `events` and changes registrations on the way finds the record void (bits 0), and no
// other record touched.
import { Events, Interest } from '@pollux/core';
import { close, dup2, eventfd, pipe, pipesAreSockets, write } from '@pollux/testkit';
import { attachedCases, cases, checkLeaks, DrivenPoller, Scene } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { readyPipe } from './poller-support.js';

const { readable } = Interest;
checkLeaks();

describe.each(cases)('$backend, $way', (row) => {
  /** Registers `count` ready pipes, under their index as key, and waits for all. */
  async function batch(scene: Scene, driven: DrivenPoller, count: number) {
    const fds = Array.from({ length: count }, (_, key) => {
      const [reader] = readyPipe(scene);
      driven.poller.add(reader, readable, key);
      return reader;
    });
    expect(await driven.once(5000)).toBe(count);
    return fds;
  }
  /** The keys of the records that are not void. */
  const left = (driven: DrivenPoller, count: number) => driven.records(count).map(({ key }) => key);
  const others = (driven: DrivenPoller, count: number, key: number) =>
    left(driven, count).filter((other) => other !== key);

  test('delete voids the record of its descriptor, and no other', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const fds = await batch(scene, driven, 5);
    for (const key of [3, 0, 4, 1, 2]) {
      const expected = others(driven, 5, key);
      driven.poller.delete(fds[key]!);
      expect(left(driven, 5)).toEqual(expected);
    }
  });

  test('so does modify, whatever it asks for', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const fds = await batch(scene, driven, 4);
    for (const [key, interest] of [0, Interest.readable, Interest.writable, 7].entries()) {
      const expected = others(driven, 4, key);
      driven.poller.modify(fds[key]!, interest, 100 + key);
      expect(left(driven, 4)).toEqual(expected);
    }
    // What still holds is told again, under the new keys.
    expect(await driven.keys(0)).toEqual(pipesAreSockets ? [101, 102, 103] : [101, 103]);
  });

  test('so does an add that takes over a reused number', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const fds = await batch(scene, driven, 3);
    const expected = others(driven, 3, 1);
    const [ready] = readyPipe(scene);
    dup2(ready, fds[1]!);
    driven.poller.add(fds[1]!, readable, 7);
    expect(left(driven, 3)).toEqual(expected);
    expect(await driven.keys(0)).toEqual([0, 2, 7]);
  });

  test('close and delete of one in the callback of another, as a proxy does', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const fds = await batch(scene, driven, 6);
    const served: number[] = [];
    const { events } = driven.poller;
    for (let i = 0; i < 6; i++) {
      if (events[2 * i + 1] === 0) continue;
      const key = events[2 * i]!;
      served.push(key);
      const partner = fds[key ^ 1]!;
      driven.poller.delete(partner);
      close(partner);
    }
    expect(served).toHaveLength(3);
    expect(new Set(served.map((key) => key >> 1)).size).toBe(3);
    expect(await driven.keys(0)).toEqual(served.sort((a, b) => a - b));
  });

  test('what is refused, or not about a record, voids nothing', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const { poller } = driven;
    const fds = await batch(scene, driven, 2);
    const [idle] = scene.fds.trackAll(pipe());
    expect(() => poller.add(fds[0]!, readable, 9)).toThrow();
    expect(() => poller.add(fds[0]!, 8, 9)).toThrow();
    poller.canWatch(fds[0]!);
    poller.add(idle, readable, 9);
    poller.modify(idle, 0, 9);
    poller.delete(idle);
    poller.notify();
    expect(driven.records(2)).toHaveLength(2);
  });

  test('a record of an earlier wait is nobody’s any more', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const fds = await batch(scene, driven, 3);
    driven.poller.modify(fds[0]!, 0, 0);
    driven.poller.modify(fds[1]!, 0, 1);
    expect(await driven.once(0)).toBe(1);
    // Records 0 and 1 of the first batch; only record 0 exists in this one.
    driven.poller.delete(fds[0]!);
    driven.poller.delete(fds[1]!);
    expect(driven.records(1)).toEqual([{ key: 2, events: Events.readable }]);
  });

  test('in batches that fill the array and make it grow, each record is the right one', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const fds = Array.from({ length: 400 }, () => scene.fds.track(eventfd(1)));
    for (const [key, fd] of fds.entries()) driven.poller.add(fd, readable, key);
    const seen = new Set<number>();
    while (seen.size < 400) {
      const count = await driven.once(5000);
      const found = left(driven, count);
      expect(found).toHaveLength(count);
      for (const [i, key] of found.entries()) {
        if (i % 2 === 0) {
          const expected = others(driven, count, key);
          driven.poller.delete(fds[key]!);
          expect(left(driven, count).length).toBe(expected.length);
        } else {
          driven.poller.modify(fds[key]!, 0, key);
        }
        seen.add(key);
      }
      expect(left(driven, count)).toEqual([]);
    }
    expect(await driven.keys(0)).toEqual([]);
  });

  test('a number that was deleted and added again in one batch starts anew', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const fds = await batch(scene, driven, 2);
    driven.poller.delete(fds[0]!);
    driven.poller.add(fds[0]!, readable, 10);
    const rest = left(driven, 2);
    expect(rest).toEqual([1]);
    // It has no record in this batch, so there is none to void.
    driven.poller.modify(fds[0]!, readable, 11);
    expect(left(driven, 2)).toEqual(rest);
    expect(await driven.keys(0)).toEqual([1, 11]);
  });
});

// What a driver leaves: a batch that was found, but not harvested.
test.each(attachedCases)(
  'changes between a detach and what it left: $backend, $way',
  async ({ backend, way }) => {
    {
      using scene = new Scene();
      using driven = new DrivenPoller({ backend, way: 'blocking' });
      const { poller } = driven;
      const [[reader], [other, writer]] = [readyPipe(scene), scene.fds.trackAll(pipe())];
      poller.add(reader, readable, 1);
      poller.add(other, readable, 2);
      const attachment = poller.attach(() => {}, way);
      attachment.arm(5000);
      write(writer, 'x');
      await new Promise((resolve) => setTimeout(resolve, 20));
      poller.delete(reader);
      attachment.detach();
      expect(await driven.keys(0)).toEqual([2]);
    }
  },
);
