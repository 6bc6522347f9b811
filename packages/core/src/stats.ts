// What a reactor has done so far, in numbers: `reactor.stats()`.
import type { EventLoop } from './event-loop.js';
import type { Poller } from './poller.js';

/** Counts since the reactor was made; times in milliseconds. */
export interface ReactorStats {
  turns: number;
  /** What the poller reported. */
  events: number;
  callbacks: number;
  /** Events dropped because their registration was changed or gone. */
  staleEvents: number;
  /** Times the kernel's set was made anew because of a ghost. */
  rebuilds: number;
  /** Waits ended by a waker. */
  wakeups: number;
  /** Time spent waiting. */
  idleMs: number;
  /** Time spent in turns, callbacks included. */
  busyMs: number;
  longestCallbackMs: number;
  /** Open now. */
  watchers: number;
  /** Due some time. */
  timers: number;
}

export function statsOf(loop: EventLoop, poller: Poller, idleMs: number): ReactorStats {
  const { turns, events, runner, busyMs, table, wheel } = loop;
  const { stale, rebuilds, wakeups } = poller.counters();
  let watchers = 0;
  for (const entry of table.entries()) watchers += entry.watchers.length;
  return {
    turns,
    events,
    callbacks: runner.total,
    staleEvents: stale,
    rebuilds,
    wakeups,
    idleMs,
    busyMs,
    longestCallbackMs: runner.longestMs,
    watchers,
    timers: wheel.size,
  };
}
