// The timer queue against a sorted array: whatever is inserted and removed, the earliest is on top,
// and equal deadlines come in the order they were set.
import { describe, expect, test } from 'vitest';
import { type Deadline, TimerQueue } from '../dist/timer-queue.js';

const seed = Number(process.env.POLLUX_TEST_SEED ?? Date.now() % 1_000_000);

/** Even numbers from 0 to 1 (mulberry32). */
function random(from: number): () => number {
  let state = from >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const item = (deadline: number): Deadline => ({ deadline, order: 0, place: -1 });

const sorted = (items: Iterable<Deadline>): Deadline[] =>
  [...items].sort((a, b) => a.deadline - b.deadline || a.order - b.order);

describe('TimerQueue', () => {
  test.each([
    ['few different deadlines', 5],
    ['many different deadlines', 1e9],
  ])(`a random history of ${'%s'} (seed ${seed})`, (_name, spread) => {
    const next = random(seed);
    const queue = new TimerQueue<Deadline>();
    const model = new Set<Deadline>();
    const removed: Deadline[] = [];
    for (let step = 0; step < 20_000; step++) {
      // It grows in the first half and shrinks in the second.
      const insert = next() < (step < 10_000 ? 0.6 : 0.45);
      if (insert) {
        const reused = next() < 0.2 ? removed.pop() : undefined;
        const added = reused ?? item(0);
        added.deadline = Math.floor(next() * spread);
        const order = queue.nextOrder;
        queue.insert(added);
        expect(added.order).toBe(order);
        model.add(added);
      } else if (model.size > 0) {
        const items = [...model];
        const top = next() < 0.5 ? queue.peek() : items[Math.floor(next() * items.length)];
        queue.remove(top as Deadline);
        queue.remove(top as Deadline); // the second time it is not there
        expect((top as Deadline).place).toBe(-1);
        model.delete(top as Deadline);
        removed.push(top as Deadline);
      }
      if (queue.size !== model.size) expect(queue.size).toBe(model.size);
      if (step % 500 === 0) expect(queue.peek()).toBe(sorted(model)[0]);
    }
    const expected = sorted(model);
    const actual: Deadline[] = [];
    for (let top = queue.peek(); top !== undefined; top = queue.peek()) {
      actual.push(top);
      queue.remove(top);
    }
    expect(actual.length).toBeGreaterThan(10);
    expect(actual.every((found, n) => found === expected[n])).toBe(true);
    expect(queue.size).toBe(0);
  });

  test('equal deadlines come in the order they were set', () => {
    const queue = new TimerQueue<Deadline>();
    const items = Array.from({ length: 100 }, () => item(7));
    for (const each of items) queue.insert(each);
    queue.insert(item(Number.POSITIVE_INFINITY));
    for (const each of items) {
      expect(queue.peek()).toBe(each);
      queue.remove(each);
    }
    expect(queue.peek()?.deadline).toBe(Number.POSITIVE_INFINITY);
  });

  test('clear gives back what there was, and all of it is outside afterwards', () => {
    const queue = new TimerQueue<Deadline>();
    const items = Array.from({ length: 50 }, (_, n) => item((n * 37) % 50));
    for (const each of items) queue.insert(each);
    expect(new Set(queue.clear())).toEqual(new Set(items));
    expect([queue.size, queue.peek()]).toEqual([0, undefined]);
    expect(items.every(({ place }) => place === -1)).toBe(true);
    for (const each of items) queue.remove(each);
    expect(queue.clear()).toEqual([]);
    for (const each of items) queue.insert(each);
    expect(queue.peek()?.deadline).toBe(0);
  });

  test('what is not in it can be removed', () => {
    const queue = new TimerQueue<Deadline>();
    queue.remove(item(1));
    const only = item(1);
    queue.insert(only);
    queue.remove(item(1));
    expect(queue.peek()).toBe(only);
  });
});
