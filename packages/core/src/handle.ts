// What a reactor hands out: watchers, timers, hooks and the rest. All of them are closed once and for
// all, may keep the process alive while they are active, call back in the async context they were
// made in, and can be closed by an AbortSignal.
import { AsyncResource } from 'node:async_hooks';
import { inspect } from 'node:util';
import { type Abortable, followSignal, unfollowSignal } from './abort.js';
import { PolluxError } from './errors.js';
import type { Loop } from './loop.js';

export abstract class Handle implements Abortable {
  /** @internal Where it was made, if the reactor keeps that for its reports. */
  readonly origin: string | undefined;
  readonly #loop: Loop;
  readonly #resource: AsyncResource;
  readonly #signal: AbortSignal | undefined;
  #active = false;
  #refd = true;
  #closed = false;

  /** @internal */
  constructor(loop: Loop, type: string, signal?: AbortSignal) {
    this.#loop = loop;
    this.origin = loop.origin();
    // The AsyncLocalStorage of each call is that of this moment.
    this.#resource = new AsyncResource(type);
    this.#signal = signal;
    if (signal !== undefined) followSignal(signal, this);
  }

  /** Whether a call may come: not while paused, stopped or closed. */
  get active(): boolean {
    return this.#active;
  }

  /** By `close`, by its signal, or with the reactor. */
  get closed(): boolean {
    return this.#closed || this.#loop.closed;
  }

  /** Idempotent. From here on there are no calls, not even of what was found already. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.setActive(false);
    this.unfollowSignal();
    this.#resource.emitDestroy();
    this.release();
  }

  /** @internal Its signal was aborted. */
  abort(): void {
    this.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Whether it keeps the process, and `run()`, alive while active. */
  hasRef(): boolean {
    return this.#refd;
  }

  ref(): this {
    if (!this.#closed) this.#set(true, this.#active);
    return this;
  }

  unref(): this {
    if (!this.#closed) this.#set(false, this.#active);
    return this;
  }

  /** @internal */
  protected get loop(): Loop {
    return this.#loop;
  }

  /** @internal */
  abstract get label(): string;

  /** @internal Lets go of what it holds; called once. */
  protected abstract release(): void;

  /** @internal */
  protected setActive(active: boolean): void {
    this.#set(this.#refd, active);
  }

  /** @internal Calls back; throws what the callback throws. */
  protected invoke<Args extends unknown[]>(callback: (...args: Args) => void, ...args: Args): void {
    this.#resource.runInAsyncScope(callback, undefined, ...args);
  }

  /** @internal After `unfollowSignal`: it closes this again; at once, if it was aborted meanwhile. */
  protected followSignal(): void {
    if (this.#signal?.aborted) this.close();
    else if (this.#signal !== undefined) followSignal(this.#signal, this);
  }

  /** @internal A handle that nobody else knows is not kept by a signal that lives on. */
  protected unfollowSignal(): void {
    if (this.#signal !== undefined) unfollowSignal(this.#signal, this);
  }

  /** @internal */
  protected assertOpen(): void {
    if (!this.#closed && !this.#loop.closed) return;
    throw new PolluxError('ERR_POLLUX_CLOSED', `This is closed: ${this.label}`);
  }

  #set(refd: boolean, active: boolean): void {
    const before = this.#refd && this.#active;
    this.#refd = refd;
    this.#active = active;
    const after = refd && active;
    if (after && !before) this.#loop.liveness.add();
    if (before && !after) this.#loop.liveness.remove();
  }
}

// For console.log and debuggers: what it is and how it stands, not its insides.
Object.defineProperty(Handle.prototype, inspect.custom, {
  value(this: Handle): string {
    const state = this.closed ? 'closed' : this.active ? 'active' : 'not active';
    return `<${this.constructor.name}: ${this.label}, ${state}${this.hasRef() ? '' : ', unref'}>`;
  },
});
