// The timers of a reactor: a hierarchical timing wheel (Varghese and Lauck, 1987).
//
// Insert and cancel are a few assignments however many timers there are, and nothing is allocated
// for either: an item is linked into the list of a slot by its own fields. A slot of the lowest
// level is one millisecond; its timers are sorted by deadline, fractions included, when it is due. A
// slot of a higher level spans a whole turn of the one below it, and is dealt out into that when its
// time has come, so an item moves at most once per level.
//
// The level of an item is that of the highest bit in which its millisecond differs from the wheel's
// present one. So all of level 0 is due before any of level 1, and so on, and the earliest slot is
// found in bitmaps, without a search over time.

/** What the wheel needs of a timer. The fields belong to the wheel. */
export interface WheelItem {
  /** Milliseconds on the reactor's clock, with fractions; may be Infinity. */
  deadline: number;
  /** Rises with each insertion; breaks ties. */
  order: number;
  /** The slot it is in, -1 for none. */
  slot: number;
  next: WheelItem | undefined;
  previous: WheelItem | undefined;
}

const SLOT_BITS = 6;
const SLOTS = 1 << SLOT_BITS;
/** 64^8 ms: 8,925 years. Later than that, and Infinity, is never. */
const LEVELS = 8;
const HALF = 32;
/** `due` does not stay larger than this. */
const MANY = 4096;
/** Up to here, a sort in place beats one that allocates. */
const FEW = 64;
const END_OF_TIME = SLOTS ** LEVELS - 1;

export class TimerWheel<T extends WheelItem> {
  /** First and last item of each slot, level by level; one more for what never comes. */
  readonly #first: (T | undefined)[] = new Array(LEVELS * SLOTS + 1).fill(undefined);
  readonly #last: (T | undefined)[] = new Array(LEVELS * SLOTS + 1).fill(undefined);
  /** Two words per level: which slots have items. */
  readonly #busy = new Uint32Array(LEVELS * 2);
  /** The millisecond the wheel stands at: no item is before it. */
  #tick = 0;
  readonly #base: number;
  #size = 0;
  #order = 0;
  /** The slot of level 0 whose earliest deadline is known, -1 for none, and that deadline. */
  #knownSlot = -1;
  #known = 0;
  /** What takeDue took. It is kept, and so filled without allocating; who reads it clears it. */
  readonly due: (T | undefined)[] = [];

  /** `now` is the clock's, in milliseconds; all deadlines are on the same clock. */
  constructor(now: number) {
    this.#base = Math.floor(now);
  }

  get size(): number {
    return this.#size;
  }

  insert(item: T): void {
    item.order = this.#order++;
    this.putBack(item);
  }

  /** For one that was taken out and not served: it keeps its place among its equals. */
  putBack(item: T): void {
    this.#size++;
    this.#link(item, this.#slotOf(item.deadline));
  }

  /** Does nothing for an item that is not in the wheel. */
  remove(item: T): void {
    if (item.slot < 0) return;
    this.#size--;
    this.#unlink(item);
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
      this.#known = Number.POSITIVE_INFINITY;
      for (let item = this.#first[slot]; item !== undefined; item = item.next as T | undefined) {
        if (item.deadline < this.#known) this.#known = item.deadline;
      }
      this.#knownSlot = slot;
    }
    return this.#known;
  }

  /**
   * Takes out every item whose deadline is `now` or before it, in order of deadline, and of
   * insertion where equal. Returns how many; they are the first ones of `due`, until the next call.
   */
  takeDue(now: number): number {
    if (this.due.length > MANY) this.due.length = 0;
    let count = 0;
    const nowTick = Math.min(Math.floor(now) - this.#base, END_OF_TIME);
    for (;;) {
      const slot = this.#earliest();
      if (slot < 0) break;
      const start = this.#startOf(slot);
      if (start > nowTick) break;
      this.#tick = start;
      if (slot >= SLOTS) {
        this.#dealOut(slot);
        continue;
      }
      count = this.#takeSlot(slot, now, count);
      // Something in it is not due yet.
      if (this.#first[slot] !== undefined) break;
    }
    if (nowTick > this.#tick) this.#standAt(nowTick);
    return count;
  }

  /** Everything that is in it, in no particular order. */
  *items(): Generator<T> {
    for (const first of this.#first) {
      for (let item = first; item !== undefined; item = item.next as T | undefined) yield item;
    }
  }

  /** Takes out everything. */
  clear(): T[] {
    const all: T[] = [];
    for (let slot = 0; slot < this.#first.length; slot++) {
      for (let item = this.#first[slot]; item !== undefined; ) {
        const next = item.next as T | undefined;
        this.#unlink(item);
        all.push(item);
        item = next;
      }
    }
    this.#size = 0;
    return all;
  }

  /** Takes what is due of a millisecond, sorted, to `due` from a place on; returns where it ends. */
  #takeSlot(slot: number, now: number, from: number): number {
    const { due } = this;
    let to = from;
    let sorted = true;
    for (let item = this.#first[slot]; item !== undefined; ) {
      const next = item.next as T | undefined;
      if (item.deadline <= now) {
        this.#unlink(item);
        this.#size--;
        if (to > from && byDeadline(due[to - 1] as T, item) > 0) sorted = false;
        due[to++] = item;
      }
      item = next;
    }
    // Milliseconds come in order; within one, a slot is often sorted, or small.
    if (sorted) return to;
    const items = due as T[];
    if (to - from <= FEW) insertionSort(items, from, to);
    else for (const item of items.slice(from, to).sort(byDeadline)) due[from++] = item;
    return to;
  }

  /** A slot of a higher level has come: its items go where they belong as seen from its start. */
  #dealOut(slot: number): void {
    for (let item = this.#first[slot]; item !== undefined; ) {
      const next = item.next as T | undefined;
      this.#unlink(item);
      this.#link(item, this.#slotOf(item.deadline));
      item = next;
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
    if (!(deadline < this.#base + END_OF_TIME)) return LEVELS * SLOTS;
    const tick = Math.max(Math.floor(deadline) - this.#base, this.#tick);
    let level = 0;
    let mine = tick;
    let present = this.#tick;
    for (let a = mine, b = present; ; ) {
      a = Math.floor(a / SLOTS);
      b = Math.floor(b / SLOTS);
      if (a === b) break;
      level++;
      mine = a;
      present = b;
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

  #link(item: T, slot: number): void {
    const last = this.#last[slot];
    item.slot = slot;
    item.next = undefined;
    item.previous = last;
    if (slot === this.#knownSlot && item.deadline < this.#known) this.#known = item.deadline;
    this.#last[slot] = item;
    if (last !== undefined) {
      last.next = item;
      return;
    }
    this.#first[slot] = item;
    if (slot < LEVELS * SLOTS) this.#busy[slot >> 5] = this.#wordOf(slot) | bitOf(slot);
  }

  #unlink(item: T): void {
    const { slot, next, previous } = item;
    if (slot === this.#knownSlot && item.deadline === this.#known) this.#knownSlot = -1;
    item.slot = -1;
    item.next = undefined;
    item.previous = undefined;
    if (next !== undefined) next.previous = previous;
    else this.#last[slot] = previous as T | undefined;
    if (previous !== undefined) previous.next = next;
    else this.#first[slot] = next as T | undefined;
    if (this.#first[slot] === undefined && slot < LEVELS * SLOTS) {
      this.#busy[slot >> 5] = this.#wordOf(slot) & ~bitOf(slot);
    }
  }

  #wordOf(slot: number): number {
    return this.#busy[slot >> 5] as number;
  }
}

function bitOf(slot: number): number {
  return 1 << (slot & 31);
}

function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word);
}

function byDeadline(a: WheelItem, b: WheelItem): number {
  return a.deadline - b.deadline || a.order - b.order;
}

function insertionSort(items: WheelItem[], from: number, to: number): void {
  for (let i = from + 1; i < to; i++) {
    const item = items[i] as WheelItem;
    let at = i;
    for (; at > from; at--) {
      const before = items[at - 1] as WheelItem;
      if (before.deadline < item.deadline) break;
      if (before.deadline === item.deadline && before.order < item.order) break;
      items[at] = before;
    }
    items[at] = item;
  }
}
