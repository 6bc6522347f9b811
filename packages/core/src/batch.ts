// The batch hook: a layer above (net) gets all ready events of its own descriptors in one call, in
// typed arrays, instead of a callback for each. Its descriptors obey the same generations, budget
// and priorities as watchers do.
import { AsyncResource } from 'node:async_hooks';
import { Handle } from './handle.js';
import type { Loop, Ready } from './loop.js';
import { checkBoolean, checkFd, checkFunction, checkInterest, checkKey } from './validate.js';

/**
 * `records` holds two words for each of `count` ready descriptors: the key given to `add`, and bits
 * of `Events`; 0 bits for one that was modified or deleted meanwhile. Valid during the call.
 */
export type BatchCallback = (records: Uint32Array, count: number, batch: Batch) => void;

/** @internal What a batch keeps of each of its descriptors. */
export interface BatchedFd {
  batchKey: number;
  /** Where its last record is, and in which round that was made. */
  batchPlace: number;
  batchRound: number;
}

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
  /** Grows when the arrays change places. A record made before the last time is gone. */
  #round = 1;
  #size = 0;
  readonly #onClose: (() => void) | undefined;

  /** @internal Made by `reactor.batch`. */
  constructor(
    loop: Loop,
    callback: BatchCallback,
    options: { priority?: number; signal?: AbortSignal; onClose?: () => void },
  ) {
    super(loop, new AsyncResource('POLLUXBATCH'), options.signal);
    this.#callback = callback;
    this.#onClose = options.onClose;
    this.priority = options.priority ?? 0;
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

  /**
   * As `Poller.add`, level mode; of its options `exclusive` only. EEXIST for a descriptor that has
   * watchers or is in a batch.
   */
  add(fd: number, interest: number, key: number, options?: { exclusive?: boolean }): void {
    this.#check(fd, interest, key);
    checkBoolean('options.exclusive', options?.exclusive);
    this.loop.table.insertBatched(this, fd, interest, key, options?.exclusive ?? false);
    this.#size++;
    this.setActive(true);
  }

  /** As `Poller.modify`. */
  modify(fd: number, interest: number, key: number): void {
    this.#check(fd, interest, key);
    this.#void(this.loop.table.changeBatched(this, fd, interest, key));
  }

  /** As `Poller.delete`: at once, also for a record not yet delivered. */
  delete(fd: number): void {
    this.assertOpen();
    checkFd(fd);
    this.forgotten(this.loop.table.removeBatched(this, fd));
  }

  /** Whether nobody may be called now: the reactor was stopped, or closed. */
  get halted(): boolean {
    return this.loop.halted;
  }

  /**
   * For use in a callback of the reactor: calls `step` again and again, until it returns false, as
   * the reactor calls its own. What was queued before (nextTicks, promises) runs first, and what a
   * step throws is reported. Then it is called again, so it must have moved on before it throws. Ends
   * too when the reactor is stopped or closed.
   */
  drive(step: () => boolean): void {
    checkFunction('step', step);
    this.loop.drive(step);
  }

  /** @internal The table has forgotten a descriptor. */
  forgotten(entry: BatchedFd): void {
    this.#void(entry);
    if (--this.#size === 0) this.setActive(false);
  }

  /** @internal The poller found this on one of our descriptors. */
  collect(entry: BatchedFd, events: number): void {
    if (entry.batchRound === this.#round) {
      const at = 2 * entry.batchPlace + 1;
      this.#filling[at] = (this.#filling[at] as number) | events;
      return;
    }
    if (2 * this.#count === this.#filling.length) {
      const larger = new Uint32Array(2 * this.#filling.length);
      larger.set(this.#filling);
      this.#filling = larger;
    }
    this.#filling[2 * this.#count] = entry.batchKey;
    this.#filling[2 * this.#count + 1] = events;
    entry.batchRound = this.#round;
    entry.batchPlace = this.#count++;
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
    this.#round++;
    this.invoke(this.#callback, records, count, this);
  }

  protected release(): void {
    this.loop.handles.delete(this);
    this.loop.table.removeBatch(this);
    this.#size = 0;
    this.#count = 0;
    this.#reading.fill(0);
    this.#onClose?.();
  }

  /** In the array that is being filled, or the one that the callback reads. */
  #void(entry: BatchedFd): void {
    const age = this.#round - entry.batchRound;
    if (age === 0) this.#filling[2 * entry.batchPlace + 1] = 0;
    else if (age === 1) this.#reading[2 * entry.batchPlace + 1] = 0;
    if (age === 0) entry.batchRound = 0;
  }

  #check(fd: number, interest: number, key: number): void {
    this.assertOpen();
    checkFd(fd);
    checkInterest(interest);
    checkKey(key);
  }
}
