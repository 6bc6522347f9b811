// One turn of a reactor, phase by phase, and what it works on.
//
//  1. prepare hooks, then the wait: here or, attached, in Node's loop
//  2. check hooks
//  3. watchers, batches and signals that are ready, most urgent first, until the budget is used up;
//     the rest is served in the next turn, after a look at what else is ready
//  4. timers that are due, in the order of their deadlines
//  5. deferred calls
//  6. idle hooks, if none of 3 to 5 had anything to do
//
// What a callback starts comes in a later turn: a timer set to 0 by a timer, a call deferred by a
// deferred call. So no phase can go on for ever.
import { AsyncResource } from 'node:async_hooks';
import { channels } from './channels.js';
import type { Clock } from './clock.js';
import type { Handle } from './handle.js';
import type { Hook, HookKind } from './hook.js';
import type { Host } from './host.js';
import { Liveness } from './liveness.js';
import type { Loop, Ready, Runnable, Timed } from './loop.js';
import type { Poller } from './poller.js';
import { ReadyQueue } from './ready-queue.js';
import { Runner } from './runner.js';
import { TimerWheel } from './timer-wheel.js';
import { FIRST_WAITABLE_KEY, WaitableTable } from './waitable-table.js';
import { WatchTable } from './watch-table.js';

/** What one turn may spend on watchers; the rest waits for the next turn. */
export interface Budget {
  /** Callbacks of watchers; Infinity if left out. */
  callbacks?: number;
  /** Milliseconds, looked at after each callback; Infinity if left out. */
  timeMs?: number;
}

export interface EventLoopSettings {
  readonly poller: Poller;
  /** Nobody else uses the poller. */
  readonly ownsPoller: boolean;
  readonly clock: Clock;
  readonly host: Host;
  readonly reactor: object;
  readonly budget: Budget;
  /** Callbacks that take this long, in milliseconds, are reported; Infinity for none. */
  readonly slowMs: number;
  /** Whether turns end with a drain of their own, because no callback scope of Node's is open. */
  readonly drains: boolean;
  readonly onLiveness: (alive: boolean) => void;
}

/** What an attached reactor hears of. */
export interface LoopEvents {
  retime(deadline: number): void;
  soon(): void;
}

const NEVER = Number.POSITIVE_INFINITY;

export class EventLoop implements Loop {
  readonly clock: Clock;
  readonly liveness: Liveness;
  readonly table: WatchTable;
  readonly waitables: WaitableTable;
  readonly queue: ReadyQueue<Ready> = new ReadyQueue();
  readonly wheel: TimerWheel<Timed>;
  readonly reactor: object;
  readonly runner: Runner;
  readonly hooks: Readonly<Record<HookKind, Set<Hook>>> = {
    prepare: new Set(),
    check: new Set(),
    idle: new Set(),
  };
  readonly handles: Set<Handle> = new Set();
  listener: LoopEvents | undefined;
  closed = false;
  now: number;
  /** Whether a turn is under way. */
  turning = false;
  turns = 0;
  events = 0;
  busyMs = 0;
  /** When this turn began; `now` may have been brought up to date since. */
  began = 0;
  #deferred: Deferred[] = [];
  /** Callbacks of this turn after which the ready ones left wait for the next. */
  #most = NEVER;
  /** As of when timers were taken out of the wheel. */
  #dueAt = 0;
  readonly #poller: Poller;
  readonly #mostCallbacks: number;
  readonly #mostMs: number;
  readonly #ownsPoller: boolean;
  readonly #drains: boolean;
  readonly #keepsOrigin: boolean;

  constructor(settings: EventLoopSettings) {
    const { poller, clock, host, reactor, budget, slowMs } = settings;
    this.#poller = poller;
    this.clock = clock;
    this.reactor = reactor;
    this.#mostCallbacks = budget.callbacks ?? NEVER;
    this.#mostMs = budget.timeMs ?? NEVER;
    this.#ownsPoller = settings.ownsPoller;
    this.#drains = settings.drains;
    this.#keepsOrigin = slowMs < NEVER;
    this.now = clock.now();
    this.liveness = new Liveness(settings.onLiveness);
    this.table = new WatchTable(poller);
    this.waitables = new WaitableTable(poller);
    this.wheel = new TimerWheel(this.now);
    this.runner = new Runner(host, clock, slowMs, reactor);
  }

  // For handles.

  origin(): string | undefined {
    return this.#keepsOrigin ? callSite() : undefined;
  }

  drive(step: () => boolean): void {
    this.runner.drive(step);
  }

  retime(deadline: number): void {
    this.listener?.retime(deadline);
  }

  soon(): void {
    this.listener?.soon();
  }

  defer(callback: () => void): void {
    this.liveness.add();
    this.#deferred.push(new Deferred(callback, this.origin()));
    this.soon();
  }

  get halted(): boolean {
    return this.runner.halted;
  }

  get waitsLater(): boolean {
    // An attached one may be waiting whenever it is not in a turn.
    return this.#ownsPoller && (this.turning || this.listener === undefined);
  }

  get deferred(): number {
    return this.#deferred.length;
  }

  /** Closes every handle and drops every deferred call. No callback runs from here on. */
  close(): void {
    this.closed = true;
    this.runner.halted = true;
    for (const timer of this.wheel.clear()) timer.abandon();
    for (const watcher of [...this.table.watchers()]) watcher.close();
    this.table.beforeWait();
    for (const hooks of Object.values(this.hooks)) for (const hook of hooks) hook.close();
    for (const handle of this.handles) handle.close();
    const calls = this.#deferred;
    this.#deferred = [];
    this.#drop(calls);
  }

  // The turn.

  /** Something can be done without waiting. */
  get hasWork(): boolean {
    return (
      this.queue.size > 0 ||
      this.#deferred.length > 0 ||
      this.hooks.idle.size > 0 ||
      this.table.hasAlwaysReady
    );
  }

  /** Milliseconds until a timer is due, or the wheel wants to be looked at. */
  untilNextTimer(): number {
    const next = this.wheel.nextLook();
    return next === NEVER ? NEVER : Math.max(0, next - this.clock.now());
  }

  /** The last thing before a wait of so many milliseconds. */
  prepare(timeoutMs: number): void {
    if (this.hooks.prepare.size === 0) return;
    const { runner } = this;
    this.turning = true;
    try {
      runner.begin(this.clock.now());
      this.#runHooks('prepare', timeoutMs);
      // What they queued may set timers, and must not have to wait until the wait is over.
      runner.end(this.#drains);
    } finally {
      this.turning = false;
    }
  }

  /** Serves what `wait` found, and all else there is; returns how many callbacks ran. */
  turn(wait: () => number): number {
    const { runner } = this;
    this.turning = true;
    try {
      const count = wait();
      this.now = this.clock.now();
      this.began = this.now;
      runner.begin(this.now);
      this.turns++;
      this.#collect(count);
      this.#runHooks('check', 0);
      const hooks = runner.called;
      this.#serveReady();
      this.#runTimers();
      this.#runDeferred();
      if (runner.called === hooks) this.#runHooks('idle', 0);
      runner.end(this.#drains);
      this.#account(count);
    } finally {
      this.turning = false;
    }
    return runner.called;
  }

  #collect(count: number): void {
    const { events } = this.#poller;
    const { table } = this;
    for (let i = 0; i < count; i++) {
      const found = events[2 * i + 1];
      // 0: made void since the wait.
      if (!found) continue;
      const key = events[2 * i] as number;
      if (key < FIRST_WAITABLE_KEY) table.collect(key, found);
      else this.waitables.collect(key);
    }
    this.events += count;
    table.collectAlwaysReady();
  }

  #serveReady(): void {
    this.#most = this.runner.called + this.#mostCallbacks;
    this.#manyTimes(this.queue.size, this.#serveQueue);
  }

  /** A body that calls back so often, and goes on where it was when it is run again. */
  #manyTimes(count: number, body: () => void): void {
    if (count > 1) this.runner.within(body);
    else body();
  }

  readonly #serveQueue = (): void => {
    const { queue, runner } = this;
    const most = this.#most;
    const until = this.began + this.#mostMs;
    while (queue.size > 0) {
      runner.between();
      if (runner.halted) return;
      const item = queue.shift();
      // Paused or closed since it was found: that costs nothing.
      if (!item?.wanted) continue;
      runner.run(item, 0);
      if (runner.called >= most || (until < NEVER && runner.mark >= until)) return;
    }
  };

  #runTimers(): void {
    // The callbacks above took their time.
    this.#dueAt = this.runner.mark;
    const count = this.wheel.takeDue(this.#dueAt);
    if (count > 0) this.#manyTimes(count, this.#runDue);
  }

  readonly #runDue = (): void => {
    const { runner, wheel } = this;
    const at = this.#dueAt;
    while (wheel.serving) {
      runner.between();
      if (runner.halted) wheel.putBackDue();
      const timer = wheel.shiftDue();
      if (timer?.isDue()) runner.run(timer, at);
    }
  };

  #runDeferred(): void {
    if (this.#deferred.length === 0 || this.runner.halted) return;
    const { runner } = this;
    const calls = this.#deferred;
    this.#deferred = [];
    for (let i = 0; i < calls.length; i++) {
      runner.between();
      if (runner.halted) {
        this.#putBack(calls.slice(i));
        return;
      }
      // One by one: while some are left, there is something to stay alive for.
      this.liveness.remove();
      runner.run(calls[i] as Deferred, 0);
    }
  }

  #runHooks(kind: HookKind, timeoutMs: number): void {
    const hooks = this.hooks[kind];
    if (hooks.size === 0) return;
    // A copy: those made by these come in the next turn.
    for (const hook of [...hooks]) {
      this.runner.between();
      if (this.runner.halted) return;
      if (!hook.closed) this.runner.run(hook, timeoutMs);
    }
  }

  /** Stopped, or closed, in the middle. */
  #putBack(calls: Deferred[]): void {
    if (this.closed) this.#drop(calls);
    else this.#deferred = [...calls, ...this.#deferred];
  }

  #drop(calls: readonly Deferred[]): void {
    for (const call of calls) {
      this.liveness.remove();
      call.drop();
    }
  }

  #account(events: number): void {
    const busyMs = this.runner.mark - this.began;
    this.busyMs += busyMs;
    if (!channels.turn.hasSubscribers) return;
    channels.turn.publish({
      reactor: this.reactor,
      events,
      callbacks: this.runner.called,
      busyMs,
    });
  }
}

/** A deferred call, in the async context of `defer`. */
class Deferred implements Runnable {
  readonly label = 'a deferred call';
  readonly origin: string | undefined;
  readonly #callback: () => void;
  readonly #resource = new AsyncResource('POLLUXDEFER');

  constructor(callback: () => void, origin: string | undefined) {
    this.#callback = callback;
    this.origin = origin;
  }

  fire(): void {
    this.#resource.runInAsyncScope(this.#callback);
  }

  drop(): void {
    this.#resource.emitDestroy();
  }
}

/** The first frame outside this package: `'at main (file:///srv/app.js:3:9)'`. */
function callSite(): string | undefined {
  // Bun's frames have paths, not URLs; a bundle that is no ES module has neither.
  const { url, dirname } = import.meta as { url?: string; dirname?: string };
  const here = url === undefined ? [] : [new URL('.', url).href, dirname ?? url];
  const { stack } = new Error();
  // Not what an Error.prepareStackTrace makes of it.
  if (typeof stack !== 'string') return undefined;
  return stack
    .split('\n')
    .slice(1)
    .find((line) => !here.some((place) => line.includes(place)))
    ?.trim();
}
