// One socket in two pollers: two polls of one socket, on two handles of the driver and two ports. Each
// poller is told of everything, whatever the other does to its poll meanwhile. (Under Wine. On Windows
// Server 2016 and 2019 others saw events lost: docs/iocp.md.)
import { Interest } from '@pollux/core';
import { drain, tcpPair, write } from '@pollux/testkit';
import { DrivenPoller, Scene } from '@pollux/testkit/conformance';
import { expect, test } from 'vitest';
import { describeIocp } from './support.js';

const { readable, writable } = Interest;
const ROUNDS = 100;
const SOCKETS = 8;
/** Nothing but a lost event takes so long. */
const HANG_MS = 10_000;

describeIocp((row) => {
  /** Polls until all of these were told, and nothing else was. */
  async function heard(driven: DrivenPoller, keys: readonly number[]): Promise<void> {
    const missing = new Set(keys);
    const deadline = performance.now() + HANG_MS;
    while (missing.size > 0) {
      const found = await driven.poll(HANG_MS);
      // What was told already may keep coming.
      expect(performance.now(), `lost: ${[...missing]}`).toBeLessThan(deadline);
      for (const { key, events } of found) {
        expect(keys).toContain(key);
        expect(events).toBe(readable);
        missing.delete(key);
      }
    }
  }

  const calmOrBusy = test.each([
    ['leaves its polls alone', false],
    ['changes its interests all the time', true],
  ]);
  calmOrBusy('both are told of all, while one %s', async (_, busy) => {
    using scene = new Scene();
    using a = new DrivenPoller(row);
    using b = new DrivenPoller(row);
    const pairs = Array.from({ length: SOCKETS }, () => scene.fds.trackAll(tcpPair()));
    for (const [key, [near]] of pairs.entries())
      for (const { poller } of [a, b]) poller.add(near, readable, key);
    for (let round = 0; round < ROUNDS; round++) {
      for (const driven of [a, b]) expect(await driven.keys(0)).toEqual([]);
      const filled = [...pairs.keys()].filter((slot) => (slot * 5 + round) % 3 === 0);
      const both = () => Promise.all([heard(a, filled), heard(b, filled)]);
      // By threads, both wait already.
      const waits = row.way === 'blocking' ? undefined : both();
      for (const slot of filled) write(pairs[slot]![1], 'x');
      if (busy) {
        for (const [key, [near]] of pairs.entries()) {
          b.poller.modify(near, writable, key);
          if (key % 2 === 0) b.poller.modify(near, readable, key);
          else {
            b.poller.delete(near);
            b.poller.add(near, readable, key);
          }
        }
      }
      await (waits ?? both());
      for (const slot of filled) drain(pairs[slot]![0]);
    }
  });
});
