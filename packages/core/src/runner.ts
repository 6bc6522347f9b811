// Runs callbacks, one after the other, the way Node would: what one has queued (nextTicks, promises)
// runs before the next, and what one throws is reported and costs the others nothing. It also keeps
// the time each took.
import { channels } from './channels.js';
import type { Clock } from './clock.js';
import type { Host } from './host.js';
import type { Runnable } from './loop.js';

export class Runner {
  readonly #host: Host;
  readonly #clock: Clock;
  readonly #slowMs: number;
  readonly #reactor: object;
  #mark = 0;
  /**
   * The callback that ran last, how long it took, and whether that is known: what it has queued is
   * its cost too, so the clock is read once for both unless somebody asks between them.
   */
  #last: Runnable | undefined;
  #lastTook = 0;
  #lastKnown = true;
  /** Whether a body of `within` runs. */
  #within = false;
  /** How many ran in this turn. */
  called = 0;
  /** No callback runs while this is so: the reactor was closed, or stopped. */
  halted = false;
  /** Callbacks since the reactor was made. */
  total = 0;
  /** The longest of them, in milliseconds. */
  longestMs = 0;

  constructor(host: Host, clock: Clock, slowMs: number, reactor: object) {
    this.#host = host;
    this.#clock = clock;
    this.#slowMs = slowMs;
    this.#reactor = reactor;
  }

  /** When the last callback of this turn, or what it had queued, ended; or the turn began. */
  get mark(): number {
    if (!this.#lastKnown) this.#measure();
    return this.#mark;
  }

  begin(now: number): void {
    this.called = 0;
    this.#mark = now;
  }

  /** The end of a turn that nobody else will drain after. */
  end(drain: boolean): void {
    if (drain && this.called > 0) this.#drain();
    if (!this.#lastKnown) this.#measure();
    this.#last = undefined;
  }

  /** To be called before deciding on the next callback: what the last one queued may change it. */
  between(): void {
    if (this.called > 0) this.#drain();
  }

  /**
   * For a body that calls back many times: draining costs less in it. What a drain throws ends the
   * body, and it is run again: it has to know where it was.
   */
  within(body: () => void): void {
    this.#within = true;
    try {
      this.#host.run(body);
    } finally {
      this.#within = false;
    }
  }

  /** Calls back, unless halted. */
  run(item: Runnable, argument: number): void {
    if (this.halted) return;
    this.called++;
    this.total++;
    try {
      item.fire(argument);
    } catch (error) {
      this.#host.report(error);
    }
    this.#last = item;
    this.#lastTook = 0;
    this.#lastKnown = false;
  }

  #drain(): void {
    if (this.#within) this.#host.drainWithin();
    else this.#host.drain();
    if (this.#last === undefined) return;
    this.#measure();
    this.#last = undefined;
  }

  /** Adds the time since the mark to what the last callback took. */
  #measure(): void {
    const before = this.#lastTook;
    const took = before + this.#sinceMark();
    this.#lastTook = took;
    this.#lastKnown = true;
    if (took > this.longestMs) this.longestMs = took;
    // Reported once.
    if (took < this.#slowMs || before >= this.#slowMs || this.#last === undefined) return;
    this.#reportSlow(this.#last, took);
  }

  #sinceMark(): number {
    const now = this.#clock.now();
    const since = now - this.#mark;
    this.#mark = now;
    return since;
  }

  /** For callbacks inside a callback; see `Batch.drive`. */
  drive(step: () => boolean): void {
    const host = this.#host;
    host.run(() => {
      for (;;) {
        host.drainWithin();
        if (this.halted) return;
        try {
          if (!step()) return;
        } catch (error) {
          host.report(error);
        }
      }
    });
  }

  #reportSlow({ label, origin }: Runnable, tookMs: number): void {
    channels.slowCallback.publish({ reactor: this.#reactor, label, tookMs, origin });
    const made = origin === undefined ? '' : `, made ${origin}`;
    process.emitWarning(`The callback of ${label} took ${tookMs.toFixed(1)} ms${made}`, {
      type: 'PolluxWarning',
      code: 'POLLUX_SLOW_CALLBACK',
    });
  }
}
