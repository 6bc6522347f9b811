// A timer of a reactor: once or repeating, sub-millisecond, never early.
import { AsyncResource } from 'node:async_hooks';
import { Hold, type Liveness } from './liveness.js';
import type { Deadline, TimerQueue } from './timer-queue.js';

export type TimerCallback = (timer: Timer) => void;

export class Timer implements Deadline {
  /** @internal */
  deadline: number;
  /** @internal */
  order = 0;
  /** @internal */
  place = -1;
  /** Milliseconds between two calls of a repeating timer; undefined for one that fires once. */
  readonly repeat: number | undefined;
  readonly #queue: TimerQueue<Timer>;
  readonly #callback: TimerCallback;
  readonly #resource: AsyncResource;
  readonly #hold: Hold;
  #closed = false;

  /** Made by `reactor.timer`. */
  constructor(
    queue: TimerQueue<Timer>,
    liveness: Liveness,
    deadline: number,
    repeat: number | undefined,
    callback: TimerCallback,
  ) {
    this.#queue = queue;
    this.deadline = deadline;
    this.repeat = repeat;
    this.#callback = callback;
    this.#hold = new Hold(liveness);
    this.#hold.active = true;
    this.#resource = new AsyncResource('POLLUXTIMER', { requireManualDestroy: true });
    queue.insert(this);
  }

  /** True once it has fired for the last time or was closed. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Idempotent. From here on there are no calls. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.remove(this);
    this.#hold.active = false;
    this.#resource.emitDestroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Whether it keeps the process alive; it does, unless `unref` was called. */
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

  /**
   * @internal Calls back, having set the next time of a repeating timer: the first one on its grid
   * that lies after `now`. Times missed in a stall are missed, not made up for in a burst.
   */
  fire(now: number): void {
    this.#queue.remove(this);
    if (this.repeat === undefined) {
      this.close();
    } else {
      const late = now - this.deadline;
      const onGrid = this.deadline + this.repeat * (Math.floor(late / this.repeat) + 1);
      // Rounding, and intervals so tiny that the quotient is not finite.
      this.deadline = onGrid > now && onGrid < Infinity ? onGrid : now + this.repeat;
      this.#queue.insert(this);
    }
    this.#resource.runInAsyncScope(this.#callback, undefined, this);
  }
}
