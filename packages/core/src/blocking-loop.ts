// The turns of a blocking reactor: it waits on the calling thread.
import type { EventLoop } from './event-loop.js';
import type { Poller } from './poller.js';

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
    let from = clock.now();
    const until = from + timeoutMs;
    for (;;) {
      // Ahead of the limit: it may leave something to do.
      loop.waitables.beforeWait();
      let limit = this.#limit(from, until);
      if (loop.hooks.prepare.size > 0) {
        loop.prepare(limit);
        if (loop.runner.halted) return 0;
        // A hook may have set a timer, or taken its time.
        from = clock.now();
        limit = this.#limit(from, until);
      }
      loop.table.beforeWait();
      const called = loop.turn(() => this.#poller.wait(limit));
      this.idleMs += loop.began - from;
      if (called > 0 || loop.runner.halted) return called;
      const now = clock.now();
      // Notified, if the wait ended before its time. Else the wheel may have wanted no more than a
      // look, before anything was due: the wait goes on.
      if (now >= until || now < from + limit) return 0;
      from = now;
    }
  }

  /** How long a wait that begins at `from` may last. */
  #limit(from: number, until: number): number {
    if (this.#loop.hasWork) return 0;
    return Math.max(0, Math.min(until, this.#loop.wheel.nextLook()) - from);
  }
}
