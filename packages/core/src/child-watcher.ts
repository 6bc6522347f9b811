// The end of a process as an event of a reactor, by pidfd (Linux 5.3): no SIGCHLD, no polling, any
// process that may be looked at, and no confusion when its number is reused.
//
// How it ended is told where the system tells: its parent can always ask (waitid with WNOWAIT, which
// leaves the child to whoever reaps it); once it was reaped, and for everybody else's children, since
// Linux 6.15 (PIDFD_GET_INFO).

import type { NativeBinding } from './backend.js';
import { os } from './builtins.js';
import { PolluxError, systemError } from './errors.js';
import type { Watcher } from './watcher.js';

export interface ChildExit {
  readonly pid: number;
  /** The exit code; null if a signal ended it, undefined if the system does not tell. */
  readonly code: number | null | undefined;
  /** The signal that ended it; null if it exited, undefined if the system does not tell. */
  readonly signal: NodeJS.Signals | null | undefined;
}

export type ChildCallback = (exit: ChildExit, watcher: ChildWatcher) => void;

/** Bits of the native status: how much of a wait(2) status is known. */
const KNOWN = 0x10000;
/** Of two names for one number the first: SIGABRT, not SIGIOT. */
function nameOf(signal: number): NodeJS.Signals | undefined {
  const names = Object.entries(os().constants.signals);
  return names.find(([, number]) => number === signal)?.[0] as NodeJS.Signals | undefined;
}

export class ChildWatcher {
  readonly pid: number;
  readonly #watcher: Watcher;

  /** @internal Made by `reactor.child`; `watch` watches the pidfd until it is closed. */
  constructor(
    pid: number,
    callback: ChildCallback,
    binding: NativeBinding | undefined,
    reap: boolean,
    watch: (fd: number, ended: () => void, closed: () => void) => Watcher,
  ) {
    this.pid = pid;
    if (binding === undefined) {
      throw new PolluxError('ERR_POLLUX_UNSUPPORTED', 'This backend has no processes');
    }
    const fd = binding.pidfdOpen(pid);
    if (fd < 0) throw systemError(fd, 'pidfd_open', { pid });
    const ended = (): void => {
      const status = binding.pidfdStatus(fd, reap);
      this.close();
      callback({ pid, ...describe(status) }, this);
    };
    try {
      this.#watcher = watch(fd, ended, () => binding.pidfdClose(fd));
    } catch (error) {
      // Closed already if there was a watcher; the number is refused then.
      binding.pidfdClose(fd);
      throw error;
    }
  }

  /** True once the end was told, or `close` was called. */
  get closed(): boolean {
    return this.#watcher.closed;
  }

  /** Idempotent. The process itself is left alone. */
  close(): void {
    this.#watcher.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Whether it keeps the process alive; it does, unless `unref` was called. */
  hasRef(): boolean {
    return this.#watcher.hasRef();
  }

  ref(): this {
    this.#watcher.ref();
    return this;
  }

  unref(): this {
    this.#watcher.unref();
    return this;
  }
}

/** A status as wait(2) packs it, with KNOWN set; less than that is not known. */
function describe(status: number): Pick<ChildExit, 'code' | 'signal'> {
  if (status < KNOWN) return { code: undefined, signal: undefined };
  const signal = status & 0x7f;
  if (signal !== 0) return { code: null, signal: nameOf(signal) };
  return { code: (status >> 8) & 0xff, signal: null };
}
