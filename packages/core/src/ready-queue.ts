// What is ready and not yet served, by priority: first come, first served within one.
//
// When a turn's budget is used up, the rest stays here for the next turn. So nothing is lost, not
// even an edge, and one busy descriptor cannot keep the others from their turn.

import type { Ready } from './loop.js';

/** Most urgent first: 2, 1, 0, -1, -2, as in libev. */
export const MAX_PRIORITY = 2;
export const MIN_PRIORITY = -2;
/** A lane that is never empty is cut off at its head this often. */
const COMPACT = 1024;
const LANES = MAX_PRIORITY - MIN_PRIORITY + 1;

interface Lane<T> {
  items: T[];
  head: number;
}

export class ReadyQueue<T extends Pick<Ready, 'priority' | 'queued'>> {
  readonly #lanes: Lane<T>[] = Array.from({ length: LANES }, () => ({ items: [], head: 0 }));
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Does nothing for an item that is queued already. */
  push(item: T): void {
    if (item.queued) return;
    item.queued = true;
    this.#size++;
    this.#laneOf(item.priority).items.push(item);
  }

  /** Takes out the most urgent. */
  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    for (const lane of this.#lanes) {
      const item = lane.items[lane.head];
      if (item === undefined) continue;
      lane.head++;
      if (lane.head === lane.items.length) {
        // Popped, for what is cut off gives its memory back, and the next push would ask for it anew.
        while (lane.items.length > 0) lane.items.pop();
        lane.head = 0;
      } else if (lane.head === COMPACT) {
        lane.items.splice(0, COMPACT);
        lane.head = 0;
      }
      this.#size--;
      item.queued = false;
      return item;
    }
    return undefined;
  }

  #laneOf(priority: number): Lane<T> {
    return this.#lanes[MAX_PRIORITY - priority] as Lane<T>;
  }
}
