// `for await` over what a socket has: the bytes of a stream, the connections of a listener, datagrams.
// A socket is read while somebody waits in `next`, and paused otherwise, so nothing is kept here but
// datagrams: one receive brings many.

interface Waiter<T> {
  resolve(result: IteratorResult<T, undefined>): void;
  reject(reason: unknown): void;
}

export interface PullIteratorEvents {
  /** Somebody waits, and nobody did. */
  onWanting(): void;
  /** The loop was left. */
  onReturn(): void;
}

const DONE = { done: true, value: undefined } as const;

export class PullIterator<T> implements AsyncIterableIterator<T> {
  readonly #events: PullIteratorEvents;
  readonly #waiters: Waiter<T>[] = [];
  /** What nobody has waited for, and how much of it was taken since. */
  #kept: T[] = [];
  #taken = 0;
  #open = true;
  /** What the next one is told; once. */
  #failure: { readonly reason: unknown } | undefined;

  constructor(events: PullIteratorEvents) {
    this.#events = events;
  }

  /** Whether somebody waits. */
  get wants(): boolean {
    return this.#waiters.length > 0;
  }

  /** Whether it has not ended: then it takes an error. */
  get open(): boolean {
    return this.#open;
  }

  /** Whether something is kept: then nothing more should be read. */
  get full(): boolean {
    return this.#taken < this.#kept.length;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.full) {
      const value = this.#kept[this.#taken++] as T;
      if (!this.full) this.#drop();
      return Promise.resolve({ done: false, value });
    }
    if (this.#failure !== undefined) {
      const { reason } = this.#failure;
      this.#failure = undefined;
      return Promise.reject(reason);
    }
    if (!this.#open) return Promise.resolve(DONE);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      if (this.#waiters.length === 1) this.#events.onWanting();
    });
  }

  /** What `break` calls; what is kept is dropped. */
  return(): Promise<IteratorResult<T, undefined>> {
    this.#failure = undefined;
    this.#drop();
    if (this.#open) {
      this.end();
      this.#events.onReturn();
    }
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** To who waits, or kept. */
  push(value: T): void {
    const first = this.#waiters.shift();
    if (first === undefined) this.#kept.push(value);
    else first.resolve({ done: false, value });
  }

  /** There will be no more; what is kept is still handed out, or dropped. */
  end(drops = false): void {
    this.#open = false;
    if (drops) this.#drop();
    for (const { resolve } of this.#waiters.splice(0)) resolve(DONE);
  }

  /** Throws in the loop, after what is kept; another may begin after it. */
  interrupt(reason: unknown): void {
    const first = this.#waiters.shift();
    if (first === undefined) this.#failure = { reason };
    else first.reject(reason);
  }

  /** There will be no more, and that is somebody's fault; once. */
  fail(reason: unknown): void {
    if (!this.#open) return;
    this.interrupt(reason);
    this.end();
  }

  #drop(): void {
    this.#kept = [];
    this.#taken = 0;
  }
}
