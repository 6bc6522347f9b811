// The reactor: one thread, one poller, and the callbacks to run. What a turn does, in which order, is
// in event-loop.ts; when it starts and stops in life.ts.
//
// An attached reactor takes its turns inside Node's own loop, one JavaScript call per batch; a blocking
// one takes a turn when `turn` or `runSync` is called, and owns the thread meanwhile.
import { Batch, type BatchCallback } from './batch.js';
import { channels } from './channels.js';
import { type ChildCallback, ChildWatcher } from './child-watcher.js';
import { systemClock } from './clock.js';
import { dump } from './dump.js';
import { PolluxError } from './errors.js';
import { EventLoop } from './event-loop.js';
import { EventStream } from './event-stream.js';
import { type HandleCallback, HandleWatcher } from './handle-watcher.js';
import { Hook, type HookCallback, type HookKind } from './hook.js';
import { ENDS_TURNS, hostFor } from './host.js';
import { Interest } from './interest.js';
import { Life } from './life.js';
import type { DriverName, Poller } from './poller.js';
import {
  type BatchOptions,
  type ChildOptions,
  checkAbortOptions,
  checkBatchOptions,
  checkChildOptions,
  checkHandleOptions,
  checkReactorOptions,
  checkSignalOptions,
  checkStreamOptions,
  checkTimerOptions,
  checkWatchOptions,
  chooseDriver,
  type DeadlineOptions,
  type HandleOptions,
  type HookOptions,
  isOptions,
  type ReactorOptions,
  type SignalOptions,
  type StreamOptions,
  settingsOf,
  type TimerOptions,
  type WatchOptions,
} from './reactor-options.js';
import { bindingOf, createPoller } from './selection.js';
import { checkSignal, type SignalCallback, SignalWatcher } from './signal-watcher.js';
import { type ReactorStats, statsOf } from './stats.js';
import {
  checkDelay,
  checkWallTime,
  Interval,
  type Time,
  Timer,
  type TimerCallback,
  WallTime,
} from './timer.js';
import {
  checkFd,
  checkFunction,
  checkHandle,
  checkInteger,
  checkInterest,
  checkTimeout,
} from './validate.js';
import { type WatchCallback, Watcher, type WatcherSettings } from './watcher.js';

const NEVER = Number.POSITIVE_INFINITY;

export class Reactor {
  readonly mode: 'attached' | 'blocking';
  readonly poller: Poller;
  readonly #ownsPoller: boolean;
  readonly #loop: EventLoop;
  readonly #life: Life;

  constructor(options: ReactorOptions = {}) {
    checkReactorOptions(options);
    this.mode = options.mode ?? 'attached';
    this.poller = options.poller ?? createPoller(options);
    this.#ownsPoller = options.poller === undefined;
    let driver: DriverName;
    try {
      driver = chooseDriver(this.poller, options);
    } catch (error) {
      if (this.#ownsPoller) this.poller.close();
      throw error;
    }
    this.#loop = new EventLoop({
      poller: this.poller,
      ownsPoller: this.#ownsPoller,
      clock: options.clock ?? systemClock,
      host: hostFor(bindingOf(this.poller.backend)),
      reactor: this,
      budget: options.budget ?? {},
      slowMs: options.slowCallbackMs ?? NEVER,
      drains: this.mode === 'blocking' || !ENDS_TURNS,
      onLiveness: (alive) => this.#life.onLiveness(alive),
    });
    this.#life = new Life(this.mode, this.poller, driver, this.#loop);
    if (channels.reactorCreate.hasSubscribers) channels.reactorCreate.publish({ reactor: this });
  }

  /** The primitive in use: `'epoll'`, `'select'`. */
  get backend(): string {
    return this.poller.backend;
  }

  /** How the waiting is done: `'uv'`, `'thread'`, or `'blocking'` in that mode. */
  get driver(): string {
    return this.mode === 'blocking' ? 'blocking' : this.#life.driver;
  }

  get closed(): boolean {
    return this.#loop.closed;
  }

  /** Whether something ref'd is left to wait for. */
  get alive(): boolean {
    return this.#loop.liveness.alive;
  }

  /** Whether `stop` was called, and nothing has started it again since. */
  get stopped(): boolean {
    return this.#life.stopped;
  }

  /** When this turn began, in milliseconds on the reactor's clock: cheap, and the same all turn. */
  get now(): number {
    return this.#loop.now;
  }

  /** Brings `now` up to date, after something that took long. */
  updateNow(): number {
    this.#loop.now = this.#loop.clock.now();
    return this.#loop.now;
  }

  // What to wait for.

  /**
   * Calls back when `fd` is ready for `interest` (bits of `Interest`). Several watchers may share a
   * descriptor, except that edge shares only with edge.
   *
   * A `'oneshot'` watcher is called once and then paused, until `resume`. Close the watcher before
   * the descriptor. Throws what the poller's `add` throws: EBADF, EPERM.
   *
   * Without a callback it is for `for await`: each step waits for the next event.
   */
  watch(fd: number, interest: number, callback: WatchCallback, options?: WatchOptions): Watcher;
  watch(fd: number, interest: number, options?: StreamOptions): EventStream;
  watch(
    fd: number,
    interest: number,
    ...rest: [(StreamOptions | WatchCallback)?, WatchOptions?]
  ): Watcher | EventStream {
    this.#assertOpen();
    checkFd(fd);
    checkInterest(interest);
    const [callback, options = {}] = rest;
    // Left out, not undefined: that would be a callback that somebody forgot.
    if (rest.length === 0 || (rest.length === 1 && isOptions(callback))) {
      return this.#stream(fd, interest, callback as StreamOptions | undefined);
    }
    checkFunction('callback', callback);
    checkWatchOptions(interest, options);
    return this.#watch(fd, interest, callback as WatchCallback, settingsOf(options)).activate();
  }

  /**
   * Calls back after `delayMs` milliseconds, fractions allowed, never early; with `repeat`, again
   * and again on the same grid, without a burst after a stall.
   */
  timer(delayMs: number, callback: TimerCallback, options?: TimerOptions): Timer {
    this.#assertOpen();
    checkDelay(delayMs, false);
    checkFunction('callback', callback);
    if (options === undefined) return this.#timer(callback, delayMs, undefined);
    checkTimerOptions(options);
    const time = options.repeat ? new Interval(checkDelay(delayMs, true)) : delayMs;
    return this.#timer(callback, time, options.signal);
  }

  /**
   * Calls back at a time of the wall clock: a Date, or milliseconds since 1970. It looks at that
   * clock every second, so a clock that is set meanwhile is noticed; a time that has passed is due
   * at once.
   */
  at(time: Date | number, callback: TimerCallback, options: DeadlineOptions = {}): Timer {
    this.#assertOpen();
    const wall = new WallTime(checkWallTime(time));
    checkFunction('callback', callback);
    checkAbortOptions(options);
    return this.#timer(callback, wall, options.signal);
  }

  /** Calls back once in the next turn, after its watchers and timers. Keeps the process alive. */
  defer(callback: () => void): void {
    this.#assertOpen();
    checkFunction('callback', callback);
    this.#life.join();
    this.#loop.defer(callback);
  }

  /** Calls back before each wait, with the milliseconds it may last. Unref'd at first. */
  prepare(callback: HookCallback, options: HookOptions = {}): Hook {
    return this.#hook('prepare', callback, options);
  }

  /** Calls back after each wait, before what it found is served. Unref'd at first. */
  check(callback: HookCallback, options: HookOptions = {}): Hook {
    return this.#hook('check', callback, options);
  }

  /** Calls back in each turn that has nothing else to do; while there is one, nothing waits. */
  idle(callback: HookCallback, options: HookOptions = {}): Hook {
    return this.#hook('idle', callback, options);
  }

  /**
   * For layers above: descriptors whose ready events come in one call per turn, in typed arrays,
   * instead of one callback each.
   */
  batch(callback: BatchCallback, options: BatchOptions = {}): Batch {
    this.#assertOpen();
    checkFunction('callback', callback);
    checkBatchOptions(options);
    this.#life.join();
    return new Batch(this.#loop, callback, options);
  }

  /**
   * Calls back in the turn after a signal came. Beside others' `process.on` and other reactors; as
   * there, Node's default for the signal (SIGINT, SIGTERM: to exit) is off while somebody listens.
   * Unref'd at first. Only for an attached reactor in the main thread: elsewhere Node's loop, which
   * handles signals, does not run, and ERR_POLLUX_UNSUPPORTED is thrown.
   */
  signal(
    name: NodeJS.Signals,
    callback: SignalCallback,
    options: SignalOptions = {},
  ): SignalWatcher {
    this.#assertOpen();
    checkSignal(name, this.mode);
    checkFunction('callback', callback);
    checkSignalOptions(options);
    this.#life.join();
    const settings = { priority: options.priority ?? 0, signal: options.signal };
    return new SignalWatcher(this.#loop, name, callback, settings);
  }

  /**
   * Calls back once when the process `pid` has ended, by pidfd (Linux 5.3; ENOSYS elsewhere): a child
   * or any other, in every mode and thread, whoever reaps it. ESRCH is thrown if there is no such
   * process.
   *
   * How it ended is known of a child (Linux 5.4), unless it was reaped before this thread came to
   * ask; then, and of others' children, only once it was reaped (Linux 6.15).
   */
  child(pid: number, callback: ChildCallback, options: ChildOptions = {}): ChildWatcher {
    this.#assertOpen();
    checkInteger('pid', pid, 1, 0x7fff_ffff);
    checkFunction('callback', callback);
    checkChildOptions(options);
    const binding = bindingOf(this.backend);
    return new ChildWatcher(pid, callback, binding, options.reap ?? false, (fd, ended, onClose) => {
      const settings = { ...settingsOf(options), onClose };
      return this.#watch(fd, Interest.readable, ended, settings).activate();
    });
  }

  /**
   * Windows: calls back when a waitable object is signalled: an event, a process, a thread, a timer.
   * `handle` is its HANDLE as a number. One watcher to a handle. Close the watcher before the handle.
   *
   * In level mode it is called in each turn, as long as the object is signalled. A `'oneshot'` watcher
   * is called once and then paused, until `resume`. Throws what the poller's `watchHandle` throws:
   * EBADF, EEXIST, and ERR_POLLUX_UNSUPPORTED for a backend other than iocp.
   */
  watchHandle(
    handle: number,
    callback: HandleCallback,
    options: HandleOptions = {},
  ): HandleWatcher {
    this.#assertOpen();
    checkHandle(handle);
    checkFunction('callback', callback);
    checkHandleOptions(options);
    const { mode = 'level', priority = 0, signal } = options;
    const settings = { mode, priority, signal };
    return this.#life.joinWith(new HandleWatcher(this.#loop, handle, callback, settings));
  }

  // The loop.

  /**
   * Resolves when nothing ref'd is left to wait for, at `stop`, and at `close`. An attached reactor
   * needs no `run` to work: this is for those who want to know its end, and to go on after `stop`.
   */
  run(): Promise<void> {
    this.#assertOpen();
    return this.#life.run();
  }

  /** Takes turns of a blocking reactor until nothing ref'd is left to wait for, or `stop`. */
  runSync(): void {
    this.#assertOpen();
    const blocking = this.#life.blocking('runSync');
    while (this.alive && !this.stopped && !this.closed) blocking.turn(NEVER);
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
    return this.#life.blocking('turn').turn(timeout);
  }

  /**
   * No callback runs after the one under way, until `run`, `runSync` or `turn`; what was found and
   * not yet delivered is kept for then. With `afterMs`, once that time has passed. A stopped
   * reactor does not keep the process alive.
   */
  stop(afterMs?: number): void {
    this.#assertOpen();
    this.#life.stop(afterMs === undefined ? undefined : checkTimeout('afterMs', afterMs));
  }

  /**
   * Closes every watcher and timer, drops deferred calls, and closes the poller unless it was
   * injected. Idempotent; may be called in any callback, which is then the last one.
   */
  close(): void {
    if (this.closed) return;
    this.#life.close();
    if (this.#ownsPoller) this.poller.close();
    if (channels.reactorClose.hasSubscribers) channels.reactorClose.publish({ reactor: this });
  }

  [Symbol.dispose](): void {
    this.close();
  }

  // Diagnostics.

  stats(): ReactorStats {
    this.#assertOpen();
    return statsOf(this.#loop, this.poller, this.#life.idleMs);
  }

  /** Every watcher, timer and hook, a line each, for people. The format may change. */
  dump(): string {
    this.#assertOpen();
    const state = this.stopped ? 'stopped' : this.alive ? 'alive' : 'nothing to wait for';
    return dump(`reactor: ${this.backend}, ${this.driver}, ${state}`, this.#loop);
  }

  // Inside.

  #assertOpen(): void {
    if (this.closed) throw new PolluxError('ERR_POLLUX_CLOSED', 'The reactor is closed');
  }

  #watch(
    fd: number,
    interest: number,
    callback: WatchCallback,
    settings: WatcherSettings,
  ): Watcher {
    const watcher = this.#life.joinWith(new Watcher(this.#loop, fd, interest, callback, settings));
    watcher.opened();
    return watcher;
  }

  #stream(fd: number, interest: number, options: StreamOptions = {}): EventStream {
    checkStreamOptions(interest, options);
    const settings = { ...settingsOf(options), mode: 'oneshot' as const };
    return new EventStream(interest, options.signal, (callback, onClose) =>
      this.#watch(fd, 0, callback, { ...settings, onClose }),
    );
  }

  #timer(callback: TimerCallback, time: Time, signal: AbortSignal | undefined): Timer {
    this.#life.join();
    return new Timer(this.#loop, callback, time, signal);
  }

  #hook(kind: HookKind, callback: HookCallback, options: HookOptions): Hook {
    this.#assertOpen();
    checkFunction('callback', callback);
    checkAbortOptions(options);
    this.#life.join();
    return new Hook(this.#loop, kind, this.#loop.hooks[kind], callback, options.signal);
  }
}
