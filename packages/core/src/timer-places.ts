// What the timing wheel keeps of each of its items: a record of 32 bytes, in one array of numbers. An
// item has a place, which tells where its record is. Records lie in one array, not a field of each in
// an array of its own, for what makes a million timers slow is the memory that is not in the cache:
// so it is half a line of it for each. Free places are a list through `next`. The array doubles when
// it is full, and is halved while no more than an eighth of it is used.

/** What the wheel needs of a timer. */
export interface WheelItem {
  /** Where the wheel keeps what it knows of it; the wheel's own. NOWHERE when it is not there. */
  place: number;
}

/** No place; also the end of a list. */
export const NOWHERE = -1;
/** In place of a slot: it is due, and `next` is its index among what is. */
export const TAKEN = -1;

// A record: the deadline (milliseconds on the reactor's clock) and an order that rises with each
// insertion, as doubles; then, as integers, the next and the previous place, and the slot.
const DOUBLES = 4;
const WORDS = 8;
const ORDER = 1;
const NEXT = 4;
const PREVIOUS = 5;
const SLOT = 6;

const LEAST = 64;
/** So few places are not worth giving back. */
const FEW = 4096;

export class TimerPlaces<T extends WheelItem> {
  readonly #items: (T | undefined)[] = [];
  #doubles = new Float64Array(LEAST * DOUBLES);
  #words = new Int32Array(this.#doubles.buffer);
  #order = 0;
  /** First of the free places below `#used`; those from there on were never taken. */
  #free = NOWHERE;
  #used = 0;

  /** A place for an item, not linked yet. */
  take(item: T, deadline: number): number {
    let place = this.#free;
    if (place >= 0) {
      this.#free = this.next(place);
    } else {
      place = this.#used++;
      if (place * DOUBLES === this.#doubles.length) this.#resize(2 * place);
    }
    this.#doubles[place * DOUBLES] = deadline;
    this.#doubles[place * DOUBLES + ORDER] = this.#order++;
    this.#items[place] = item;
    item.place = place;
    return place;
  }

  /** The item of a place that is in no list any more. */
  release(place: number): T {
    const item = this.#items[place] as T;
    this.#items[place] = undefined;
    this.setNext(place, this.#free);
    this.#free = place;
    item.place = NOWHERE;
    return item;
  }

  item(place: number): T {
    return this.#items[place] as T;
  }

  deadline(place: number): number {
    return this.#doubles[place * DOUBLES] as number;
  }

  order(place: number): number {
    return this.#doubles[place * DOUBLES + ORDER] as number;
  }

  /** Whether the timer of one place comes before that of another: is due earlier, or was set earlier. */
  isBefore(one: number, other: number): boolean {
    const mine = this.#doubles[one * DOUBLES] as number;
    const theirs = this.#doubles[other * DOUBLES] as number;
    return mine < theirs || (mine === theirs && this.order(one) < this.order(other));
  }

  next(place: number): number {
    return this.#words[place * WORDS + NEXT] as number;
  }

  setNext(place: number, next: number): void {
    this.#words[place * WORDS + NEXT] = next;
  }

  previous(place: number): number {
    return this.#words[place * WORDS + PREVIOUS] as number;
  }

  setPrevious(place: number, previous: number): void {
    this.#words[place * WORDS + PREVIOUS] = previous;
  }

  slot(place: number): number {
    return this.#words[place * WORDS + SLOT] as number;
  }

  setSlot(place: number, slot: number): void {
    this.#words[place * WORDS + SLOT] = slot;
  }

  /**
   * Halves the array if `size` items, all of them linked, need no more than an eighth. They get new
   * places; `first` and `last` of each list are told.
   */
  shrink(size: number, first: Int32Array, last: Int32Array): void {
    const capacity = this.#doubles.length / DOUBLES;
    if (capacity <= FEW || size > capacity / 8) return;
    const doubles = new Float64Array((capacity / 2) * DOUBLES);
    const words = new Int32Array(doubles.buffer);
    const items: T[] = [];
    for (let slot = 0; slot < first.length; slot++) {
      let before = NOWHERE;
      for (let old = first[slot] as number; old >= 0; old = this.next(old)) {
        const place = items.length;
        const item = this.item(old);
        items.push(item);
        item.place = place;
        doubles[place * DOUBLES] = this.deadline(old);
        doubles[place * DOUBLES + ORDER] = this.order(old);
        words[place * WORDS + NEXT] = NOWHERE;
        words[place * WORDS + PREVIOUS] = before;
        words[place * WORDS + SLOT] = slot;
        if (before < 0) first[slot] = place;
        else words[before * WORDS + NEXT] = place;
        before = place;
      }
      last[slot] = before;
    }
    this.#doubles = doubles;
    this.#words = words;
    this.#items.length = 0;
    for (const item of items) this.#items.push(item);
    this.#used = items.length;
    this.#free = NOWHERE;
  }

  #resize(capacity: number): void {
    const doubles = new Float64Array(capacity * DOUBLES);
    doubles.set(this.#doubles);
    this.#doubles = doubles;
    this.#words = new Int32Array(doubles.buffer);
  }
}
