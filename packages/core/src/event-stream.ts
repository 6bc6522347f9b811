// `for await (const events of reactor.watch(fd, interest))`: a oneshot watcher that each `next()`
// arms anew, so the loop's body has finished with one event before the next is looked for.
import type { Watcher } from './watcher.js';

interface Waiter {
  resolve(result: IteratorResult<number, undefined>): void;
  reject(error: unknown): void;
}

export class EventStream implements AsyncIterableIterator<number> {
  readonly #interest: number;
  readonly #signal: AbortSignal | undefined;
  readonly #watcher: Watcher;
  readonly #waiters: Waiter[] = [];
  #ended = false;
  /** Ended by the signal: its reason. */
  #failure: { reason: unknown } | undefined;

  /** @internal Made by `reactor.watch` without a callback; `open` registers a silent oneshot. */
  constructor(
    interest: number,
    signal: AbortSignal | undefined,
    open: (callback: (events: number) => void, closed: () => void) => Watcher,
  ) {
    this.#interest = interest;
    this.#signal = signal;
    this.#watcher = open(
      (events) => this.#deliver(events),
      () => this.#end(),
    );
  }

  get fd(): number {
    return this.#watcher.fd;
  }

  get closed(): boolean {
    return this.#ended;
  }

  /**
   * The next event, as bits of `Events`. Rejects with the reason of an aborted signal, or what the
   * system refuses (EBADF); done once closed.
   */
  next(): Promise<IteratorResult<number, undefined>> {
    return new Promise((resolve, reject) => {
      if (this.#ended) {
        if (this.#failure !== undefined) reject(this.#failure.reason);
        else resolve({ done: true, value: undefined });
        return;
      }
      if (this.#waiters.length === 0) this.#watcher.update(this.#interest);
      this.#waiters.push({ resolve, reject });
    });
  }

  return(): Promise<IteratorResult<number, undefined>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Idempotent. Who waits for an event is told that there are no more. */
  close(): void {
    this.#watcher.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Whether it keeps the process alive while `next` waits; it does, unless `unref` was called. */
  hasRef(): boolean {
    return this.#watcher.hasRef();
  }

  ref(): this {
    this.#watcher.ref();
    return this;
  }

  unref(): this {
    this.#watcher.unref();
    return this;
  }

  #deliver(events: number): void {
    this.#waiters.shift()?.resolve({ done: false, value: events });
    if (this.#waiters.length === 0) return;
    try {
      this.#watcher.update(this.#interest);
    } catch (error) {
      for (const { reject } of this.#waiters.splice(0)) reject(error);
    }
  }

  #end(): void {
    this.#ended = true;
    if (this.#signal?.aborted) this.#failure = { reason: this.#signal.reason };
    for (const { resolve, reject } of this.#waiters.splice(0)) {
      if (this.#failure !== undefined) reject(this.#failure.reason);
      else resolve({ done: true, value: undefined });
    }
  }
}
