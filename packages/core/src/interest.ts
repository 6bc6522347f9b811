// The bits of an interest and of an event, the same on every backend and in C++
// (packages/addon/include/pollux/backend.h).

/**
 * What to wait for on a descriptor; combine with `|`. `0` is a pause: the descriptor stays
 * registered, but leaves the kernel's set, so it is silent.
 *
 * - `readable`: a read would not block: data, end of file, an error, or a connection to accept.
 * - `writable`: a write would not block: room in the buffer, an error, or a finished connect.
 * - `priority`: an exceptional condition: TCP urgent data, a sysfs attribute (GPIO) that changed,
 *   a PSI trigger (POLLPRI of poll(2)).
 */
export const Interest: {
  readonly readable: 1;
  readonly writable: 2;
  readonly priority: 4;
} = Object.freeze({ readable: 1, writable: 2, priority: 4 });

/**
 * What happened on a descriptor. `readable`, `writable` and `priority` come only if asked for; an
 * error or hangup sets whichever of readable and writable was asked for and the descriptor has, on
 * every backend.
 *
 * `error`, `hangup` and `readClosed` are hints: a backend's `capabilities` tell which it gives.
 *
 * - `error`: a pending error (EPOLLERR). `SO_ERROR`, or the next read or write, tells which.
 * - `hangup`: both directions are closed (EPOLLHUP).
 * - `readClosed`: the peer has shut down its writing half (EPOLLRDHUP); data may be left to read.
 * - `timeout`: never from a poller: a watcher's `timeoutMs` passed without an event.
 */
export const Events: {
  readonly readable: 1;
  readonly writable: 2;
  readonly priority: 4;
  readonly error: 8;
  readonly hangup: 16;
  readonly readClosed: 32;
  readonly timeout: 64;
} = Object.freeze({ ...Interest, error: 8, hangup: 16, readClosed: 32, timeout: 64 });

export const INTEREST_MASK = 7;
const HINTS = Events.error | Events.hangup | Events.readClosed;

/** The names of the set bits, in order: `['readable', 'hangup']`. For messages and tables. */
export function eventNames(bits: number): string[] {
  return Object.entries(Events)
    .filter(([, bit]) => (bits & bit) !== 0)
    .map(([name]) => name);
}

/**
 * The part of `events` that concerns somebody who asked for `interest`; 0 if none does. Who asked
 * for nothing is told of nothing, not even of an error that others on the descriptor are told of.
 */
export function eventsFor(events: number, interest: number): number {
  if (interest === 0) return 0;
  let concerns = events & (interest | HINTS);
  if ((interest & Interest.readable) === 0) concerns &= ~Events.readClosed;
  return concerns;
}
