// A reactor's turns inside Node's own loop: when to wait, for how long, and when to take a turn
// without the driver because there is work already.
import type { EventLoop, LoopEvents } from './event-loop.js';
import type { Attachment, DriverName, Poller } from './poller.js';

/** On a thread of its own, Node's loop goes round after so many batches in a row ... */
const MOST_BATCHES = 16;
/** ... or so many milliseconds. */
const LONGEST_STREAK_MS = 5;

export class AttachedLoop implements LoopEvents {
  readonly #loop: EventLoop;
  readonly #attachment: Attachment;
  /** When the wait under way ends, on the reactor's clock; undefined while there is none. */
  #armedUntil: number | undefined;
  #armedSince = 0;
  #immediate: NodeJS.Immediate | undefined;
  /** Batches since Node's loop last went round, and when the first of them ended. */
  #batches = 0;
  #batchesSince = 0;
  #roundTrip: NodeJS.Immediate | undefined;
  #suspended = false;
  /** A batch came while suspended. */
  #arrived = false;
  #closed = false;
  /** Milliseconds spent waiting, on the reactor's clock. */
  idleMs = 0;

  constructor(poller: Poller, driver: DriverName, loop: EventLoop) {
    this.#loop = loop;
    this.#attachment = poller.attach(() => this.#onReady(), driver);
    this.#attachment.keepAlive(loop.liveness.alive);
    // Not armed at once: what this tick registers after the first watcher is then in the first
    // snapshot of a primitive that works on snapshots.
    queueMicrotask(() => this.#settle());
  }

  keepAlive(keep: boolean): void {
    this.#attachment.keepAlive(keep && !this.#suspended);
    // An unref'd immediate would wait until something else makes Node's loop go round.
    if (keep) this.#roundTrip?.ref();
  }

  /** A timer was set: a wait that would end too late ends sooner. */
  retime(deadline: number): void {
    if (this.#armedUntil === undefined || deadline >= this.#armedUntil) return;
    if (!this.#loop.turning && !this.#suspended) this.#shorten();
  }

  /** There is something to do before the wait under way ends: it ends sooner. */
  #shorten(): void {
    const timeout = this.#waitMs();
    const until = this.#loop.clock.now() + timeout;
    if (this.#armedUntil === undefined || until >= this.#armedUntil) return;
    this.#armedUntil = until;
    this.#attachment.retime(timeout);
  }

  /**
   * There is work: a turn in Node's next, not when the driver says so. It takes what the driver has
   * found by then, so that what is left over does not come before what is more urgent. A wait under
   * way goes on. Except while nothing keeps the process alive: an unref'd immediate does not wake
   * Node's loop, so the wait is ended instead.
   */
  soon(): void {
    if (this.#loop.turning || this.#closed || this.#suspended) return;
    if (this.#immediate !== undefined) return;
    if (!this.#loop.liveness.alive) {
      this.#shorten();
      return;
    }
    this.#immediate = setImmediate(() => {
      this.#immediate = undefined;
      this.#turn(() => this.#attachment.harvest());
    });
  }

  /** No turns from here on, until `resume`. A batch that comes meanwhile waits. */
  suspend(): void {
    this.#suspended = true;
    this.#attachment.keepAlive(false);
    clearImmediate(this.#immediate);
    this.#immediate = undefined;
  }

  resume(): void {
    this.#suspended = false;
    this.keepAlive(this.#loop.liveness.alive);
    if (this.#arrived) {
      this.#arrived = false;
      setImmediate(() => this.#onReady());
    } else if (!this.#loop.turning) {
      // Within a turn: its end sees to it.
      this.#settle();
    }
  }

  close(): void {
    this.#closed = true;
    clearImmediate(this.#immediate);
    clearImmediate(this.#roundTrip);
    this.#attachment.detach();
  }

  #onReady(): void {
    if (this.#closed) return;
    if (this.#suspended) {
      this.#arrived = true;
      return;
    }
    if (this.#armedUntil !== undefined) {
      this.idleMs += this.#loop.clock.now() - this.#armedSince;
      this.#armedUntil = undefined;
    }
    this.#turn(() => this.#attachment.harvest());
  }

  #turn(wait: () => number): void {
    try {
      this.#loop.turn(wait);
    } finally {
      this.#settle();
    }
  }

  /** After a turn: wait for what comes, and see to what there is. */
  #settle(): void {
    if (!this.#closed && !this.#suspended) {
      this.#loop.waitables.beforeWait();
      this.#loop.prepare(this.#timeout());
    }
    if (this.#closed) return;
    this.#loop.table.beforeWait();
    if (this.#suspended) return;
    if (this.#armedUntil !== undefined) this.#shorten();
    else this.#armFairly();
    if (this.#loop.hasWork) this.soon();
  }

  /** How long a wait may last. */
  #timeout(): number {
    return this.#loop.hasWork ? 0 : this.#loop.untilNextTimer();
  }

  /**
   * Arms, but lets Node's loop go round after so many batches, or so long a time, of ours. Under
   * load a threadsafe function is dispatched up to a thousand times in a row before Node's own
   * sockets and timers get their turn (node_api.cc, kMaxIterationCount). libuv calls once per round.
   */
  #armFairly(): void {
    if (this.#attachment.driver === 'uv') {
      this.#arm();
      return;
    }
    if (this.#roundTrip !== undefined) return;
    if (this.#batches === 0) {
      this.#batchesSince = performance.now();
      setImmediate(() => {
        this.#batches = 0;
      }).unref();
    }
    this.#batches++;
    const long = performance.now() - this.#batchesSince > LONGEST_STREAK_MS;
    if (this.#batches < MOST_BATCHES && !long) {
      this.#arm();
      return;
    }
    this.#roundTrip = setImmediate(() => {
      this.#roundTrip = undefined;
      this.#batches = 0;
      if (!this.#closed && !this.#suspended && this.#armedUntil === undefined) this.#arm();
    });
    if (!this.#loop.liveness.alive) this.#roundTrip.unref();
  }

  /** How long the driver is to wait; see `soon` for whose work it is to look at the rest. */
  #waitMs(): number {
    return this.#loop.liveness.alive ? this.#loop.untilNextTimer() : this.#timeout();
  }

  #arm(): void {
    const timeout = this.#waitMs();
    this.#armedSince = this.#loop.clock.now();
    this.#armedUntil = this.#armedSince + timeout;
    this.#attachment.arm(timeout);
  }
}
