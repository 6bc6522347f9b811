// The datagrams of a socket for `for await`. What one receive brought is queued; while any of it
// waits the socket is not read, so that the system keeps, and at last drops, what is more.
import type { DatagramInfo } from './datagram-inbox.js';

/** A datagram as a loop gets it. */
export interface Datagram<P> {
  /** The receiver's own. */
  readonly data: Buffer;
  readonly peer: P;
  /** Undefined if there is nothing to say: see `packetInfo`. */
  readonly info: DatagramInfo | undefined;
}

interface Waiter<P> {
  resolve(result: IteratorResult<Datagram<P>, undefined>): void;
  reject(reason: unknown): void;
}

const DONE = { done: true, value: undefined } as const;

export class DatagramIterator<P> implements AsyncIterableIterator<Datagram<P>> {
  #queue: Datagram<P>[] = [];
  #next = 0;
  readonly #waiters: Waiter<P>[] = [];
  /** An error that nobody has been told of. */
  #failure: { reason: unknown } | undefined;
  #ended = false;
  readonly #onWanting: () => void;
  readonly #onReturn: () => void;

  /** @internal `onWanting`: nothing is left, and somebody asks. `onReturn`: the loop was left. */
  constructor(onWanting: () => void, onReturn: () => void) {
    this.#onWanting = onWanting;
    this.#onReturn = onReturn;
  }

  /** @internal Whether something waits. */
  get full(): boolean {
    return this.#next < this.#queue.length;
  }

  /**
   * The next datagram. Rejects with an error of the socket that has no `'error'` listener, or the
   * reason of its aborted signal; done once it is closed.
   */
  next(): Promise<IteratorResult<Datagram<P>, undefined>> {
    const value = this.#queue[this.#next];
    if (value !== undefined) {
      this.#next++;
      if (!this.full) this.#empty();
      return Promise.resolve({ done: false, value });
    }
    if (this.#failure !== undefined) {
      const { reason } = this.#failure;
      this.#failure = undefined;
      return Promise.reject(reason);
    }
    if (this.#ended) return Promise.resolve(DONE);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#onWanting();
    });
  }

  /** What `break` calls: the socket stays open, and what waits here is dropped. */
  return(): Promise<IteratorResult<Datagram<P>, undefined>> {
    if (!this.#ended) this.#onReturn();
    this.end(true);
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** @internal */
  push(datagram: Datagram<P>): void {
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) waiter.resolve({ done: false, value: datagram });
    else this.#queue.push(datagram);
  }

  /** @internal Throws in the loop, after what waits. */
  fail(reason: unknown): void {
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) waiter.reject(reason);
    else this.#failure = { reason };
  }

  /** @internal There will be no more; what waits is dropped, or still handed out. */
  end(drops: boolean): void {
    this.#ended = true;
    if (drops) this.#empty();
    for (const { resolve } of this.#waiters.splice(0)) resolve(DONE);
  }

  #empty(): void {
    this.#queue = [];
    this.#next = 0;
  }
}
