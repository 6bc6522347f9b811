// Long random sequences of everything that can happen to a registration, against a model that is too
// simple to be wrong. The seed is fixed; a failure names the step.
import { Events, Interest, type Mode } from '@pollux/core';
import {
  close,
  drain,
  dup,
  dup2,
  handleCount,
  pipe,
  pipesAreSockets,
  write,
} from '@pollux/testkit';
import { cases, checkLeaks, DrivenPoller, Scene, settled } from '@pollux/testkit/conformance';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { refused } from './poller-support.js';

checkLeaks();

const SLOTS = 12;
/** POLLUX_STEPS=34000 makes 200,000 of the six runs on a backend with one driver. */
const STEPS = Number(process.env.POLLUX_STEPS) || 3000;
/** So many files of closed numbers live on in a dup at a time. */
const MOST_OLD = 32;
/** What Windows makes and keeps for itself; a leak in one of a hundred steps makes more. */
const STRAY_HANDLES = process.platform === 'win32' ? 20 : 0;

let handles: number;
beforeEach(() => {
  handles = handleCount();
});
afterEach(() => {
  expect(handleCount(), 'handles').toBeLessThanOrEqual(handles + STRAY_HANDLES);
});

/** mulberry32: numbers from 0 up to `below`, the same in each run. */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** A number, the pipe it reads from, and what the poller should know of it. */
interface Slot {
  readonly number: number;
  writer: number;
  filled: boolean;
  /** Another file took the number since it was registered. */
  reused: boolean;
  registration: { key: number; interest: number; mode: Mode; armed: boolean } | undefined;
}

describe.each(cases)('$backend, $way', (row) => {
  test.each([1, 2, 3])('seed %i', { timeout: 20_000 + 20 * STEPS }, async (seed) => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const { poller } = driven;
    const next = random(seed);
    let key = 0;
    const slots = Array.from({ length: SLOTS }, (): Slot => {
      const [number, writer] = scene.fds.trackAll(pipe());
      return { number, writer, filled: false, reused: false, registration: undefined };
    });
    const old: number[] = [];
    const wish = () => {
      const interest = pipesAreSockets ? next(2) : next(4);
      const mode: Mode = next(2) === 0 ? 'level' : 'oneshot';
      return { key: ++key, interest, mode, armed: interest !== 0 };
    };

    const steps: ((slot: Slot) => void | Promise<void>)[] = [
      function add(slot) {
        const wanted = wish();
        const call = () => poller.add(slot.number, wanted.interest, wanted.key, wanted);
        if (slot.registration && !slot.reused) return expect(call).toThrow(refused('EEXIST'));
        call();
        slot.registration = wanted;
        slot.reused = false;
      },
      function modify(slot) {
        const wanted = wish();
        const call = () => poller.modify(slot.number, wanted.interest, wanted.key, wanted);
        if (!slot.registration || slot.reused) return expect(call).toThrow(refused('ENOENT'));
        call();
        slot.registration = wanted;
      },
      function remove(slot) {
        const call = () => poller.delete(slot.number);
        if (!slot.registration) return expect(call).toThrow(refused('ENOENT'));
        call();
        slot.registration = undefined;
        slot.reused = false;
      },
      function fill(slot) {
        if (!slot.filled) write(slot.writer, 'x');
        slot.filled = true;
      },
      function empty(slot) {
        if (slot.filled) settled(slot.number, ['in']);
        drain(slot.number);
        slot.filled = false;
      },
      function ask(slot) {
        expect(poller.canWatch(slot.number)).toBe(true);
      },
      // Another pipe under the same number; sometimes a dup of the old one stays. The poller is told
      // at once, for what it reports of a stranger's file until then is not promised.
      function reuse(slot) {
        if (next(2) === 0) old.push(scene.fds.track(dup(slot.number)), slot.writer);
        else close(slot.writer);
        for (const fd of old.splice(0, old.length - 2 * MOST_OLD)) close(fd);
        const [reader, writer] = pipe();
        dup2(reader, slot.number);
        close(reader);
        Object.assign(slot, { writer: scene.fds.track(writer), filled: false });
        slot.reused = slot.registration !== undefined;
        return steps[next(2) === 0 ? 0 : 2]!(slot);
      },
      async function poll() {
        const due = slots.filter(
          ({ filled, registration }) =>
            filled && registration?.armed && registration.interest & Interest.readable,
        );
        const expected = due.map(({ registration }) => ({
          key: registration!.key,
          events: Events.readable,
        }));
        // What was written over a socket need not be there the next moment.
        for (const { number } of due) settled(number, ['in']);
        const found = (await driven.poll(0)).sort((a, b) => a.key - b.key);
        expect(found).toEqual(expected.sort((a, b) => a.key - b.key));
        for (const { registration } of due) {
          if (registration!.mode === 'oneshot') registration!.armed = false;
        }
      },
    ];
    for (let step = 0; step < STEPS; step++) {
      const slot = slots[next(SLOTS)]!;
      const action = steps[next(steps.length)]!;
      try {
        await action(slot);
      } catch (error) {
        (error as Error).message = `step ${step}, ${action.name}: ${(error as Error).message}`;
        throw error;
      }
    }
  });
});
