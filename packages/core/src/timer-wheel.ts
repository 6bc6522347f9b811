// The timers of a reactor: a hierarchical timing wheel (Varghese and Lauck, 1987).
//
// Insert and cancel are a few assignments however many timers there are, and nothing is allocated
// for either. A slot of the lowest level is one millisecond; its timers are sorted by deadline,
// fractions included, when it is due. A slot of a higher level spans a whole turn of the one below
// it, and is dealt out into that when its time has come, so an item moves at most once per level.
//
// The level of an item is that of the highest bit in which its millisecond differs from the wheel's
// present one. So all of level 0 is due before any of level 1, and so on, and the earliest slot is
// found in bitmaps, without a search over time.
//
// Deadlines and links are in a typed array, by the place of an item (timer-places.ts), not fields of
// it: a million timers are then a million small objects that the garbage collector need not follow
// from one to the next, and a deadline is no number on the heap.
import { NOWHERE, TAKEN, TimerPlaces, type WheelItem } from './timer-places.js';
import { DeadlineSort } from './timer-sort.js';

export type { WheelItem } from './timer-places.js';

const SLOT_BITS = 6;
const SLOTS = 1 << SLOT_BITS;
/** 64^8 ms: 8,925 years. Later than that, and Infinity, is never. */
const LEVELS = 8;
const NEVER = LEVELS * SLOTS;
const HALF = 32;
/** So many items are looked at together. */
const TOGETHER = 32;
/** What is due may be so many without their list being given back afterwards. */
const MANY = 4096;
const END_OF_TIME = SLOTS ** LEVELS - 1;
/** Milliseconds up to here are small integers to V8, and bits can be compared. */
const SMALL = 2 ** 30;

export class TimerWheel<T extends WheelItem> {
  readonly #places = new TimerPlaces<T>();
  readonly #sort = new DeadlineSort();
  /** First and last place of each slot, level by level; one more for what never comes. */
  readonly #first = new Int32Array(NEVER + 1).fill(NOWHERE);
  readonly #last = new Int32Array(NEVER + 1).fill(NOWHERE);
  /** Two words per level: which slots have items. */
  readonly #busy = new Uint32Array(LEVELS * 2);
  /** The millisecond the wheel stands at: no item is before it. */
  #tick = 0;
  readonly #base: number;
  #size = 0;
  /** The slot of level 0 whose earliest deadline is known, -1 for none, and that deadline. */
  #knownSlot = -1;
  #known = 0;
  /** What takeDue took: places in order, NOWHERE for one removed since; how many; the next of them. */
  #due: Int32Array = new Int32Array(64);
  #dueCount = 0;
  #dueNext = 0;
  /** Of no use, but for it what computes it is not left out. */
  touched = 0;

  /** `now` is the clock's, in milliseconds; all deadlines are on the same clock. */
  constructor(now: number) {
    this.#base = Math.floor(now);
  }

  /** How many are in it. What is due and taken is not. */
  get size(): number {
    return this.#size;
  }

  /** Its deadline: milliseconds on the reactor's clock, with fractions; may be Infinity. */
  insert(item: T, deadline: number): void {
    this.#size++;
    this.#link(this.#places.take(item, deadline), this.#slotOf(deadline));
  }

  /** Does nothing for an item that is neither in the wheel nor due. */
  remove(item: T): void {
    const { place } = item;
    if (place < 0) return;
    const places = this.#places;
    if (places.slot(place) === TAKEN) {
      this.#due[places.next(place)] = NOWHERE;
    } else {
      this.#size--;
      this.#unlink(place);
    }
    places.release(place);
  }

  /** The deadline of an item that is in the wheel, or due and not yet served. */
  deadlineOf(item: T): number {
    return this.#places.deadline(item.place);
  }

  /**
   * When to look again: the earliest deadline if it is near, else a moment not after it. Infinity
   * if there is nothing to come.
   */
  nextLook(): number {
    const slot = this.#earliest();
    if (slot < 0) return Number.POSITIVE_INFINITY;
    if (slot >= SLOTS) return this.#base + this.#startOf(slot);
    if (slot !== this.#knownSlot) {
      const places = this.#places;
      let known = Number.POSITIVE_INFINITY;
      for (let at = this.#first[slot] as number; at >= 0; at = places.next(at)) {
        known = Math.min(known, places.deadline(at));
      }
      this.#known = known;
      this.#knownSlot = slot;
    }
    return this.#known;
  }

  /**
   * Takes out every item whose deadline is `now` or before it, for `shiftDue` to hand out in order of
   * deadline, and of insertion where equal. Returns how many.
   */
  takeDue(now: number): number {
    this.putBackDue();
    this.#tidy();
    let count = 0;
    const nowTick = Math.min(Math.floor(now) - this.#base, END_OF_TIME);
    for (;;) {
      const slot = this.#earliest();
      if (slot < 0) break;
      const start = this.#startOf(slot);
      if (start > nowTick) break;
      this.#tick = start;
      // After a stall all of a higher slot may be due: then it is sorted as a whole.
      if (slot >= SLOTS && start + SLOTS ** (slot >> SLOT_BITS) > nowTick) {
        this.#dealOut(slot);
        continue;
      }
      count = this.#takeSlot(slot, now, count);
      // Something in it is not due yet.
      if (this.#first[slot] !== NOWHERE) break;
    }
    if (nowTick > this.#tick) this.#standAt(nowTick);
    this.#dueCount = count;
    return count;
  }

  /** Whether something that was due may not have been served yet. */
  get serving(): boolean {
    return this.#dueNext < this.#dueCount;
  }

  /** The next one that is due, and was not removed meanwhile; undefined if there is none left. */
  shiftDue(): T | undefined {
    while (this.#dueNext < this.#dueCount) {
      if (this.#dueNext % TOGETHER === 0) this.touched = this.#touch();
      const place = this.#due[this.#dueNext++] as number;
      if (place >= 0) return this.#places.release(place);
    }
    return undefined;
  }

  /**
   * Looks at the next few items, one right after the other: what of a million timers is not in the
   * cache is then fetched for all of them at once, not for each when it is called.
   */
  #touch(): number {
    const end = Math.min(this.#dueNext + TOGETHER, this.#dueCount);
    let seen = 0;
    for (let n = this.#dueNext; n < end; n++) {
      const place = this.#due[n] as number;
      if (place >= 0) seen += this.#places.item(place).place;
    }
    return seen;
  }

  /** What is due and was not served is in the wheel again, and keeps its place among its equals. */
  putBackDue(): void {
    while (this.#dueNext < this.#dueCount) {
      const place = this.#due[this.#dueNext++] as number;
      if (place < 0) continue;
      this.#size++;
      this.#link(place, this.#slotOf(this.#places.deadline(place)));
    }
  }

  /** Everything that is in it, in no particular order. */
  *items(): Generator<T> {
    for (const first of this.#first) {
      for (let at = first; at >= 0; at = this.#places.next(at)) {
        yield this.#places.item(at);
      }
    }
  }

  /** Takes out everything, and what is due. */
  clear(): T[] {
    this.putBackDue();
    const all = [...this.items()];
    for (const item of all) this.remove(item);
    return all;
  }

  /** Nothing is due now: what a burst has left behind is given back. */
  #tidy(): void {
    this.#dueNext = 0;
    this.#dueCount = 0;
    if (this.#due.length > MANY) this.#due = new Int32Array(64);
    this.#places.shrink(this.#size, this.#first, this.#last);
  }

  /** Takes what is due of a millisecond, sorted, to `#due` from an index on; returns where it ends. */
  #takeSlot(slot: number, now: number, from: number): number {
    const places = this.#places;
    let to = from;
    let sorted = true;
    for (let at = this.#first[slot] as number; at >= 0; ) {
      const following = places.next(at);
      if (places.deadline(at) <= now) {
        this.#unlink(at);
        if (to === this.#due.length) this.#due = larger(this.#due);
        if (to > from && places.isBefore(at, this.#due[to - 1] as number)) sorted = false;
        this.#due[to++] = at;
      }
      at = following;
    }
    this.#size -= to - from;
    // Milliseconds come in order; within one, a slot is often sorted, or small.
    if (!sorted) this.#sort.sort(this.#due, from, to, places);
    for (let n = from; n < to; n++) places.setNext(this.#due[n] as number, n);
    return to;
  }

  /** A slot of a higher level has come: its items go where they belong as seen from its start. */
  #dealOut(slot: number): void {
    const places = this.#places;
    let at = this.#first[slot] as number;
    this.#first[slot] = NOWHERE;
    this.#last[slot] = NOWHERE;
    this.#setIdle(slot);
    while (at >= 0) {
      const following = places.next(at);
      this.#link(at, this.#slotOf(places.deadline(at)));
      at = following;
    }
  }

  /**
   * Nothing is left before `tick`, so the wheel may stand there. A higher slot that begins at or
   * before it and still has items is dealt out by the next takeDue.
   */
  #standAt(tick: number): void {
    const slot = this.#earliest();
    this.#tick = slot < 0 ? tick : Math.min(tick, this.#startOf(slot));
  }

  #slotOf(deadline: number): number {
    if (!(deadline < this.#base + END_OF_TIME)) return NEVER;
    const tick = Math.max(Math.floor(deadline) - this.#base, this.#tick);
    if (tick < SMALL) {
      const bit = 31 - Math.clz32((tick ^ this.#tick) | 1);
      const level = (bit / SLOT_BITS) | 0;
      return level * SLOTS + ((tick >> (level * SLOT_BITS)) & (SLOTS - 1));
    }
    let level = 0;
    let mine = tick;
    for (let a = tick, b = this.#tick; ; level++) {
      a = Math.floor(a / SLOTS);
      b = Math.floor(b / SLOTS);
      if (a === b) break;
      mine = a;
    }
    return level * SLOTS + (mine % SLOTS);
  }

  /** The millisecond at which a slot begins, as seen from where the wheel stands. */
  #startOf(slot: number): number {
    const level = slot >> SLOT_BITS;
    const span = SLOTS ** level;
    const turn = span * SLOTS;
    return Math.floor(this.#tick / turn) * turn + (slot & (SLOTS - 1)) * span;
  }

  /** The slot that comes first, -1 for none. Lower levels come before higher ones. */
  #earliest(): number {
    for (let level = 0; level < LEVELS; level++) {
      const low = this.#busy[2 * level] as number;
      if (low !== 0) return level * SLOTS + trailingZeros(low);
      const high = this.#busy[2 * level + 1] as number;
      if (high !== 0) return level * SLOTS + HALF + trailingZeros(high);
    }
    return -1;
  }

  #link(place: number, slot: number): void {
    const places = this.#places;
    const last = this.#last[slot] as number;
    places.setSlot(place, slot);
    places.setNext(place, NOWHERE);
    places.setPrevious(place, last);
    this.#last[slot] = place;
    if (slot === this.#knownSlot) this.#known = Math.min(this.#known, places.deadline(place));
    if (last >= 0) {
      places.setNext(last, place);
      return;
    }
    this.#first[slot] = place;
    if (slot < NEVER) this.#busy[slot >> 5] = (this.#busy[slot >> 5] as number) | bitOf(slot);
  }

  #unlink(place: number): void {
    const places = this.#places;
    const slot = places.slot(place);
    const next = places.next(place);
    const previous = places.previous(place);
    if (slot === this.#knownSlot && places.deadline(place) === this.#known) this.#knownSlot = -1;
    places.setSlot(place, TAKEN);
    if (next >= 0) places.setPrevious(next, previous);
    else this.#last[slot] = previous;
    if (previous >= 0) {
      places.setNext(previous, next);
      return;
    }
    this.#first[slot] = next;
    if (next < 0) this.#setIdle(slot);
  }

  #setIdle(slot: number): void {
    if (slot < NEVER) this.#busy[slot >> 5] = (this.#busy[slot >> 5] as number) & ~bitOf(slot);
  }
}

function bitOf(slot: number): number {
  return 1 << (slot & 31);
}

function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word);
}

function larger(list: Int32Array): Int32Array {
  const twice = new Int32Array(2 * list.length);
  twice.set(list);
  return twice;
}
