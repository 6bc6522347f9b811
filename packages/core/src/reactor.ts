// The reactor: one thread, one poller, and the callbacks to run.
//
// Each turn answers three questions, in this order: what does the system have for us (watchers),
// which timers are due, what were we told to do (deferred calls). An attached reactor takes its
// turns inside Node's own loop, one JavaScript call per batch; a blocking one takes a turn when
// `turn` is called, and owns the thread meanwhile.
import { AsyncResource } from 'node:async_hooks';
import { type Clock, systemClock } from './clock.js';
import { invalidType, outOfRange, PolluxError } from './errors.js';
import { type Host, hostFor } from './host.js';
import { eventsFor } from './interest.js';
import { Liveness } from './liveness.js';
import type { Attachment, DriverName, Mode, Poller } from './poller.js';
import { bindingOf, createPoller, type SelectionOptions } from './selection.js';
import { Timer, type TimerCallback } from './timer.js';
import { TimerQueue } from './timer-queue.js';
import {
  checkBoolean,
  checkDriver,
  checkExclusive,
  checkFd,
  checkFunction,
  checkInterest,
  checkOneOf,
  checkOptions,
  checkTimeout,
} from './validate.js';
import { WatchTable } from './watch-table.js';
import { type WatchCallback, Watcher } from './watcher.js';

export interface ReactorOptions extends SelectionOptions {
  /** An open poller to use; the caller closes it. Left out: one is selected, and closed with us. */
  poller?: Poller;
  /**
   * `'attached'` (default): callbacks run inside Node's own loop. `'blocking'`: they run in
   * `turn`, which owns the thread; for workers and tools.
   */
  mode?: 'attached' | 'blocking';
  /**
   * How an attached reactor waits; the best of `poller.drivers` if left out. POLLUX_DRIVER says it
   * for code that does not.
   */
  driver?: DriverName;
  /** Where the time comes from; for tests with a clock of their own. */
  clock?: Clock;
}

export interface WatchOptions {
  mode?: Mode;
  /** EPOLLEXCLUSIVE; see RegistrationOptions. */
  exclusive?: boolean;
}

export interface TimerOptions {
  /** Call again after each `delayMs`, which must be above 0. */
  repeat?: boolean;
}

interface Deferred {
  readonly callback: () => void;
  readonly resource: AsyncResource;
}

/** Node's loop goes round after so many batches in a row ... */
const MOST_BATCHES = 16;
/** ... or so many milliseconds. */
const LONGEST_STREAK_MS = 5;
const NEVER = Number.POSITIVE_INFINITY;

export class Reactor {
  readonly mode: 'attached' | 'blocking';
  readonly poller: Poller;
  readonly #ownsPoller: boolean;
  readonly #driverName: DriverName;
  readonly #clock: Clock;
  readonly #host: Host;
  readonly #table: WatchTable;
  readonly #timers = new TimerQueue<Timer>();
  readonly #liveness: Liveness = new Liveness((alive) => this.#attachment?.keepAlive(alive));
  #deferred: Deferred[] = [];
  #immediate: NodeJS.Immediate | undefined;
  #attachment: Attachment | undefined;
  /** When the driver's wait ends, on the reactor's clock; undefined while it is not armed. */
  #armedUntil: number | undefined;
  /** Batches since Node's loop last went round, and when the first of them ended. */
  #batches = 0;
  #batchesSince = 0;
  #roundTrip: NodeJS.Immediate | undefined;
  #turning = false;
  #called = 0;
  #closed = false;

  constructor(options: ReactorOptions = {}) {
    checkOptions('options', options);
    checkOneOf('options.mode', options.mode, ['attached', 'blocking']);
    if (options.clock !== undefined && typeof options.clock?.now !== 'function') {
      throw invalidType('options.clock', 'a Clock', options.clock);
    }
    if (options.poller !== undefined && typeof options.poller?.attach !== 'function') {
      throw invalidType('options.poller', 'a Poller', options.poller);
    }
    this.mode = options.mode ?? 'attached';
    this.poller = options.poller ?? createPoller(options);
    this.#ownsPoller = options.poller === undefined;
    try {
      this.#driverName = chooseDriver(this.poller, options);
    } catch (error) {
      if (this.#ownsPoller) this.poller.close();
      throw error;
    }
    this.#clock = options.clock ?? systemClock;
    this.#host = hostFor(bindingOf(this.poller.backend));
    this.#table = new WatchTable(this.poller);
  }

  /** The primitive in use: `'epoll'`, `'select'`. */
  get backend(): string {
    return this.poller.backend;
  }

  /** How the waiting is done: `'uv'`, `'thread'`, or `'blocking'` in that mode. */
  get driver(): string {
    return this.mode === 'blocking' ? 'blocking' : this.#driverName;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether something ref'd is left to wait for. */
  get alive(): boolean {
    return this.#liveness.alive;
  }

  /**
   * Calls back when `fd` is ready for `interest` (bits of `Interest`). Several watchers may share a
   * descriptor, except that edge shares only with edge.
   *
   * A `'oneshot'` watcher is called once and then paused, until `resume`. Close the watcher before
   * the descriptor. Throws what the poller's `add` throws: EBADF, EPERM.
   */
  watch(
    fd: number,
    interest: number,
    callback: WatchCallback,
    options: WatchOptions = {},
  ): Watcher {
    this.#assertOpen();
    checkFd(fd);
    checkInterest(interest);
    checkFunction('callback', callback);
    checkOptions('options', options);
    checkOneOf('options.mode', options.mode, ['level', 'oneshot', 'edge']);
    checkBoolean('options.exclusive', options.exclusive);
    checkExclusive(interest, options);
    const watcher = new Watcher(this.#table, this.#liveness, fd, interest, callback, {
      mode: options.mode ?? 'level',
      exclusive: options.exclusive ?? false,
    });
    try {
      // Attached after it: what that opens must not take a closed number that was given here.
      this.#table.insert(watcher);
      this.#ensureAttached();
    } catch (error) {
      watcher.close();
      throw error;
    }
    watcher.activate();
    return watcher;
  }

  /**
   * Calls back after `delayMs` milliseconds, fractions allowed, never early; with `repeat`, again
   * and again on the same grid, without a burst after a stall.
   */
  timer(delayMs: number, callback: TimerCallback, options: TimerOptions = {}): Timer {
    this.#assertOpen();
    if (typeof delayMs !== 'number') throw invalidType('delayMs', 'of type number', delayMs);
    const delay = checkTimeout('delayMs', delayMs);
    checkFunction('callback', callback);
    checkOptions('options', options);
    checkBoolean('options.repeat', options.repeat);
    if (options.repeat && !(delay > 0 && delay < NEVER)) {
      throw outOfRange('delayMs', '> 0 and finite for a repeating timer', delayMs);
    }
    this.#ensureAttached();
    const repeat = options.repeat ? delay : undefined;
    const timer = new Timer(
      this.#timers,
      this.#liveness,
      this.#clock.now() + delay,
      repeat,
      callback,
    );
    this.#retime();
    return timer;
  }

  /** Calls back once in the next turn, after its watchers and timers. Keeps the process alive. */
  defer(callback: () => void): void {
    this.#assertOpen();
    checkFunction('callback', callback);
    this.#liveness.add();
    this.#deferred.push({ callback, resource: new AsyncResource('POLLUXDEFER') });
    this.#scheduleDeferred();
  }

  /**
   * One turn of a blocking reactor: waits for at most `timeoutMs` (default: forever), less if a
   * timer is due or a call is deferred, and runs what there is. Returns how many callbacks ran.
   *
   * A `notify` of the poller, or its waker, ends the wait. Node's own timers, sockets, files and
   * messages stand still meanwhile; nextTicks and promises run between the callbacks.
   */
  turn(timeoutMs?: number): number {
    this.#assertOpen();
    const timeout = checkTimeout('timeoutMs', timeoutMs);
    if (this.mode !== 'blocking') {
      throw new PolluxError(
        'ERR_POLLUX_ATTACHED',
        "turn() needs a reactor made with { mode: 'blocking' }; this one runs in Node's loop",
      );
    }
    if (this.#turning) {
      throw new PolluxError('ERR_POLLUX_NESTED', 'turn() was called inside a callback of turn()');
    }
    const limit = this.#deferred.length > 0 ? 0 : Math.min(timeout, this.#untilNextTimer());
    return this.#turn(() => this.poller.wait(limit));
  }

  /**
   * Closes every watcher and timer, drops deferred calls, and closes the poller unless it was
   * injected. Idempotent; may be called in any callback, which is then the last one.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearImmediate(this.#immediate);
    clearImmediate(this.#roundTrip);
    for (const timer of this.#timers.clear()) timer.close();
    for (const watcher of [...this.#table.watchers()]) watcher.close();
    for (const { resource } of this.#takeDeferred()) resource.emitDestroy();
    this.#attachment?.detach();
    this.#attachment = undefined;
    if (this.#ownsPoller) this.poller.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #assertOpen(): void {
    if (this.#closed) throw new PolluxError('ERR_POLLUX_CLOSED', 'The reactor is closed');
  }

  // The turn.

  #turn(wait: () => number): number {
    this.#turning = true;
    this.#called = 0;
    try {
      this.#dispatch(wait());
      this.#runTimers();
      this.#runDeferred();
      // Node does it for an attached reactor, when its callback scope closes.
      if (this.mode === 'blocking') this.#beforeCallback();
    } finally {
      this.#turning = false;
    }
    return this.#called;
  }

  #dispatch(count: number): void {
    const { events } = this.poller;
    for (let i = 0; i < count && !this.#closed; i++) {
      const found = events[2 * i + 1];
      // 0: made void by a callback before it.
      if (!found) continue;
      const entry = this.#table.get(events[2 * i] as number);
      if (entry === undefined) continue;
      for (const watcher of entry.watchers) {
        if (eventsFor(found, watcher.interest) === 0 || !watcher.active) continue;
        this.#beforeCallback();
        // What ran in between may have paused, narrowed or closed it.
        const concerns = eventsFor(found, watcher.interest);
        if (concerns === 0 || !watcher.active) continue;
        this.#guard(() => watcher.deliver(concerns));
      }
    }
  }

  #runTimers(): void {
    // Timers set by these callbacks wait for the next turn, even if due at once: of those that are
    // due, they come last.
    const now = this.#clock.now();
    const end = this.#timers.nextOrder;
    for (;;) {
      const timer = this.#timers.peek();
      if (timer === undefined || timer.deadline > now || timer.order >= end) return;
      if (this.#closed) return;
      this.#beforeCallback();
      if (timer.closed) continue;
      this.#guard(() => timer.fire(now));
    }
  }

  #runDeferred(): void {
    // Calls deferred by these wait for the next turn.
    for (const { callback, resource } of this.#takeDeferred()) {
      if (this.#closed) return;
      this.#beforeCallback();
      this.#guard(() => resource.runInAsyncScope(callback));
    }
  }

  /** Between two callbacks, what the first has queued runs. */
  #beforeCallback(): void {
    if (this.#called > 0) this.#host.drain();
  }

  /** Runs one callback; what it throws goes where Node's would, and the batch goes on. */
  #guard(callback: () => void): void {
    if (this.#closed) return;
    this.#called++;
    try {
      callback();
    } catch (error) {
      this.#host.report(error);
    }
  }

  #takeDeferred(): Deferred[] {
    const taken = this.#deferred;
    this.#deferred = [];
    for (let i = 0; i < taken.length; i++) this.#liveness.remove();
    return taken;
  }

  #untilNextTimer(): number {
    const next = this.#timers.peek();
    return next === undefined ? NEVER : Math.max(0, next.deadline - this.#clock.now());
  }

  // Inside Node's loop.

  #ensureAttached(): void {
    if (this.mode === 'blocking' || this.#attachment !== undefined) return;
    const attachment = this.poller.attach(() => this.#onReady(), this.#driverName);
    this.#attachment = attachment;
    attachment.keepAlive(this.#liveness.alive);
    // Not armed at once: what this tick registers after the first watcher is then in the first
    // snapshot of a primitive that works on snapshots.
    queueMicrotask(() => {
      if (this.#attachment === attachment) this.#arm();
    });
  }

  #onReady(): void {
    const attachment = this.#attachment;
    if (attachment === undefined) return;
    this.#armedUntil = undefined;
    try {
      this.#turn(() => attachment.harvest());
    } finally {
      if (!this.#closed) {
        this.#armFairly();
        this.#scheduleDeferred();
      }
    }
  }

  /**
   * Arms, but lets Node's loop go round after so many batches, or so long a time, of ours. Under
   * load a threadsafe function is dispatched up to a thousand times in a row before Node's own
   * sockets and timers get their turn (node_api.cc, kMaxIterationCount). libuv calls once per round.
   */
  #armFairly(): void {
    if (this.#driverName === 'uv') {
      this.#arm();
      return;
    }
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
      this.#batches = 0;
      if (!this.#closed) this.#arm();
    });
    if (!this.#liveness.alive) this.#roundTrip.unref();
  }

  #arm(): void {
    const timeout = this.#untilNextTimer();
    this.#armedUntil = this.#clock.now() + timeout;
    this.#attachment?.arm(timeout);
  }

  /** After a timer was set: a wait that would end too late ends sooner. */
  #retime(): void {
    const next = this.#timers.peek();
    if (this.#armedUntil === undefined || next === undefined) return;
    if (next.deadline >= this.#armedUntil) return;
    this.#armedUntil = next.deadline;
    this.#attachment?.retime(this.#untilNextTimer());
  }

  /** Deferred calls do not wait for the driver: Node's next turn is ours too. */
  #scheduleDeferred(): void {
    if (this.mode === 'blocking' || this.#turning || this.#immediate !== undefined) return;
    if (this.#deferred.length === 0) return;
    this.#immediate = setImmediate(() => {
      this.#immediate = undefined;
      if (!this.#closed) this.#turn(() => 0);
      if (!this.#closed) this.#scheduleDeferred();
    });
  }
}

function chooseDriver(poller: Poller, options: ReactorOptions): DriverName {
  checkDriver('options.driver', options.driver, poller);
  const best = poller.drivers[0] ?? 'thread';
  if (options.driver !== undefined || options.ignoreEnvironment) return options.driver ?? best;
  const named = process.env.POLLUX_DRIVER || undefined;
  checkDriver('POLLUX_DRIVER', named, poller);
  return (named as DriverName | undefined) ?? best;
}
