// The contract of a poller: seven verbs that mean the same on every backend.
//
// A poller belongs to the thread that made it. Only `notify`, and a `Waker`, may be used from
// another. It reports readiness, it never reads or writes: a report may be spurious (the data may
// be gone when you come to read it), so descriptors should be nonblocking. What is promised, and
// what merely happens to be so on some system today, is told apart in docs/portability.md.
import type { Capabilities } from './backend.js';

/**
 * How often a registration reports.
 *
 * - `'level'` (default, everywhere): each wait, as long as the condition holds.
 * - `'oneshot'` (everywhere): once, then silent until `modify`.
 * - `'edge'` (a capability): when the condition newly arises; read or write until EAGAIN.
 */
export type Mode = 'level' | 'oneshot' | 'edge';

export interface RegistrationOptions {
  mode?: Mode;
  /**
   * EPOLLEXCLUSIVE (Linux 4.5): of several pollers that watch one listener, wake one or a few, not
   * all. epoll only, with readable and writable, level or edge; `capabilities.exclusive` tells.
   */
  exclusive?: boolean;
}

/**
 * A handle for other threads: plain data, so it can be posted to any worker of this process and
 * used there with `wake()`. It holds nothing open; that of a closed poller does nothing.
 */
export interface Waker {
  readonly backend: string;
  readonly id: number;
}

export interface Poller {
  /** The primitive's name: `'epoll'`, `'select'`. */
  readonly backend: string;
  readonly capabilities: Capabilities;
  /**
   * What the last `wait` found, two words each: `events[2 * i]` is the key of the i-th ready
   * descriptor, `events[2 * i + 1]` its bits of `Events`, 0 for a record made void since by `add`,
   * `modify` or `delete`. Valid until the next `wait`, which may put a larger array in its place.
   */
  readonly events: Uint32Array;
  /** Unique, stable, and the way to end this poller's wait from another thread. */
  readonly waker: Waker;
  /**
   * The primitive's own descriptor, to watch this poller in another loop, or undefined where it
   * has none (select). It is the poller's: do not close it, read it or add to it.
   */
  readonly fd: number | undefined;
  /** How it can be attached here, best first. */
  readonly drivers: readonly DriverName[];

  /**
   * Watches `fd` for `interest`. `key` (0 to 2^32-1, need not be unique) comes back with each
   * event.
   *
   * Throws EEXIST if `fd` is registered and still names the same open file. If the number was
   * closed and reused, the old registration is dropped and the add succeeds. Throws EBADF for a
   * closed descriptor, EPERM for a file that the primitive cannot watch (a regular file in epoll).
   * A refused add leaves no trace.
   */
  add(fd: number, interest: number, key: number, options?: RegistrationOptions): void;
  /**
   * Replaces interest, key and options of a registration, and arms a oneshot anew. Throws ENOENT
   * for a descriptor that is not registered. A refused modify changes nothing.
   */
  modify(fd: number, interest: number, key: number, options?: RegistrationOptions): void;
  /**
   * Forgets `fd` at once, also an event of it that the last `wait` wrote. That it was closed
   * before is fine; throws ENOENT if it was not registered.
   */
  delete(fd: number): void;
  /**
   * Blocks this thread until a descriptor is ready, `notify` is called, or the time is over, and
   * returns how many records it wrote to `events`.
   *
   * `timeoutMs` takes fractions and is never cut short; `undefined` and `Infinity` are forever,
   * `0` only looks. Signals do not end it. Every 200 ms it passes through JavaScript, so that a
   * worker can be terminated in the middle; no callback of Node's runs meanwhile.
   */
  wait(timeoutMs?: number): number;
  /** Ends the wait under way, or the next one. Many calls before a wait are one. */
  notify(): void;
  /** Whether the primitive can watch this descriptor; registers nothing. EBADF is thrown. */
  canWatch(fd: number): boolean;
  /**
   * Windows: reports once, as readable under `key`, that a waitable object is signalled: an event, a
   * process, a thread, a timer. `handle` is its HANDLE as a number. Call it again for the next time.
   *
   * Throws EEXIST while it is being watched, EBADF for what is no handle, and ERR_POLLUX_UNSUPPORTED
   * for a backend other than iocp. Missing from pollers that watch no system objects.
   */
  watchHandle?(handle: number, key: number): void;
  /** Forgets a handle at once. Call it before you close the handle. Throws ENOENT. */
  unwatchHandle?(handle: number): void;
  /**
   * kqueue: reports once, as readable under `key`, that a process has ended. `pid` is any process
   * that this one may see, a child or not.
   *
   * Throws ESRCH if there is none, EEXIST if it is watched already, and ERR_POLLUX_UNSUPPORTED on a
   * backend other than kqueue. Missing from pollers that watch no system objects.
   */
  watchProcess?(pid: number, key: number): void;
  /** Forgets a process at once. ENOENT if it was not watched. */
  unwatchProcess?(pid: number): void;
  /**
   * kqueue: reports, as readable under `key`, what has happened to an open file or directory since
   * the last report: bits of `VnodeChanges`, which `vnodeChanges(events)` takes out of a record.
   *
   * Errors as `watchProcess`, and EBADF.
   */
  watchVnode?(fd: number, changes: number, key: number): void;
  /** Forgets a file at once. ENOENT if it was not watched. */
  unwatchVnode?(fd: number): void;
  /** Idempotent. Everything else throws ERR_POLLUX_CLOSED afterwards. */
  close(): void;
  [Symbol.dispose](): void;

  /** Counts since the poller was opened. */
  counters(): PollerCounters;
  /**
   * For a reactor: hands the waiting to another thread, or to Node's own loop. `onReady` is called
   * on this thread, once per batch, deadline or wake; `wait` throws from here until `detach`.
   *
   * `driver` left out is the first of `drivers`. Throws ERR_POLLUX_UNSUPPORTED for one that is not
   * among them.
   */
  attach(onReady: () => void, driver?: DriverName): Attachment;
}

export interface PollerCounters {
  /** Events dropped because their registration was changed or gone. */
  stale: number;
  /** Times the kernel's set was made anew because of a ghost (see docs/portability.md). */
  rebuilds: number;
  /** Waits ended by a wake. */
  wakeups: number;
}

/**
 * How an attached poller waits.
 *
 * - `'thread'`: blocks on a thread of its own, which calls back through a threadsafe function.
 *   Everywhere.
 * - `'uv'`: the primitive's descriptor, with a timerfd in its set for deadlines, stands in Node's
 *   own loop. Nothing is handed from thread to thread, so on an idle loop a report comes sooner.
 *   Only on Node, and only where the primitive is a descriptor (not select). Not yet the default on
 *   macOS and the BSDs.
 */
export type DriverName = 'thread' | 'uv';

/**
 * The waiting of an attached poller. One batch is in flight at a time. Once the poller is closed or
 * detached, all of it does nothing.
 */
export interface Attachment {
  readonly driver: DriverName;
  /** Begins a wait of at most `timeoutMs`. At its end `onReady` is called once. */
  arm(timeoutMs: number): void;
  /** Moves the deadline of the wait under way. */
  retime(timeoutMs: number): void;
  /**
   * After `onReady`: writes the batch to `events` and returns its size; 0 for a mere wake. Before it:
   * what the thread has found so far, 0 with `'uv'`; `onReady` may come all the same.
   */
  harvest(): number;
  /** Whether the attachment keeps Node's loop alive. Not at first. */
  keepAlive(keep: boolean): void;
  /** Ends the wait. What it had found is delivered by the next `wait` or `attach`. */
  detach(): void;
}
