// The life of a reactor: when it takes turns. One that is attached joins Node's loop when something is
// first waited for (attached-loop.ts); a blocking one waits when it is told to (blocking-loop.ts). Both
// stop, start again, and end. Here is also what `run` waits for.
import { AttachedLoop } from './attached-loop.js';
import { BlockingLoop } from './blocking-loop.js';
import { PolluxError } from './errors.js';
import type { EventLoop } from './event-loop.js';
import type { DriverName, Poller } from './poller.js';
import { Timer } from './timer.js';

export class Life {
  readonly mode: 'attached' | 'blocking';
  /** How it waits once it has joined Node's loop. */
  readonly driver: DriverName;
  stopped = false;
  readonly #poller: Poller;
  readonly #loop: EventLoop;
  readonly #blocking: BlockingLoop;
  /** Its turns in Node's loop, once it has joined that. */
  #attached: AttachedLoop | undefined;
  /** A call of `run` that is under way. */
  #run: { resolve(): void } | undefined;
  #stopTimer: Timer | undefined;

  constructor(mode: 'attached' | 'blocking', poller: Poller, driver: DriverName, loop: EventLoop) {
    this.mode = mode;
    this.driver = driver;
    this.#poller = poller;
    this.#loop = loop;
    this.#blocking = new BlockingLoop(poller, loop);
  }

  /** Milliseconds spent waiting, on the reactor's clock. */
  get idleMs(): number {
    return (this.#attached ?? this.#blocking).idleMs;
  }

  /** Something is waited for. */
  join(): void {
    if (this.mode === 'blocking' || this.#attached !== undefined) return;
    this.#attached = new AttachedLoop(this.#poller, this.driver, this.#loop);
    this.#loop.listener = this.#attached;
    if (this.stopped) this.#attached.suspend();
  }

  /** The same, of this watcher; it is closed if it is refused. */
  joinWith<W extends { register(): void; close(): void }>(watcher: W): W {
    try {
      watcher.register();
      // After it: what this opens must not take a closed number that was given there.
      this.join();
    } catch (error) {
      watcher.close();
      throw error;
    }
    return watcher;
  }

  onLiveness(alive: boolean): void {
    this.#attached?.keepAlive(alive);
    if (alive || this.#run === undefined) return;
    // What runs now may start something new, and so may the promises that it settles: the body of a
    // `for await` asks for its next step some microtasks later. A nextTick of a microtask comes when
    // there are none left.
    queueMicrotask(() => {
      process.nextTick(() => {
        if (!this.#loop.liveness.alive) this.#endRun();
      });
    });
  }

  /** `reactor.run`, on an open reactor. */
  run(): Promise<void> {
    if (this.mode !== 'attached') {
      throw new PolluxError('ERR_POLLUX_BLOCKING', 'A blocking reactor has turn() and runSync()');
    }
    if (this.#run !== undefined) {
      throw new PolluxError('ERR_POLLUX_NESTED', 'run() is under way already');
    }
    this.#start();
    // The start takes it to its next wait: a prepare hook may have stopped or closed it by now.
    if (!this.#loop.liveness.alive || this.stopped) return Promise.resolve();
    return new Promise((resolve) => {
      this.#run = { resolve };
    });
  }

  /** Starts, for the caller, a method of this name, to take turns. */
  blocking(method: string): BlockingLoop {
    if (this.mode !== 'blocking') {
      throw new PolluxError(
        'ERR_POLLUX_ATTACHED',
        `${method}() needs a reactor made with { mode: 'blocking' }; this one runs in Node's loop`,
      );
    }
    if (this.#loop.turning) {
      throw new PolluxError(
        'ERR_POLLUX_NESTED',
        `${method}() was called inside a callback of this reactor: a loop inside a loop`,
      );
    }
    this.#start();
    return this.#blocking;
  }

  /** In so many milliseconds, or now. */
  stop(delayMs: number | undefined): void {
    this.#stopTimer?.close();
    this.#stopTimer = undefined;
    if (delayMs === undefined) {
      this.#stop();
      return;
    }
    this.join();
    this.#stopTimer = new Timer(this.#loop, () => this.#stop(), delayMs, undefined).unref();
  }

  close(): void {
    this.#loop.close();
    this.#attached?.close();
    this.#endRun();
  }

  #stop(): void {
    this.stopped = true;
    this.#loop.runner.halted = true;
    this.#attached?.suspend();
    this.#endRun();
  }

  #start(): void {
    if (!this.stopped) return;
    this.stopped = false;
    this.#loop.runner.halted = false;
    this.#attached?.resume();
  }

  #endRun(): void {
    this.#run?.resolve();
    this.#run = undefined;
  }
}
