// Signals as callbacks of a reactor, on top of Node's own handling: one process listener per signal,
// however many watchers and reactors there are. What Node does for a listener of process.on it does
// for these too (SIGINT and SIGTERM no longer end the process), and undoes when the last is closed.
import { AsyncResource } from 'node:async_hooks';
import { os, workers } from './builtins.js';
import { invalidType, invalidValue, PolluxError } from './errors.js';
import { Handle } from './handle.js';
import type { Loop, Ready } from './loop.js';

export type SignalCallback = (signal: NodeJS.Signals, watcher: SignalWatcher) => void;

/** Those of this thread, by signal. */
const watched = new Map<NodeJS.Signals, Set<SignalWatcher>>();

export class SignalWatcher extends Handle implements Ready {
  readonly name: NodeJS.Signals;
  readonly priority: number;
  /** @internal */
  queued = false;
  readonly #callback: SignalCallback;
  #arrived = false;

  /** @internal Made by `reactor.signal`. */
  constructor(
    loop: Loop,
    name: NodeJS.Signals,
    callback: SignalCallback,
    settings: { priority: number; signal: AbortSignal | undefined },
  ) {
    super(loop, new AsyncResource('POLLUXSIGNAL'), settings.signal);
    this.name = name;
    this.#callback = callback;
    this.priority = settings.priority;
    // As with process.on: a signal that may come is no reason to stay.
    this.unref();
    try {
      listen(this);
    } catch (error) {
      this.close();
      throw error;
    }
    loop.handles.add(this);
    this.setActive(true);
  }

  /** @internal */
  get label(): string {
    return `a watcher of ${this.name}`;
  }

  /** @internal */
  get wanted(): boolean {
    return this.#arrived && !this.closed;
  }

  /** @internal The signal came; twice before it is served is once, as in the kernel. */
  raise(): void {
    if (this.#arrived) return;
    this.#arrived = true;
    // There is something to do: the process does not end before it is done, ref'd or not.
    this.loop.liveness.add();
    this.loop.queue.push(this);
    this.loop.soon();
  }

  /** @internal */
  fire(): void {
    this.#served();
    this.invoke(this.#callback, this.name, this);
  }

  protected release(): void {
    this.loop.handles.delete(this);
    unlisten(this);
    this.#served();
  }

  #served(): void {
    if (!this.#arrived) return;
    this.#arrived = false;
    this.loop.liveness.remove();
  }
}

/** A signal that exists and can be caught, in a thread and a mode that can see it. */
export function checkSignal(name: unknown, mode: 'attached' | 'blocking'): void {
  if (typeof name !== 'string') throw invalidType('name', 'of type string', name);
  if (!(name in os().constants.signals)) throw invalidValue('name', 'the name of a signal', name);
  if (name === 'SIGKILL' || name === 'SIGSTOP') {
    throw invalidValue('name', 'a signal that can be caught', name);
  }
  if (!workers().isMainThread) {
    throw new PolluxError(
      'ERR_POLLUX_UNSUPPORTED',
      "Signals are the main thread's: Node does not hand them to workers",
    );
  }
  if (mode === 'blocking') {
    throw new PolluxError(
      'ERR_POLLUX_UNSUPPORTED',
      "A blocking reactor keeps Node's loop, which handles signals, from running; " +
        'use an attached one, or watch a signalfd',
    );
  }
}

function listen(watcher: SignalWatcher): void {
  const { name } = watcher;
  const watchers = watched.get(name) ?? new Set();
  // Not only for the first: somebody may have called process.removeAllListeners since. Throws EINVAL
  // for what the system does not let be caught.
  if (!process.listeners(name).includes(onSignal)) process.on(name, onSignal);
  watched.set(name, watchers.add(watcher));
}

function unlisten(watcher: SignalWatcher): void {
  const watchers = watched.get(watcher.name);
  watchers?.delete(watcher);
  if (watchers?.size !== 0) return;
  watched.delete(watcher.name);
  process.removeListener(watcher.name, onSignal);
}

function onSignal(name: NodeJS.Signals): void {
  for (const watcher of watched.get(name) ?? []) watcher.raise();
}
