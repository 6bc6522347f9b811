// A poll is called off while it waits, when it has ended and its packet lies in the port, or in that very
// moment. Each way all that is ready is told, under the key of the last call, and nothing else.
import { Interest } from '@pollux/core';
import { drain, settleLater, tcpPair, write, writeLater } from '@pollux/testkit';
import { DrivenPoller, Scene, settled } from '@pollux/testkit/conformance';
import { expect, test } from 'vitest';
import { describeIocp } from './support.js';

const { readable, writable } = Interest;
const both = readable | writable;
const ROUNDS = 100;
/** Nothing but a lost event takes so long. */
const HANG_MS = 10_000;

describeIocp((row) => {
  // What is done to a registration for reading, in several calls, and the interest it ends with.
  const changes: Record<string, readonly ('delete' | number)[]> = {
    untouched: [],
    widened: [both],
    'widened and narrowed': [both, readable],
    'other condition': [writable],
    'other and back': [writable, readable],
    paused: [0],
    'paused and resumed': [0, readable],
    'paused and widened': [0, both],
    deleted: ['delete'],
    'deleted and added': ['delete', readable],
    'widened, deleted, added': [both, 'delete', readable],
    'added twice': ['delete', writable, 'delete', both],
  };

  test.each([
    ['at once', false],
    ['by another thread', true],
  ])('bytes that come %s', async (_, later) => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const { poller } = driven;
    const plans = Object.entries(changes);
    const pairs = plans.map(() => scene.fds.trackAll(tcpPair()));
    for (let round = 0; round < ROUNDS; round++) {
      const mode = round % 3 === 0 ? 'oneshot' : 'level';
      const keyOf = (slot: number) => round * plans.length + slot;
      for (const [slot, [near]] of pairs.entries())
        poller.add(near, readable, keyOf(slot), { mode });
      // From here on each has a poll outstanding.
      expect(await driven.keys(0)).toEqual([]);
      const filled = (slot: number) => (slot * 7 + round) % 3 !== 0;
      // Changes meet a wait under way too, where there can be one.
      const waiting = row.way !== 'blocking' && round % 2 === 0 ? driven.poll(HANG_MS) : undefined;
      const due = new Map<number, number>();
      for (const [slot, [name, steps]] of plans.entries()) {
        const [near, far] = pairs[slot]!;
        if (filled(slot)) {
          if (later) writeLater(far, 'x', 0);
          else write(far, 'x');
        }
        let interest: number | 'delete' = readable;
        for (const step of steps) {
          if (step === 'delete') poller.delete(near);
          else if (interest === 'delete') poller.add(near, step, keyOf(slot), { mode });
          else poller.modify(near, step, keyOf(slot), { mode });
          interest = step;
        }
        expect(interest, name).toBeTypeOf(steps.at(-1) === 'delete' ? 'string' : 'number');
        const ready = writable | (filled(slot) ? readable : 0);
        if (interest !== 'delete' && interest & ready) due.set(keyOf(slot), interest & ready);
      }
      // Of a oneshot that has both, the one that came first is all there is.
      const missing = new Map(due);
      const deadline = performance.now() + HANG_MS;
      for (let found = await waiting; missing.size > 0; ) {
        found ??= await driven.poll(HANG_MS);
        const lost = [...missing.keys()].map((key) => plans[key - keyOf(0)]?.[0]);
        // What was told already may keep coming.
        expect(performance.now(), `round ${round}: lost: ${lost}`).toBeLessThan(deadline);
        for (const { key, events } of found) {
          const name = plans[key - keyOf(0)]?.[0];
          expect(due.has(key) && (events & ~due.get(key)!) === 0, `${name}: ${events}`).toBe(true);
          const left = (missing.get(key) ?? 0) & ~events;
          if (left === 0 || mode === 'oneshot') missing.delete(key);
          else missing.set(key, left);
        }
        found = undefined;
      }
      settleLater();
      for (const [slot, [near]] of pairs.entries()) {
        if (changes[plans[slot]![0]]!.at(-1) !== 'delete') poller.delete(near);
        if (!filled(slot)) continue;
        settled(near, ['in']);
        drain(near);
      }
      expect(await driven.keys(0)).toEqual([]);
    }
  });
});
