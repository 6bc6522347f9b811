// The reactor's idea of time: milliseconds on a monotonic clock, with fractions.

export interface Clock {
  /** Milliseconds since some fixed moment; never goes back. */
  now(): number;
  /** Milliseconds since 1970, for wall-clock timers; Date.now() if left out. */
  wallNow?(): number;
}

/** CLOCK_MONOTONIC through performance.now(), the clock of the pollers' timeouts too. */
export const systemClock: Clock = { now: () => performance.now() };

export function wallNow(clock: Clock): number {
  return clock.wallNow?.() ?? Date.now();
}
