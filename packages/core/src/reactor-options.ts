// The options of a reactor and of what it hands out, and their checks.
import { checkSignal } from './abort.js';
import type { Clock } from './clock.js';
import { invalidType, outOfRange } from './errors.js';
import type { Budget } from './event-loop.js';
import type { DriverName, Mode, Poller } from './poller.js';
import { MAX_PRIORITY, MIN_PRIORITY } from './ready-queue.js';
import type { SelectionOptions } from './selection.js';
import {
  checkBoolean,
  checkDriver,
  checkExclusive,
  checkFunction,
  checkInteger,
  checkOneOf,
  checkOptions,
  checkPositive,
} from './validate.js';
import type { WatcherSettings } from './watcher.js';

export interface ReactorOptions extends SelectionOptions {
  /** An open poller to use; the caller closes it. Left out: one is selected, and closed with us. */
  poller?: Poller;
  /**
   * `'attached'` (default): callbacks run inside Node's own loop. `'blocking'`: they run in `turn`
   * and `runSync`, which own the thread; for workers and tools.
   */
  mode?: 'attached' | 'blocking';
  /**
   * How an attached reactor waits; the best of `poller.drivers` if left out. POLLUX_DRIVER says it
   * for code that does not.
   */
  driver?: DriverName;
  /** Where the time comes from; for tests with a clock of their own. */
  clock?: Clock;
  /** What one turn may spend on watchers, so that a flood does not starve timers and the rest. */
  budget?: Budget;
  /**
   * Callbacks that take so many milliseconds are reported, with the place where their watcher or
   * timer was made. Keeping that place costs some microseconds for each that is made. Off if left
   * out.
   */
  slowCallbackMs?: number;
}

interface AbortOptions {
  /** Closes it when aborted. One that is aborted already is thrown (its `reason`). */
  signal?: AbortSignal;
}

export interface StreamOptions extends AbortOptions {
  /** See WatchOptions. */
  priority?: number;
  /** See WatchOptions. */
  timeoutMs?: number;
  /** See WatchOptions. */
  alwaysReady?: boolean;
}

export interface WatchOptions extends AbortOptions {
  mode?: Mode;
  /** EPOLLEXCLUSIVE; see RegistrationOptions. */
  exclusive?: boolean;
  /** From 2, served first, to -2, served last, among what is ready in the same turn; 0. */
  priority?: number;
  /** Calls back with `Events.timeout` after so many milliseconds without an event, repeatedly. */
  timeoutMs?: number;
  /**
   * Serves a descriptor that the primitive cannot watch, because it never blocks (a regular file in
   * epoll: EPERM), as ready in each turn.
   */
  alwaysReady?: boolean;
}

export interface TimerOptions extends AbortOptions {
  /** Call again after each `delayMs`, which must be above 0. */
  repeat?: boolean;
}

export type HookOptions = AbortOptions;
export type DeadlineOptions = AbortOptions;

export interface SignalOptions extends AbortOptions {
  /** See WatchOptions. */
  priority?: number;
}

export interface HandleOptions extends SignalOptions {
  /** `'level'` (default): in each turn, as long as it is signalled. `'oneshot'`: once. */
  mode?: 'level' | 'oneshot';
}

export interface BatchOptions extends SignalOptions {
  /** Called once when it is closed: by `close`, by its signal, or with the reactor. */
  onClose?: () => void;
}

export interface ChildOptions extends AbortOptions {
  /**
   * Takes the exit status, as waitpid(2) does, so that no zombie is left. Only for children that
   * nobody else reaps: Node does it for those of node:child_process.
   */
  reap?: boolean;
}

export function checkReactorOptions(options: ReactorOptions): void {
  checkOptions('options', options);
  checkOneOf('options.mode', options.mode, ['attached', 'blocking']);
  if (options.clock !== undefined && typeof options.clock?.now !== 'function') {
    throw invalidType('options.clock', 'a Clock', options.clock);
  }
  if (options.poller !== undefined && typeof options.poller?.attach !== 'function') {
    throw invalidType('options.poller', 'a Poller', options.poller);
  }
  checkOptions('options.budget', options.budget);
  checkPositive('options.budget.callbacks', options.budget?.callbacks);
  checkPositive('options.budget.timeMs', options.budget?.timeMs);
  checkPositive('options.slowCallbackMs', options.slowCallbackMs);
}

/** How an attached reactor on this poller is to wait: as its options or the environment say. */
export function chooseDriver(poller: Poller, options: ReactorOptions): DriverName {
  checkDriver('options.driver', options.driver, poller);
  const best = poller.drivers[0] ?? 'thread';
  if (options.driver !== undefined) return options.driver;
  const named = process.env.POLLUX_DRIVER || undefined;
  // Nothing is attached in blocking mode; and of a poller that code has chosen it is a wish.
  if (options.ignoreEnvironment || options.mode === 'blocking' || named === undefined) return best;
  if (options.poller === undefined) checkDriver('POLLUX_DRIVER', named, poller);
  return poller.drivers.find((driver) => driver === named) ?? best;
}

export function checkWatchOptions(interest: number, options: WatchOptions): void {
  checkOptions('options', options);
  checkOneOf('options.mode', options.mode, ['level', 'oneshot', 'edge']);
  checkBoolean('options.exclusive', options.exclusive);
  checkExclusive(interest, options);
  checkPriority(options.priority);
  checkPositive('options.timeoutMs', options.timeoutMs);
  checkBoolean('options.alwaysReady', options.alwaysReady);
  if (options.alwaysReady) {
    checkOneOf('options.mode', options.mode, ['level', 'oneshot']);
  }
  checkSignal(options.signal);
}

/** Of checked options. */
export function settingsOf(options: WatchOptions): WatcherSettings {
  return {
    mode: options.mode ?? 'level',
    exclusive: options.exclusive ?? false,
    priority: options.priority ?? 0,
    timeoutMs: options.timeoutMs,
    alwaysReady: options.alwaysReady ?? false,
    signal: options.signal,
  };
}

/** Told by its shape from a callback, even from a wrong one. */
export function isOptions(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A stream is a oneshot, and is always for something. */
export function checkStreamOptions(interest: number, options: WatchOptions): void {
  checkOneOf('options.mode', options.mode, ['oneshot']);
  if (interest === 0) throw outOfRange('interest', 'something to wait for', interest);
  checkWatchOptions(interest, { ...options, mode: 'oneshot' });
}

export function checkTimerOptions(options: TimerOptions): void {
  checkOptions('options', options);
  checkBoolean('options.repeat', options.repeat);
  checkSignal(options.signal);
}

export function checkBatchOptions(options: BatchOptions): void {
  checkSignalOptions(options);
  if (options.onClose !== undefined) checkFunction('options.onClose', options.onClose);
}

export function checkSignalOptions(options: SignalOptions): void {
  checkOptions('options', options);
  checkPriority(options.priority);
  checkSignal(options.signal);
}

export function checkHandleOptions(options: HandleOptions): void {
  checkSignalOptions(options);
  checkOneOf('options.mode', options.mode, ['level', 'oneshot']);
}

export function checkChildOptions(options: ChildOptions): void {
  checkOptions('options', options);
  checkBoolean('options.reap', options.reap);
  checkSignal(options.signal);
}

export function checkAbortOptions(options: AbortOptions): void {
  checkOptions('options', options);
  checkSignal(options.signal);
}

function checkPriority(priority: unknown): void {
  if (priority === undefined) return;
  checkInteger('options.priority', priority, MIN_PRIORITY, MAX_PRIORITY);
}
