// Timers ordered by deadline: a 4-ary heap whose items know their place, so that a cancel needs no
// search. Equal deadlines come in the order they were set.

export interface Deadline {
  /** Milliseconds on the reactor's clock. */
  deadline: number;
  /** Rises with each insertion; breaks ties. */
  order: number;
  /** Place in the heap, -1 when not in it. */
  place: number;
}

const ARITY = 4;

export class TimerQueue<T extends Deadline> {
  #heap: T[] = [];
  #order = 0;

  get size(): number {
    return this.#heap.length;
  }

  /** The order that the next insertion will get. */
  get nextOrder(): number {
    return this.#order;
  }

  /** The earliest, or undefined. */
  peek(): T | undefined {
    return this.#heap[0];
  }

  insert(item: T): void {
    item.order = this.#order++;
    this.#heap.push(item);
    this.#up(item, this.#heap.length - 1);
  }

  remove(item: T): void {
    const place = item.place;
    if (place < 0) return;
    item.place = -1;
    const last = this.#heap.pop();
    if (last === undefined || last === item) return;
    this.#up(last, place);
    this.#down(last, last.place);
  }

  /** Every item; the queue is empty afterwards. */
  clear(): T[] {
    const items = this.#heap;
    this.#heap = [];
    for (const item of items) item.place = -1;
    return items;
  }

  #up(item: T, from: number): void {
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 2;
      const parent = this.#heap[above];
      if (parent === undefined || !before(item, parent)) break;
      this.#put(parent, place);
      place = above;
    }
    this.#put(item, place);
  }

  #down(item: T, from: number): void {
    let place = from;
    for (;;) {
      const first = place * ARITY + 1;
      let least: T | undefined;
      for (let child = first; child < first + ARITY; child++) {
        const candidate = this.#heap[child];
        if (candidate === undefined) break;
        if (least === undefined || before(candidate, least)) least = candidate;
      }
      if (least === undefined || !before(least, item)) break;
      const next = least.place;
      this.#put(least, place);
      place = next;
    }
    this.#put(item, place);
  }

  #put(item: T, place: number): void {
    this.#heap[place] = item;
    item.place = place;
  }
}

function before(a: Deadline, b: Deadline): boolean {
  return a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order);
}
