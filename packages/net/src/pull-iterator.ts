// `for await` over what a socket has: the bytes of a stream, the connections of a listener. Nothing is
// kept here: the socket is read while somebody waits in `next`, and paused otherwise.

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

  next(): Promise<IteratorResult<T, undefined>> {
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

  /** What `break` calls. */
  return(): Promise<IteratorResult<T, undefined>> {
    this.#failure = undefined;
    if (this.#open) {
      this.end();
      this.#events.onReturn();
    }
    return Promise.resolve(DONE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** To be called while somebody waits. */
  push(value: T): void {
    this.#waiters.shift()?.resolve({ done: false, value });
  }

  /** There will be no more. */
  end(): void {
    this.#open = false;
    for (const { resolve } of this.#waiters.splice(0)) resolve(DONE);
  }

  /** There will be no more, and that is somebody's fault; once. */
  fail(reason: unknown): void {
    if (!this.#open) return;
    const first = this.#waiters.shift();
    if (first === undefined) this.#failure = { reason };
    else first.reject(reason);
    this.end();
  }
}
