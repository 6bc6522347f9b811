// What the system refuses for now, without telling when it will not, is tried again by timer: first
// soon, then less and less often while it is in vain.
import type { Reactor, Timer } from '@pollux/core';

const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 64;

export class Retry {
  readonly #reactor: Reactor;
  readonly #callback: () => void;
  #timer: Timer | undefined;
  #pauseMs = FIRST_PAUSE_MS;

  constructor(reactor: Reactor, callback: () => void) {
    this.#reactor = reactor;
    this.#callback = callback;
  }

  /** It was refused: calls back once, after a pause. `refd`: whether that keeps the process alive. */
  later(refd: boolean): void {
    if (this.#timer !== undefined) return;
    this.#timer = this.#reactor.timer(this.#pauseMs, () => {
      this.#timer = undefined;
      this.#callback();
    });
    this.setRef(refd);
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
  }

  /** It was not refused: the next pause is a short one. */
  reset(): void {
    this.#pauseMs = FIRST_PAUSE_MS;
  }

  setRef(refd: boolean): void {
    if (refd) this.#timer?.ref();
    else this.#timer?.unref();
  }

  close(): void {
    this.#timer?.close();
  }
}
