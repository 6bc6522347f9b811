// The turns of a blocking reactor: it waits on the calling thread.
import type { EventLoop } from './event-loop.js';
import type { Poller } from './poller.js';

const NEVER = Number.POSITIVE_INFINITY;

export class BlockingLoop {
  readonly #poller: Poller;
  readonly #loop: EventLoop;
  /** Milliseconds spent waiting, on the reactor's clock. */
  idleMs = 0;

  constructor(poller: Poller, loop: EventLoop) {
    this.#poller = poller;
    this.#loop = loop;
  }

  /**
   * Waits and serves, until something was called, the poller was notified, or the time is over.
   * Returns how many callbacks ran.
   */
  turn(timeoutMs: number): number {
    const loop = this.#loop;
    const { clock } = loop;
    const until = clock.now() + timeoutMs;
    for (;;) {
      loop.prepare(this.#limit(until));
      if (loop.runner.halted) return 0;
      const limit = this.#limit(until);
      const from = clock.now();
      const called = loop.turn(() => {
        const count = this.#poller.wait(limit);
        this.idleMs += clock.now() - from;
        return count;
      });
      if (called > 0 || loop.runner.halted) return called;
      const now = clock.now();
      // Notified, if the wait ended before its time. Else the wheel may have wanted no more than a
      // look, before anything was due: the wait goes on.
      if (now >= until || now < from + limit) return 0;
    }
  }

  /** How long a wait may last. */
  #limit(until: number): number {
    if (this.#loop.hasWork) return 0;
    const left = until === NEVER ? NEVER : Math.max(0, until - this.#loop.clock.now());
    return Math.min(left, this.#loop.untilNextTimer());
  }
}
