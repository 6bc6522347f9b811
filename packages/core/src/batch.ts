// The batch hook: a layer above (net) gets all ready events of its own descriptors in one call, in
// typed arrays, instead of a callback for each. Its descriptors obey the same generations, budget
// and priorities as watchers do.
import { Handle } from './handle.js';
import type { Loop, Ready } from './loop.js';
import { checkFd, checkFunction, checkInterest, checkKey } from './validate.js';

/**
 * `records` holds two words for each of `count` ready descriptors: the key given to `add`, and bits
 * of `Events`; 0 bits for one that was modified or deleted meanwhile. Valid during the call.
 */
export type BatchCallback = (records: Uint32Array, count: number, batch: Batch) => void;

const FIRST_CAPACITY = 64;

export class Batch extends Handle implements Ready {
  readonly priority: number;
  /** @internal */
  queued = false;
  readonly #callback: BatchCallback;
  // Two arrays take turns: one is filled while the callback reads the other.
  #filling = new Uint32Array(2 * FIRST_CAPACITY);
  #reading = new Uint32Array(2 * FIRST_CAPACITY);
  #count = 0;
  /** Where each descriptor's pending record is. */
  #places = new Map<number, number>();
  #readPlaces = new Map<number, number>();
  #size = 0;

  /** @internal Made by `reactor.batch`. */
  constructor(
    loop: Loop,
    callback: BatchCallback,
    priority: number,
    signal: AbortSignal | undefined,
  ) {
    super(loop, 'POLLUXBATCH', signal);
    this.#callback = callback;
    this.priority = priority;
    loop.handles.add(this);
  }

  /** How many descriptors it has. */
  get size(): number {
    return this.#size;
  }

  /** @internal */
  get label(): string {
    return `a batch of ${this.#size} descriptors`;
  }

  /** As `Poller.add`, level mode. EEXIST for a descriptor that has watchers or is in a batch. */
  add(fd: number, interest: number, key: number): void {
    this.#check(fd, interest, key);
    this.loop.table.insertBatched(this, fd, interest, key);
    this.#size++;
    this.setActive(true);
  }

  /** As `Poller.modify`. */
  modify(fd: number, interest: number, key: number): void {
    this.#check(fd, interest, key);
    this.loop.table.changeBatched(this, fd, interest, key);
    this.#void(fd);
  }

  /** As `Poller.delete`: at once, also for a record not yet delivered. */
  delete(fd: number): void {
    this.assertOpen();
    checkFd(fd);
    this.loop.table.removeBatched(this, fd);
    this.forgotten(fd);
  }

  /**
   * For use in the callback: calls `listener` as the reactor calls its own. What was queued before
   * (nextTicks, promises) runs first, and what it throws is reported and costs the others nothing.
   */
  call(listener: () => void): void {
    checkFunction('listener', listener);
    this.loop.call(listener);
  }

  /** @internal The table has forgotten a descriptor. */
  forgotten(fd: number): void {
    this.#void(fd);
    if (--this.#size === 0) this.setActive(false);
  }

  /** @internal The poller found this on one of our descriptors. */
  collect(fd: number, key: number, events: number): void {
    const known = this.#places.get(fd);
    if (known !== undefined) {
      this.#filling[2 * known + 1] = (this.#filling[2 * known + 1] as number) | events;
      return;
    }
    if (2 * this.#count === this.#filling.length) {
      const larger = new Uint32Array(2 * this.#filling.length);
      larger.set(this.#filling);
      this.#filling = larger;
    }
    this.#filling[2 * this.#count] = key;
    this.#filling[2 * this.#count + 1] = events;
    this.#places.set(fd, this.#count++);
    this.loop.queue.push(this);
  }

  /** @internal */
  get wanted(): boolean {
    return this.#count > 0;
  }

  /** @internal */
  fire(): void {
    const records = this.#filling;
    this.#filling = this.#reading;
    this.#reading = records;
    const count = this.#count;
    this.#count = 0;
    const places = this.#readPlaces;
    places.clear();
    this.#readPlaces = this.#places;
    this.#places = places;
    this.invoke(this.#callback, records, count, this);
  }

  protected release(): void {
    this.loop.handles.delete(this);
    this.loop.table.removeBatch(this);
    this.#size = 0;
    this.#count = 0;
    this.#reading.fill(0);
  }

  #void(fd: number): void {
    const pending = this.#places.get(fd);
    if (pending !== undefined) this.#filling[2 * pending + 1] = 0;
    this.#places.delete(fd);
    const reading = this.#readPlaces.get(fd);
    if (reading !== undefined) this.#reading[2 * reading + 1] = 0;
    this.#readPlaces.delete(fd);
  }

  #check(fd: number, interest: number, key: number): void {
    this.assertOpen();
    checkFd(fd);
    checkInterest(interest);
    checkKey(key);
  }
}
