// What the parts of one reactor share: an EventLoop (event-loop.ts), as watchers, timers and the
// rest see it.
import type { Clock } from './clock.js';
import type { Handle } from './handle.js';
import type { Liveness } from './liveness.js';
import type { ReadyQueue } from './ready-queue.js';
import type { TimerWheel, WheelItem } from './timer-wheel.js';
import type { WaitableTable } from './waitable-table.js';
import type { WatchTable } from './watch-table.js';

/** Something with a callback. */
export interface Runnable {
  /** Calls back; throws what the callback throws. */
  fire(argument: number): void;
  /** For reports: `'a watcher of fd 5'`. */
  readonly label: string;
  /** Where it was made, if that is kept. */
  readonly origin: string | undefined;
}

/** Found ready, and waiting in the queue to be served. */
export interface Ready extends Runnable {
  readonly priority: number;
  /** Whether it is in the queue; the queue's own. */
  queued: boolean;
  /** Whether there is still something to deliver. */
  readonly wanted: boolean;
}

/** Due at some time. */
export interface Timed extends WheelItem, Runnable {
  /** Whether its time has come indeed. If not, it has set itself anew. */
  isDue(): boolean;
  /** Milliseconds until it is due. */
  readonly remaining: number;
  hasRef(): boolean;
  /** The reactor is closed. */
  abandon(): void;
}

export interface Loop {
  readonly clock: Clock;
  readonly liveness: Liveness;
  readonly table: WatchTable;
  readonly waitables: WaitableTable;
  readonly queue: ReadyQueue<Ready>;
  readonly wheel: TimerWheel<Timed>;
  /** The reactor itself, for the messages of channels. */
  readonly reactor: object;
  /** Handles that no other collection has: batches, signals, watchers of handles. */
  readonly handles: Set<Handle>;
  readonly closed: boolean;
  /** No callback may run: it was stopped, or closed. */
  readonly halted: boolean;
  /** Whether the poller is ours, and not looked at before `table.beforeWait`. */
  readonly waitsLater: boolean;
  /** When this turn began, on `clock`. */
  readonly now: number;
  /** Where a handle is being made, if the reactor keeps that. */
  origin(): string | undefined;
  /** Calls callbacks of a layer above as its own; see `Batch.drive`. */
  drive(step: () => boolean): void;
  /** This deadline was set: a wait under way may end too late for it. */
  retime(deadline: number): void;
  /** Something became ready without the poller: a turn is due. */
  soon(): void;
}
