// A timer of a reactor: once or repeating, or at a time of the wall clock; to fractions of a
// millisecond, and never early.
import { callIn, capture } from './async-context.js';
import { type Clock, wallNow } from './clock.js';
import { invalidType, outOfRange } from './errors.js';
import { Handle } from './handle.js';
import type { Loop, Timed } from './loop.js';
import { NOWHERE } from './timer-places.js';
import { checkTimeout } from './validate.js';

export type TimerCallback = (timer: Timer) => void;

/** When a timer is due: once, after so many milliseconds; or again and again; or at a wall time. */
export type Time = number | Interval | WallTime;

/** A wall-clock timer looks at the wall clock this often: so soon is a jump of it noticed. */
const WALL_STEP_MS = 1000;

/** Every so many milliseconds, from when it was set. */
export class Interval {
  readonly ms: number;
  /** On the reactor's clock. */
  #deadline = 0;

  constructor(ms: number) {
    this.ms = ms;
  }

  delay(now: number): number {
    this.#deadline = now + this.ms;
    return this.ms;
  }

  /** The first deadline on the grid that lies after `now`. */
  next(now: number): number {
    const late = now - this.#deadline;
    const onGrid = this.#deadline + this.ms * (Math.floor(late / this.ms) + 1);
    // Rounding, and intervals so tiny that the quotient is not finite.
    this.#deadline = onGrid > now && onGrid < Infinity ? onGrid : now + this.ms;
    return this.#deadline;
  }
}

/** At a time of the wall clock: milliseconds since 1970. */
export class WallTime {
  readonly ms: number;

  constructor(ms: number) {
    this.ms = ms;
  }

  delay(_now: number, clock: Clock): number {
    return Math.min(Math.max(0, this.ms - wallNow(clock)), WALL_STEP_MS);
  }
}

export class Timer extends Handle implements Timed {
  /** @internal The wheel's own. */
  place: number = NOWHERE;
  readonly #callback: TimerCallback;
  /** Few fields, for there may be a million of it: the kind is in what tells the time. */
  #time: Time;

  /** @internal Made by `reactor.timer` and `reactor.at`. */
  constructor(loop: Loop, callback: TimerCallback, time: Time, signal: AbortSignal | undefined) {
    super(loop, capture(), signal);
    this.#callback = callback;
    this.#time = time;
    Timer.#start(this);
  }

  /** Milliseconds between two calls of a repeating timer; undefined for one that fires once. */
  get repeat(): number | undefined {
    return this.#time instanceof Interval ? this.#time.ms : undefined;
  }

  /** Milliseconds until the next call, 0 if it is due, Infinity if none is to come. */
  get remaining(): number {
    if (!this.active) return Number.POSITIVE_INFINITY;
    const { clock, wheel } = this.loop;
    if (this.#time instanceof WallTime) return Math.max(0, this.#time.ms - wallNow(clock));
    return Math.max(0, wheel.deadlineOf(this) - clock.now());
  }

  /** @internal */
  get label(): string {
    const time = this.#time;
    if (time instanceof WallTime) return 'a wall-clock timer';
    return typeof time === 'number'
      ? `a timer of ${time} ms`
      : `a timer of ${time.ms} ms, repeating`;
  }

  /**
   * Starts anew from now, with another delay if one is given; also after it has fired. A repeating
   * timer keeps the new delay as its interval; a wall-clock timer becomes one that counts from now,
   * and must be given a delay.
   */
  again(delayMs: number | undefined = usual(this.#time)): this {
    this.assertOpen();
    const repeats = this.#time instanceof Interval;
    const delay = checkDelay(delayMs, repeats);
    // Aborted since it fired: this closes it.
    this.followSignal();
    this.assertOpen();
    this.loop.wheel.remove(this);
    this.#time = repeats ? new Interval(delay) : delay;
    Timer.#start(this);
    return this;
  }

  /** @internal A wall-clock timer looks at its clock, and waits on if that is not there yet. */
  isDue(): boolean {
    const time = this.#time;
    if (!(time instanceof WallTime) || wallNow(this.loop.clock) >= time.ms) return true;
    Timer.#start(this);
    return false;
  }

  /**
   * @internal Calls back, having set the next time of a repeating timer: the first one on its grid
   * that lies after `now`. Times missed in a stall are missed, not made up for in a burst.
   */
  fire(now: number): void {
    const time = this.#time;
    if (time instanceof Interval) {
      this.loop.wheel.insert(this, time.next(now));
    } else {
      this.setActive(false);
      this.unfollowSignal();
    }
    callIn(this.context, this.#callback, this);
  }

  /** @internal */
  abandon(): void {
    this.close();
  }

  protected release(): void {
    this.loop.wheel.remove(this);
  }

  /** Static, for a private method is a field of each object. */
  static #start(timer: Timer): void {
    const { loop } = timer;
    const time = timer.#time;
    const now = loop.clock.now();
    const deadline = now + (typeof time === 'number' ? time : time.delay(now, loop.clock));
    loop.wheel.insert(timer, deadline);
    timer.setActive(true);
    loop.retime(deadline);
  }
}

/** What `again` takes if it is given nothing. */
function usual(time: Time): number | undefined {
  if (typeof time === 'number') return time;
  return time instanceof Interval ? time.ms : undefined;
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

/** The milliseconds since 1970 of a time of the wall clock. */
export function checkWallTime(time: unknown): number {
  const ms = time instanceof Date ? time.getTime() : time;
  if (typeof ms !== 'number' || Number.isNaN(ms)) {
    throw invalidType('time', 'a valid Date or milliseconds since 1970', time);
  }
  return ms;
}
