// A watcher: one callback for one interest in one descriptor. Several may share a descriptor; the
// watch table (watch-table.ts) merges them into one registration.
import { AsyncResource } from 'node:async_hooks';
import { channels } from './channels.js';
import { Handle } from './handle.js';
import { Inactivity } from './inactivity.js';
import { Events, eventNames, eventsFor } from './interest.js';
import type { Loop, Ready } from './loop.js';
import type { Mode } from './poller.js';
import { checkInterest } from './validate.js';

/** Called with bits of `Events`. Spurious calls are possible: be ready for EAGAIN. */
export type WatchCallback = (events: number, watcher: Watcher) => void;

/** What the reactor has checked. */
export interface WatcherSettings {
  readonly mode: Mode;
  readonly exclusive: boolean;
  readonly priority: number;
  readonly timeoutMs: number | undefined;
  readonly alwaysReady: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Called once it is closed and the poller has forgotten it; not if it was never opened. */
  readonly onClose?: (() => void) | undefined;
}

export class Watcher extends Handle implements Ready {
  readonly fd: number;
  readonly mode: Mode;
  readonly exclusive: boolean;
  /** 2 is served first, -2 last. */
  readonly priority: number;
  /** Whether a descriptor that the primitive refuses is served as always ready. */
  readonly alwaysReady: boolean;
  /** @internal */
  queued = false;
  readonly #callback: WatchCallback;
  readonly #inactivity: Inactivity | undefined;
  readonly #onClose: (() => void) | undefined;
  #interest: number;
  #opened = false;
  /** Found and not yet delivered. */
  #pending = 0;

  /** @internal Made by `reactor.watch`. */
  constructor(
    loop: Loop,
    fd: number,
    interest: number,
    callback: WatchCallback,
    settings: WatcherSettings,
  ) {
    super(loop, new AsyncResource('POLLUXWATCHER'), settings.signal);
    this.fd = fd;
    this.#interest = interest;
    this.#callback = callback;
    this.mode = settings.mode;
    this.exclusive = settings.exclusive;
    this.priority = settings.priority;
    this.alwaysReady = settings.alwaysReady;
    this.#onClose = settings.onClose;
    const { timeoutMs } = settings;
    if (timeoutMs !== undefined) this.#inactivity = new Inactivity(loop, this, timeoutMs);
  }

  /** The bits of `Interest` it was last given. */
  get interest(): number {
    return this.#interest;
  }

  /** Milliseconds without an event after which it is called with `Events.timeout`. */
  get timeoutMs(): number | undefined {
    return this.#inactivity?.ms;
  }

  /** @internal */
  get label(): string {
    return `a watcher of fd ${this.fd} (${eventNames(this.#interest).join(', ') || 'nothing'})`;
  }

  /**
   * Changes the interest, and resumes a paused watcher. What was found for the old interest alone
   * is dropped. Throws what the system refuses.
   */
  update(interest: number): void {
    this.assertOpen();
    checkInterest(interest);
    this.loop.table.change(this, interest);
    this.#interest = interest;
    this.#pending = eventsFor(this.#pending, interest);
    this.activate();
  }

  /** No calls until `resume`; an event that was not delivered yet is dropped. */
  pause(): void {
    this.assertOpen();
    if (!this.active) return;
    this.#deactivate();
    this.loop.table.settle(this);
  }

  /** Ends a pause, and arms a oneshot anew. Throws what the system refuses. */
  resume(): void {
    this.update(this.#interest);
  }

  /** @internal Throws what the poller refuses. */
  register(): void {
    this.loop.table.insert(this, this.#interest);
  }

  /** @internal Registered, and nothing refused it: from here on there is a close to tell of. */
  opened(): void {
    this.#opened = true;
    if (channels.watcherOpen.hasSubscribers) {
      channels.watcherOpen.publish({ reactor: this.loop.reactor, watcher: this });
    }
  }

  /** @internal The registration is made, or made anew. */
  activate(): this {
    // By who was told of it: a subscriber of `pollux:watcher:open`.
    if (this.closed) return this;
    this.setActive(true);
    this.#inactivity?.start();
    // What is ready without the poller has nobody else to tell the loop.
    if (this.alwaysReady) this.loop.soon();
    return this;
  }

  /** @internal The poller found this on our descriptor: what of it concerns us is queued. */
  collect(found: number): void {
    const concerns = eventsFor(found, this.#interest);
    if (concerns === 0 || !this.active) return;
    this.#pending |= concerns;
    this.#inactivity?.touch();
    this.loop.queue.push(this);
  }

  /** @internal */
  get wanted(): boolean {
    return this.#pending !== 0;
  }

  /** @internal Calls back with what was found. */
  fire(): void {
    // What waited for its turn was no silence.
    this.#inactivity?.touch();
    const events = this.#pending;
    this.#pending = 0;
    this.#call(events);
  }

  /** @internal */
  timedOut(): void {
    this.#call(Events.timeout);
  }

  /** A oneshot is paused first, so that it may resume itself. */
  #call(events: number): void {
    if (this.mode === 'oneshot') {
      this.#deactivate();
      this.loop.table.fired(this, events !== Events.timeout);
    }
    this.invoke(this.#callback, events, this);
  }

  protected release(): void {
    this.#deactivate();
    this.loop.table.remove(this, this.loop.waitsLater);
    if (!this.#opened) return;
    if (channels.watcherClose.hasSubscribers) {
      channels.watcherClose.publish({ reactor: this.loop.reactor, watcher: this });
    }
    this.#onClose?.();
  }

  #deactivate(): void {
    this.setActive(false);
    this.#pending = 0;
    this.#inactivity?.stop();
  }
}
