// A timer of a reactor: once or repeating, or at a time of the wall clock; to fractions of a
// millisecond, and never early.
import { wallNow } from './clock.js';
import { invalidType, outOfRange } from './errors.js';
import { Handle } from './handle.js';
import type { Loop, Timed } from './loop.js';
import type { WheelItem } from './timer-wheel.js';
import { checkTimeout } from './validate.js';

export type TimerCallback = (timer: Timer) => void;

/** What the reactor has checked. `wall` counts from 1970, `delay` from now; milliseconds. */
export type TimerSettings = { readonly signal?: AbortSignal | undefined } & (
  | { readonly wall: number }
  | { readonly delay: number; readonly repeats: boolean }
);

/** A wall-clock timer looks at the wall clock this often: so soon is a jump of it noticed. */
const WALL_STEP_MS = 1000;

export class Timer extends Handle implements Timed {
  // The wheel's own.
  /** @internal */
  deadline = 0;
  /** @internal */
  order = 0;
  /** @internal */
  slot = -1;
  /** @internal */
  next: WheelItem | undefined = undefined;
  /** @internal */
  previous: WheelItem | undefined = undefined;

  readonly #callback: TimerCallback;
  readonly #repeats: boolean;
  #wall: number | undefined;
  #delay: number;

  /** @internal Made by `reactor.timer` and `reactor.at`. */
  constructor(loop: Loop, callback: TimerCallback, settings: TimerSettings) {
    super(loop, 'POLLUXTIMER', settings.signal);
    this.#callback = callback;
    this.#wall = 'wall' in settings ? settings.wall : undefined;
    this.#delay = 'wall' in settings ? 0 : settings.delay;
    this.#repeats = 'wall' in settings ? false : settings.repeats;
    this.#start();
  }

  /** Milliseconds between two calls of a repeating timer; undefined for one that fires once. */
  get repeat(): number | undefined {
    return this.#repeats ? this.#delay : undefined;
  }

  /** Milliseconds until the next call, 0 if it is due, Infinity if none is to come. */
  get remaining(): number {
    if (!this.active) return Number.POSITIVE_INFINITY;
    const { clock } = this.loop;
    if (this.#wall !== undefined) return Math.max(0, this.#wall - wallNow(clock));
    return Math.max(0, this.deadline - clock.now());
  }

  /** @internal */
  get label(): string {
    if (this.#wall !== undefined) return 'a wall-clock timer';
    return `a timer of ${this.#delay} ms${this.#repeats ? ', repeating' : ''}`;
  }

  /** @internal */
  get waiting(): boolean {
    return this.active && this.slot < 0;
  }

  /**
   * Starts anew from now, with another delay if one is given; also after it has fired. A repeating
   * timer keeps the new delay as its interval; a wall-clock timer becomes one that counts from now,
   * and must be given a delay.
   */
  again(delayMs: number | undefined = this.#wall === undefined ? this.#delay : undefined): this {
    this.assertOpen();
    const delay = checkDelay(delayMs, this.#repeats);
    // Aborted since it fired: this closes it.
    this.followSignal();
    this.assertOpen();
    this.loop.wheel.remove(this);
    this.#wall = undefined;
    this.#delay = delay;
    this.#start();
    return this;
  }

  /** @internal A wall-clock timer looks at its clock, and waits on if that is not there yet. */
  isDue(): boolean {
    if (this.#wall === undefined || wallNow(this.loop.clock) >= this.#wall) return true;
    this.#start();
    return false;
  }

  /**
   * @internal Calls back, having set the next time of a repeating timer: the first one on its grid
   * that lies after `now`. Times missed in a stall are missed, not made up for in a burst.
   */
  fire(now: number): void {
    if (this.#repeats) {
      const late = now - this.deadline;
      const onGrid = this.deadline + this.#delay * (Math.floor(late / this.#delay) + 1);
      // Rounding, and intervals so tiny that the quotient is not finite.
      this.deadline = onGrid > now && onGrid < Infinity ? onGrid : now + this.#delay;
      this.loop.wheel.insert(this);
    } else {
      this.setActive(false);
      this.unfollowSignal();
    }
    this.invoke(this.#callback, this);
  }

  /** @internal */
  abandon(): void {
    this.close();
  }

  protected release(): void {
    this.loop.wheel.remove(this);
  }

  #start(): void {
    const { clock, wheel } = this.loop;
    const delay =
      this.#wall === undefined
        ? this.#delay
        : Math.min(Math.max(0, this.#wall - wallNow(clock)), WALL_STEP_MS);
    this.deadline = clock.now() + delay;
    wheel.insert(this);
    this.setActive(true);
    this.loop.retime(this.deadline);
  }
}

/** Milliseconds until a call; a repeating timer needs some between two of them. */
export function checkDelay(delayMs: unknown, repeats: boolean): number {
  if (typeof delayMs !== 'number') throw invalidType('delayMs', 'of type number', delayMs);
  const delay = checkTimeout('delayMs', delayMs);
  if (repeats && !(delay > 0 && delay < Number.POSITIVE_INFINITY)) {
    throw outOfRange('delayMs', '> 0 and finite for a repeating timer', delayMs);
  }
  return delay;
}
