// The inactivity timeout of a watcher. An event only notes the time; the wheel's item looks at that
// note when it is due, and sets itself anew for the rest. So a busy connection costs the wheel
// nothing, and ten thousand idle ones an item each.
import type { Loop, Timed } from './loop.js';
import { NOWHERE } from './timer-places.js';

interface Watched {
  hasRef(): boolean;
  readonly label: string;
  readonly origin: string | undefined;
  /** Whether an event of it is found and not yet delivered. */
  readonly wanted: boolean;
  timedOut(): void;
}

export class Inactivity implements Timed {
  readonly ms: number;
  readonly #loop: Loop;
  readonly #watched: Watched;
  #last = 0;
  place: number = NOWHERE;

  constructor(loop: Loop, watched: Watched, ms: number) {
    this.#loop = loop;
    this.#watched = watched;
    this.ms = ms;
  }

  get label(): string {
    return this.#watched.label;
  }

  get origin(): string | undefined {
    return this.#watched.origin;
  }

  get remaining(): number {
    return Math.max(0, this.#last + this.ms - this.#loop.clock.now());
  }

  hasRef(): boolean {
    return this.#watched.hasRef();
  }

  /** There was activity in this turn; perhaps it was started anew since. */
  touch(): void {
    this.#last = Math.max(this.#last, this.#loop.now);
  }

  /** The time begins anew; it is left in the wheel, too early, if it is there. */
  start(): void {
    this.#last = this.#loop.clock.now();
    if (this.place < 0) this.#set();
  }

  abandon(): void {
    this.stop();
  }

  stop(): void {
    this.#loop.wheel.remove(this);
  }

  /**
   * Counted to the moment the wait of this turn ended, not to the present: what came while callbacks
   * ran is found by the next wait, and must not be told of as silence.
   */
  isDue(): boolean {
    // Found, and still waiting to be served.
    if (this.#watched.wanted) this.touch();
    if (this.#last + this.ms <= this.#loop.now) return true;
    this.#set();
    return false;
  }

  fire(): void {
    this.start();
    this.#watched.timedOut();
  }

  #set(): void {
    const deadline = this.#last + this.ms;
    this.#loop.wheel.insert(this, deadline);
    this.#loop.retime(deadline);
  }
}
