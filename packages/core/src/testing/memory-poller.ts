// A poller without an operating system, for tests of code that uses a reactor: readiness is what
// the test says it is, and time passes only when the test, or a wait, lets it.
import type { Capabilities } from '../backend.js';
import type { Clock } from '../clock.js';
import { PolluxError, systemError } from '../errors.js';
import { Events, eventsFor, Interest } from '../interest.js';
import type {
  Attachment,
  DriverName,
  Mode,
  Poller,
  PollerCounters,
  RegistrationOptions,
  Waker,
} from '../poller.js';
import { checkFd, checkInterest, checkKey, checkOneOf, checkTimeout } from '../validate.js';

/** A clock that stands still until it is told to go on. */
export class ManualClock implements Clock {
  #now = 0;
  readonly #listeners = new Set<() => void>();

  now(): number {
    return this.#now;
  }

  /** Goes on by so many milliseconds. */
  advance(ms: number): void {
    this.#now += ms;
    for (const listener of this.#listeners) listener();
  }

  /** Calls back after each advance, until the returned function is called. */
  onAdvance(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

interface Registration {
  interest: number;
  key: number;
  mode: Mode;
  /** A oneshot that has fired, or an edge that was reported. */
  quiet: boolean;
  /** Place in the records of the last wait, -1 for none. */
  record: number;
}

const CAPABILITIES: Capabilities = Object.freeze({
  edge: true,
  constantTime: false,
  anyFd: true,
  earlyClose: true,
  errorHint: true,
  hangupHint: true,
  exclusive: false,
  timeoutResolutionMs: 0,
});
// The negative numbers of Linux; the codes are the same everywhere.
const ENOENT = -2;
const EEXIST = -17;

/**
 * An in-memory Poller. Any number is a descriptor; `set` makes it ready. A `wait` that finds
 * nothing moves the clock to its end instead of blocking; one without end returns 0.
 */
export class MemoryPoller implements Poller {
  readonly backend = 'memory';
  readonly capabilities: Capabilities = CAPABILITIES;
  readonly waker: Waker = Object.freeze({ backend: 'memory', id: 0 });
  readonly fd: undefined = undefined;
  readonly drivers: readonly DriverName[] = ['thread'];
  readonly clock: ManualClock;
  #events = new Uint32Array(64);
  readonly #ready = new Map<number, number>();
  readonly #registrations = new Map<number, Registration>();
  #notified = false;
  #closed = false;
  #onReady: (() => void) | undefined;
  #armed: { deadline: number } | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #keep = false;

  constructor(clock: ManualClock = new ManualClock()) {
    this.clock = clock;
  }

  get events(): Uint32Array {
    return this.#events;
  }

  /** Says what is the case on `fd` from now on: bits of `Events`, 0 for nothing. */
  set(fd: number, events: number): void {
    const before = this.#ready.get(fd) ?? 0;
    this.#ready.set(fd, events);
    const registration = this.#registrations.get(fd);
    if (registration?.mode === 'edge' && (events & ~before) !== 0) registration.quiet = false;
    this.#poke();
  }

  add(fd: number, interest: number, key: number, options?: RegistrationOptions): void {
    this.#check(fd, interest, key, options);
    if (this.#registrations.has(fd)) throw systemError(EEXIST, 'memory', { fd });
    const mode = options?.mode ?? 'level';
    this.#registrations.set(fd, { interest, key, mode, quiet: false, record: -1 });
    this.#poke();
  }

  modify(fd: number, interest: number, key: number, options?: RegistrationOptions): void {
    this.#check(fd, interest, key, options);
    const registration = this.#find(fd);
    this.#void(registration);
    const mode = options?.mode ?? 'level';
    Object.assign(registration, { interest, key, mode, quiet: false });
    this.#poke();
  }

  delete(fd: number): void {
    this.#assertOpen();
    checkFd(fd);
    this.#void(this.#find(fd));
    this.#registrations.delete(fd);
  }

  wait(timeoutMs?: number): number {
    this.#assertOpen();
    const timeout = checkTimeout('timeoutMs', timeoutMs);
    if (this.#onReady !== undefined) {
      throw new PolluxError('ERR_POLLUX_ATTACHED', 'An attached poller does not wait');
    }
    const found = this.#collect();
    if (found === 0 && !this.#notified && timeout !== Number.POSITIVE_INFINITY) {
      this.clock.advance(timeout);
    }
    this.#notified = false;
    return found;
  }

  notify(): void {
    this.#assertOpen();
    this.#notified = true;
    this.#poke();
  }

  canWatch(fd: number): boolean {
    this.#assertOpen();
    checkFd(fd);
    return true;
  }

  counters(): PollerCounters {
    this.#assertOpen();
    return { stale: 0, rebuilds: 0, wakeups: 0 };
  }

  /** `onReady` is called in a later turn of Node's loop; deadlines pass when the clock is moved. */
  attach(onReady: () => void): Attachment {
    this.#assertOpen();
    if (this.#onReady !== undefined) {
      throw new PolluxError('ERR_POLLUX_ATTACHED', 'This poller is attached already');
    }
    this.#onReady = onReady;
    const deaf = this.clock.onAdvance(() => this.#poke());
    const deadlineAfter = (timeoutMs: number) => ({ deadline: this.clock.now() + timeoutMs });
    return {
      driver: 'thread',
      arm: (timeoutMs) => {
        this.#armed = deadlineAfter(timeoutMs);
        this.#poke();
      },
      retime: (timeoutMs) => {
        if (this.#armed !== undefined) this.#armed = deadlineAfter(timeoutMs);
        this.#poke();
      },
      harvest: () => {
        this.#notified = false;
        return this.#collect();
      },
      keepAlive: (keep) => {
        this.#keep = keep;
        if (keep) this.#immediate?.ref();
        else this.#immediate?.unref();
      },
      detach: () => {
        deaf();
        this.#onReady = undefined;
        this.#armed = undefined;
        clearImmediate(this.#immediate);
        this.#immediate = undefined;
      },
    };
  }

  close(): void {
    this.#closed = true;
    this.#registrations.clear();
    this.#onReady = undefined;
    clearImmediate(this.#immediate);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #assertOpen(): void {
    if (this.#closed) throw new PolluxError('ERR_POLLUX_CLOSED', 'The poller is closed');
  }

  #check(
    fd: number,
    interest: number,
    key: number,
    options: RegistrationOptions | undefined,
  ): void {
    this.#assertOpen();
    checkFd(fd);
    checkInterest(interest);
    checkKey(key);
    checkOneOf('options.mode', options?.mode, ['level', 'oneshot', 'edge']);
    if (options?.exclusive) {
      throw new PolluxError('ERR_POLLUX_UNSUPPORTED', 'No exclusive wakeup in memory');
    }
  }

  #find(fd: number): Registration {
    const registration = this.#registrations.get(fd);
    if (registration === undefined) throw systemError(ENOENT, 'memory', { fd });
    return registration;
  }

  #void(registration: Registration): void {
    if (registration.record >= 0) this.#events[2 * registration.record + 1] = 0;
    registration.record = -1;
  }

  /** What a registration would report now. */
  #reportable(fd: number, registration: Registration): number {
    if (registration.quiet || registration.interest === 0) return 0;
    const ready = this.#ready.get(fd) ?? 0;
    const either = Interest.readable | Interest.writable;
    const implied = (ready & (Events.error | Events.hangup)) !== 0 ? either : 0;
    return eventsFor(ready | (implied & registration.interest), registration.interest);
  }

  #collect(): number {
    if (this.#events.length < 2 * this.#registrations.size) {
      this.#events = new Uint32Array(4 * this.#registrations.size);
    }
    let count = 0;
    for (const [fd, registration] of this.#registrations) {
      registration.record = -1;
      const events = this.#reportable(fd, registration);
      if (events === 0) continue;
      if (registration.mode !== 'level') registration.quiet = true;
      registration.record = count;
      this.#events[2 * count] = registration.key;
      this.#events[2 * count + 1] = events;
      count++;
    }
    return count;
  }

  /** Calls back in a later turn if an armed attachment has a reason to be called. */
  #poke(): void {
    if (this.#armed === undefined || this.#immediate !== undefined) return;
    this.#immediate = setImmediate(() => {
      this.#immediate = undefined;
      const { deadline } = this.#armed ?? { deadline: Number.POSITIVE_INFINITY };
      const due = this.#notified || this.clock.now() >= deadline;
      const ready = [...this.#registrations].some(([fd, r]) => this.#reportable(fd, r) !== 0);
      if (!due && !ready) return;
      this.#armed = undefined;
      this.#onReady?.();
    });
    if (!this.#keep) this.#immediate.unref();
  }
}
