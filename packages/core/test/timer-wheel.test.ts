// The timing wheel against a sorted array: whatever is inserted and removed, and however the clock
// jumps, what is due comes out in order, and the next look is never too late.
import { describe, expect, test } from 'vitest';
import { TimerWheel, type WheelItem } from '../dist/timer-wheel.js';
import { random, seed } from './random.js';

interface Item extends WheelItem {
  deadline: number;
  /** Rises with each insertion; the model's own. */
  inserted: number;
}

const item = (deadline = 0): Item => ({
  deadline,
  place: -1,
  inserted: 0,
});

const insert = (wheel: TimerWheel<Item>, added: Item): void => wheel.insert(added, added.deadline);

const SECOND = 1000;
const DAY = 86_400 * SECOND;
const YEAR = 365 * DAY;
/** The wheel counts so many milliseconds from where it began; what is later than that is never. */
const REACH = 64 ** 8;

/** The same by the simplest means. */
class Model {
  #items: Item[] = [];
  #inserted = 0;

  get size(): number {
    return this.#items.length;
  }

  get earliest(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...this.#items.map(({ deadline }) => deadline));
  }

  any(next: () => number): Item {
    return this.#items[Math.floor(next() * this.#items.length)] as Item;
  }

  insert(added: Item): void {
    added.inserted = this.#inserted++;
    this.#items.push(added);
  }

  remove(removed: Item): void {
    this.#items = this.#items.filter((other) => other !== removed);
  }

  takeDue(now: number): Item[] {
    const due = this.#items.filter(({ deadline }) => deadline <= now);
    this.#items = this.#items.filter(({ deadline }) => deadline > now);
    return due.sort((a, b) => a.deadline - b.deadline || a.inserted - b.inserted);
  }
}

/** Ways to choose a delay from now. */
const delays: Record<string, (next: () => number) => number> = {
  'few different delays': (next) => Math.floor(next() * 5),
  'fractions of a millisecond': (next) => Math.floor(next() * 32) / 16,
  'delays of all sizes': (next) => 2 ** (next() * 40),
  'delays on the borders of levels': (next) =>
    64 ** Math.floor(next() * 8) + Math.floor(next() * 3) - 1,
  'some that never come': (next) => (next() < 0.3 ? Number.POSITIVE_INFINITY : next() * 200),
  'some that are past': (next) => (next() - 0.5) * 100,
};

/** What is due, taken out. */
function take(wheel: TimerWheel<Item>, now: number): (Item | undefined)[] {
  const count = wheel.takeDue(now);
  const due = Array.from({ length: count }, () => wheel.shiftDue());
  expect(wheel.shiftDue()).toBeUndefined();
  return due;
}

/** Where the clock stands at first. */
const starts = [0, 0.75, 123_456.789, 1_700_000_000_000.5, -5000.25];

describe.each(Object.entries(delays))(`a random history (seed ${seed}): %s`, (_name, delayOf) => {
  test.each(starts)('from %d on', (start) => {
    const next = random(seed + Math.floor(start));
    const model = new Model();
    const wheel = new TimerWheel<Item>(start);
    const outside: Item[] = [];
    let now = start;
    let taken = 0;
    for (let step = 0; step < 3000; step++) {
      const dice = next();
      // It grows in the first half and shrinks in the second.
      if (dice < (step < 1500 ? 0.6 : 0.35)) {
        const added = outside.pop() ?? item();
        added.deadline = now + delayOf(next);
        insert(wheel, added);
        model.insert(added);
      } else if (dice < 0.75 && model.size > 0) {
        const removed = model.any(next);
        wheel.remove(removed);
        wheel.remove(removed); // the second time it is not there
        expect(removed.place).toBe(-1);
        model.remove(removed);
        outside.push(removed);
      } else {
        // To the next look, a little on, far on, or to the very deadline.
        const look = wheel.nextLook();
        const jump = next();
        if (jump < 0.5 && look < Number.POSITIVE_INFINITY) now = Math.max(now, look);
        else if (jump < 0.8) now += next() * 20;
        else if (jump < 0.83) now += 2 ** (next() * 36);
        else if (model.earliest < Number.POSITIVE_INFINITY) now = Math.max(now, model.earliest);
        const due = take(wheel, now) as Item[];
        expect(due).toEqual(model.takeDue(now));
        expect(due.every(({ place }) => place === -1)).toBe(true);
        taken += due.length;
        outside.push(...due);
      }
      expect(wheel.size).toBe(model.size);
      expect(wheel.nextLook()).toBeLessThanOrEqual(model.earliest);
    }
    // To the end, look by look: every wait ends with something due, or nearer to it.
    const finite = () => model.earliest < Number.POSITIVE_INFINITY;
    for (let looks = 0; finite(); looks++) {
      const look = wheel.nextLook();
      expect(looks).toBeLessThan(20_000);
      now = Math.max(now, look);
      expect(take(wheel, now)).toEqual(model.takeDue(now));
    }
    expect(wheel.nextLook()).toBe(Number.POSITIVE_INFINITY);
    expect(wheel.size).toBe(model.size);
    expect(taken).toBeGreaterThan(20);
  });
});

describe('TimerWheel', () => {
  test('equal deadlines come in the order of insertion, also across levels and the sort of many', () => {
    for (const count of [3, 64, 65, 1000]) {
      const wheel = new TimerWheel<Item>(0);
      const items = Array.from({ length: count }, () => item(5000.5));
      // One half from afar, one from near.
      for (const each of items.slice(0, count / 2)) insert(wheel, each);
      expect(wheel.takeDue(4999)).toBe(0);
      for (const each of items.slice(count / 2)) insert(wheel, each);
      const due = take(wheel, 5000.5);
      expect(due.length).toBe(count);
      expect(due.every((each, n) => each === items[n])).toBe(true);
    }
  });

  test('within a millisecond, only what is due, and the rest is looked for at its time', () => {
    const wheel = new TimerWheel<Item>(0);
    const items = [7.9, 7.1, 7.5, 7.1, 7].map(item);
    for (const each of items) insert(wheel, each);
    expect(wheel.nextLook()).toBe(7);
    expect(wheel.takeDue(6.99)).toBe(0);
    expect(take(wheel, 7.1)).toEqual([items[4], items[1], items[3]]);
    expect(wheel.nextLook()).toBe(7.5);
    const sooner = item(7.25);
    insert(wheel, sooner);
    expect(wheel.nextLook()).toBe(7.25);
    wheel.remove(sooner);
    expect(wheel.nextLook()).toBe(7.5);
    expect(take(wheel, 7.5)).toEqual([items[2]]);
    expect(take(wheel, Number.MAX_VALUE)).toEqual([items[0]]);
  });

  test('what is not in it can be removed; what was taken or removed can come again', () => {
    const wheel = new TimerWheel<Item>(0);
    const only = item(1);
    wheel.remove(only);
    expect(wheel.size).toBe(0);
    for (let round = 0; round < 3; round++) {
      insert(wheel, only);
      wheel.remove(only);
      insert(wheel, only);
      expect(take(wheel, 1)).toEqual([only]);
    }
    expect([wheel.size, wheel.nextLook()]).toEqual([0, Number.POSITIVE_INFINITY]);
  });

  test('a far deadline needs a look per level at most', () => {
    for (const deadline of [30 * SECOND, DAY + 0.5, YEAR, 1000 * YEAR, REACH - 2]) {
      const wheel = new TimerWheel<Item>(0);
      const far = item(deadline);
      insert(wheel, far);
      let looks = 0;
      for (let due = 0; due === 0; looks++) {
        const look = wheel.nextLook();
        expect(look).toBeLessThanOrEqual(deadline);
        due = wheel.takeDue(look);
        if (due > 0) expect(look).toBe(deadline);
      }
      expect(looks).toBeLessThanOrEqual(8);
    }
  });

  test('later than it reaches, and Infinity, is never, and can be removed', () => {
    const wheel = new TimerWheel<Item>(17);
    const items = [Number.POSITIVE_INFINITY, Number.MAX_VALUE, 1e300, REACH * 2].map(item);
    for (const each of items) insert(wheel, each);
    expect([wheel.size, wheel.nextLook()]).toEqual([4, Number.POSITIVE_INFINITY]);
    expect(wheel.takeDue(5000 * YEAR)).toBe(0);
    expect(new Set(wheel.items())).toEqual(new Set(items));
    for (const each of items) wheel.remove(each);
    expect(wheel.size).toBe(0);
  });

  test('the clock jumps by years, over everything', () => {
    const wheel = new TimerWheel<Item>(0);
    const items = [YEAR, 3, 5 * YEAR, DAY, 0, 2 * YEAR].map(item);
    for (const each of items) insert(wheel, each);
    const inOrder = [items[4], items[1], items[3], items[0], items[5], items[2]];
    expect(take(wheel, 100 * YEAR)).toEqual(inOrder);
    const later = item(100 * YEAR + 1);
    insert(wheel, later);
    expect(wheel.nextLook()).toBe(100 * YEAR + 1);
    expect(take(wheel, 8000 * YEAR)).toEqual([later]);
  });

  test('what is due and was removed is not handed out; what was not served can be put back', () => {
    const wheel = new TimerWheel<Item>(0);
    const items = [5, 5.5, 5, 4, 5].map(item);
    for (const each of items) insert(wheel, each);
    expect([wheel.takeDue(6), wheel.size]).toEqual([5, 0]);
    expect(wheel.shiftDue()).toBe(items[3]);
    expect(wheel.deadlineOf(items[1] as Item)).toBe(5.5);
    wheel.remove(items[2] as Item);
    // It takes the place that was left, and is no part of what is due.
    const later = item(5);
    insert(wheel, later);
    expect(wheel.shiftDue()).toBe(items[0]);
    expect([wheel.serving, wheel.size]).toEqual([true, 1]);
    wheel.putBackDue();
    expect([wheel.serving, wheel.shiftDue(), wheel.size]).toEqual([false, undefined, 3]);
    expect(take(wheel, 6)).toEqual([items[4], later, items[1]]);
  });

  test('few that are left of a million are found, taken and removed when room was given back', () => {
    const wheel = new TimerWheel<Item>(0);
    const items = Array.from({ length: 100_000 }, (_, n) => item(n / 100));
    const far = [DAY, YEAR, Number.POSITIVE_INFINITY, DAY].map(item);
    for (const each of [...items, ...far]) insert(wheel, each);
    expect(take(wheel, 1000)).toEqual(items);
    // Each of these may halve what is kept.
    for (let now = 1001; now < 1020; now++) expect(wheel.takeDue(now)).toBe(0);
    expect(new Set(wheel.items())).toEqual(new Set(far));
    wheel.remove(far[0] as Item);
    const more = item(DAY + 0.5);
    insert(wheel, more);
    expect(take(wheel, 2 * DAY)).toEqual([far[3], more]);
    expect(take(wheel, 2 * YEAR)).toEqual([far[1]]);
    expect(wheel.clear()).toEqual([far[2]]);
  });

  test('thousands of nearly the same deadline are sorted', () => {
    const wheel = new TimerWheel<Item>(0);
    // One far from the rest of its millisecond, so that these are close to each other.
    const items = [9.999_999, ...Array.from({ length: 5000 }, (_, n) => 9 + (n % 7) * 1e-9)].map(
      item,
    );
    for (const each of items) insert(wheel, each);
    const inOrder = items.map((each, n) => ({ each, n }));
    inOrder.sort((a, b) => a.each.deadline - b.each.deadline || a.n - b.n);
    expect(take(wheel, 10)).toEqual(inOrder.map(({ each }) => each));
  });

  test('clear gives back what there was, and all of it is outside afterwards', () => {
    const wheel = new TimerWheel<Item>(0);
    const items = [0, 1, 1, 77, DAY, YEAR, Number.POSITIVE_INFINITY].map(item);
    for (const each of items) insert(wheel, each);
    expect(new Set(wheel.items())).toEqual(new Set(items));
    expect(new Set(wheel.clear())).toEqual(new Set(items));
    expect([wheel.size, wheel.nextLook()]).toEqual([0, Number.POSITIVE_INFINITY]);
    expect(items.every(({ place }) => place === -1)).toBe(true);
    expect([...wheel.items(), ...wheel.clear()]).toEqual([]);
    for (const each of items) insert(wheel, each);
    expect(take(wheel, 0)).toEqual([items[0]]);
  });

  test('a million items: half are removed, the other half comes in order', () => {
    const next = random(seed);
    const wheel = new TimerWheel<Item>(0);
    const count = 1_000_000;
    const items = Array.from({ length: count }, () => item(next() * DAY));
    for (const each of items) insert(wheel, each);
    for (let n = 0; n < count; n += 2) wheel.remove(items[n] as Item);
    expect(wheel.size).toBe(count / 2);
    let last = -1;
    let taken = 0;
    let disorder = 0;
    for (let now = 0; wheel.size > 0; now += 60 * SECOND) {
      for (const { deadline } of take(wheel, now) as Item[]) {
        if (deadline < last || deadline > now) disorder++;
        last = deadline;
        taken++;
      }
    }
    expect([taken, disorder]).toEqual([count / 2, 0]);
  });
});
