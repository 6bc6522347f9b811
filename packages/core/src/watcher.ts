// A watcher: one callback for one interest in one descriptor. Several may share a descriptor; the
// watch table (watch-table.ts) merges them into one registration.
import { AsyncResource } from 'node:async_hooks';
import { PolluxError } from './errors.js';
import { Hold, type Liveness } from './liveness.js';
import type { Mode } from './poller.js';
import { checkInterest } from './validate.js';
import type { WatchTable } from './watch-table.js';

/** Called with bits of `Events`. Spurious calls are possible: be ready for EAGAIN. */
export type WatchCallback = (events: number, watcher: Watcher) => void;

export class Watcher {
  readonly fd: number;
  readonly mode: Mode;
  readonly exclusive: boolean;
  readonly #table: WatchTable;
  readonly #callback: WatchCallback;
  readonly #resource: AsyncResource;
  readonly #hold: Hold;
  #interest: number;
  #closed = false;

  /** Made by `reactor.watch`. */
  constructor(
    table: WatchTable,
    liveness: Liveness,
    fd: number,
    interest: number,
    callback: WatchCallback,
    options: { mode: Mode; exclusive: boolean },
  ) {
    this.#table = table;
    this.fd = fd;
    this.#interest = interest;
    this.#callback = callback;
    this.mode = options.mode;
    this.exclusive = options.exclusive;
    this.#hold = new Hold(liveness);
    // The AsyncLocalStorage of each call is that of this moment.
    this.#resource = new AsyncResource('POLLUXWATCHER', { requireManualDestroy: true });
  }

  /** The bits of `Interest` it was last given. */
  get interest(): number {
    return this.#interest;
  }

  /** False while paused, after a oneshot has fired, and when closed. */
  get active(): boolean {
    return this.#hold.active;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Changes the interest, and resumes a paused watcher. Throws what the system refuses. */
  update(interest: number): void {
    this.#assertOpen();
    checkInterest(interest);
    this.#table.change(this, interest);
    this.#interest = interest;
    this.#hold.active = true;
  }

  /** No calls until `resume`; an event of this batch that was not delivered yet is dropped. */
  pause(): void {
    this.#assertOpen();
    if (!this.active) return;
    this.#hold.active = false;
    this.#table.settle(this);
  }

  /** Ends a pause, and arms a oneshot anew. Throws what the system refuses. */
  resume(): void {
    this.update(this.#interest);
  }

  /** Idempotent. From here on there are no calls; the descriptor itself stays open. */
  close(): void {
    if (this.#closed) return;
    this.forget();
    this.#table.remove(this);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Whether it keeps the process alive while active; it does, unless `unref` was called. */
  hasRef(): boolean {
    return this.#hold.refd;
  }

  ref(): this {
    if (!this.#closed) this.#hold.refd = true;
    return this;
  }

  unref(): this {
    if (!this.#closed) this.#hold.refd = false;
    return this;
  }

  /** @internal The registration is made. */
  activate(): void {
    this.#hold.active = true;
  }

  /** @internal Closes without telling the table: the table is telling us. */
  forget(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#hold.active = false;
    this.#resource.emitDestroy();
  }

  /** @internal Calls back; a oneshot is paused first, so that it may resume itself. */
  deliver(events: number): void {
    if (this.mode === 'oneshot') {
      this.#hold.active = false;
      this.#table.fired(this);
    }
    this.#resource.runInAsyncScope(this.#callback, undefined, events, this);
  }

  #assertOpen(): void {
    if (this.#closed) throw new PolluxError('ERR_POLLUX_CLOSED', 'The watcher is closed');
  }
}
