// The inactivity timeout of a stream. Activity costs one store: the timer is left alone, and when it
// fires it looks at that store and runs on for the rest. So ten thousand busy streams restart no
// timers.
import type { Reactor, Timer } from '@pollux/core';

const NONE = Number.NEGATIVE_INFINITY;

export class IdleTimer {
  readonly ms: number;
  readonly #reactor: Reactor;
  readonly #timer: Timer;
  /** The turn of the last activity since the timer was started for a whole span. */
  #last = NONE;

  /** Calls back after each `ms` milliseconds without a `touch`. Keeps nothing alive. */
  constructor(reactor: Reactor, ms: number, onIdle: () => void) {
    this.ms = ms;
    this.#reactor = reactor;
    this.#timer = reactor.timer(ms, (timer) => {
      // Counted to the end of the wait, not to the present: what came while callbacks ran is found by
      // the next wait, and must not be told of as silence.
      const rest = this.#last + ms - reactor.now;
      if (rest > 0) {
        timer.again(rest);
        return;
      }
      this.#last = NONE;
      timer.again(ms);
      onIdle();
    });
    this.#timer.unref();
  }

  touch(): void {
    this.#last = this.#reactor.now;
  }

  close(): void {
    this.#timer.close();
  }
}
