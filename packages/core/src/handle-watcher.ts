// A watcher of what is no descriptor but can be waited for on Windows: an event, a process, a thread
// or a timer, given by its HANDLE. (What a reactor hands out is a Handle too: handle.ts.)
//
// The poller tells once that the object is signalled. For level mode it is asked anew before the next
// wait, when the callback and what it queued have had time to reset the object (waitable-table.ts).
import { AsyncResource } from 'node:async_hooks';
import { Handle } from './handle.js';
import type { Loop, Ready } from './loop.js';

export type HandleCallback = (handle: number, watcher: HandleWatcher) => void;

/** What the reactor has checked. */
export interface HandleSettings {
  readonly mode: 'level' | 'oneshot';
  readonly priority: number;
  readonly signal: AbortSignal | undefined;
}

export class HandleWatcher extends Handle implements Ready {
  /** The HANDLE, as a number. */
  readonly handle: number;
  readonly mode: 'level' | 'oneshot';
  /** 2 is served first, -2 last. */
  readonly priority: number;
  /** @internal */
  queued = false;
  /** @internal The poller is to tell of it; the table's own. */
  armed = false;
  readonly #callback: HandleCallback;
  /** Found signalled, and not yet delivered. */
  #signalled = false;
  /** The poller would not watch it anew. */
  #refusal: { readonly error: unknown } | undefined;

  /** @internal Made by `reactor.watchHandle`. */
  constructor(loop: Loop, handle: number, callback: HandleCallback, settings: HandleSettings) {
    super(loop, new AsyncResource('POLLUXHANDLE'), settings.signal);
    this.handle = handle;
    this.#callback = callback;
    this.mode = settings.mode;
    this.priority = settings.priority;
  }

  /** @internal */
  get label(): string {
    return `a watcher of handle ${this.handle}`;
  }

  /** @internal Registers it; throws what the poller refuses. */
  register(): void {
    this.loop.waitables.insert(this);
    this.loop.handles.add(this);
    this.setActive(true);
  }

  /** No calls until `resume`; what was found and not delivered yet is dropped. */
  pause(): void {
    this.assertOpen();
    if (!this.active) return;
    this.#deactivate();
    this.loop.waitables.disarm(this);
  }

  /** Ends a pause, and arms a oneshot anew. Throws what the system refuses: EBADF. */
  resume(): void {
    this.assertOpen();
    if (this.active) return;
    this.loop.waitables.arm(this);
    this.setActive(true);
  }

  /** @internal The poller found it signalled. */
  collect(): void {
    if (!this.active) return;
    this.#signalled = true;
    this.loop.queue.push(this);
  }

  /** @internal It could not be watched anew: told as what a callback throws, for nobody asked. */
  refuse(error: unknown): void {
    this.#refusal = { error };
    this.loop.queue.push(this);
  }

  /** @internal */
  get wanted(): boolean {
    return this.#signalled || this.#refusal !== undefined;
  }

  /** @internal A oneshot is paused first, so that it may resume itself. */
  fire(): void {
    const refusal = this.#refusal;
    if (refusal !== undefined) {
      this.#deactivate();
      this.invoke(() => {
        throw refusal.error;
      });
    }
    this.#signalled = false;
    if (this.mode === 'oneshot') this.setActive(false);
    else this.loop.waitables.again(this);
    this.invoke(this.#callback, this.handle, this);
  }

  protected release(): void {
    this.#deactivate();
    this.loop.handles.delete(this);
    this.loop.waitables.remove(this);
  }

  #deactivate(): void {
    this.setActive(false);
    this.#signalled = false;
    this.#refusal = undefined;
  }
}
