// What a reactor hands out: watchers, timers, hooks and the rest. All of them are closed once and for
// all, may keep the process alive while they are active, call back in the async context they were
// made in, and can be closed by an AbortSignal.
import type { AsyncResource } from 'node:async_hooks';
import { type Abortable, followSignal, unfollowSignal } from './abort.js';
import type { Context } from './async-context.js';
import { PolluxError } from './errors.js';
import type { Loop } from './loop.js';

const ACTIVE = 1;
const REFD = 2;
const CLOSED = 4;
/** Both: it keeps the process alive. */
const ALIVE = ACTIVE | REFD;

/** What a plain timer has none of: a million of them are a million objects of few fields. */
interface Rest {
  readonly context: Context;
  readonly signal: AbortSignal | undefined;
  readonly origin: string | undefined;
}

export abstract class Handle implements Abortable {
  readonly #loop: Loop;
  /** ACTIVE, REFD, CLOSED. */
  #state = REFD;
  readonly #rest: Rest | undefined;

  /** @internal The AsyncLocalStorage of each call is that of `context`. */
  constructor(loop: Loop, context: Context, signal: AbortSignal | undefined) {
    this.#loop = loop;
    const origin = loop.origin();
    this.#rest =
      context === undefined && signal === undefined && origin === undefined
        ? undefined
        : { context, signal, origin };
    if (signal !== undefined) followSignal(signal, this);
  }

  /** @internal Where it was made, if the reactor keeps that for its reports. */
  get origin(): string | undefined {
    return this.#rest?.origin;
  }

  /** Whether a call may come: not while paused, stopped or closed. */
  get active(): boolean {
    return (this.#state & ACTIVE) !== 0;
  }

  /** By `close`, by its signal, or with the reactor. */
  get closed(): boolean {
    return (this.#state & CLOSED) !== 0 || this.#loop.closed;
  }

  /** Idempotent. From here on there are no calls, not even of what was found already. */
  close(): void {
    if ((this.#state & CLOSED) !== 0) return;
    Handle.#set(this, (this.#state & REFD) | CLOSED);
    this.unfollowSignal();
    this.#rest?.context?.emitDestroy();
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
    return (this.#state & REFD) !== 0;
  }

  ref(): this {
    if ((this.#state & CLOSED) === 0) Handle.#set(this, this.#state | REFD);
    return this;
  }

  unref(): this {
    if ((this.#state & CLOSED) === 0) Handle.#set(this, this.#state & ~REFD);
    return this;
  }

  /** @internal */
  protected get loop(): Loop {
    return this.#loop;
  }

  /** @internal */
  protected get context(): Context {
    return this.#rest?.context;
  }

  /** @internal */
  abstract get label(): string;

  /** @internal Lets go of what it holds; called once. */
  protected abstract release(): void;

  /** @internal */
  protected setActive(active: boolean): void {
    Handle.#set(this, active ? this.#state | ACTIVE : this.#state & ~ACTIVE);
  }

  /** @internal Calls back; throws what the callback throws. */
  protected invoke<Args extends unknown[]>(callback: (...args: Args) => void, ...args: Args): void {
    const context = this.#rest?.context as AsyncResource;
    context.runInAsyncScope(callback, undefined, ...args);
  }

  /** @internal After `unfollowSignal`: it closes this again; at once, if it was aborted meanwhile. */
  protected followSignal(): void {
    const signal = this.#rest?.signal;
    if (signal?.aborted) this.close();
    else if (signal !== undefined) followSignal(signal, this);
  }

  /** @internal A handle that nobody else knows is not kept by a signal that lives on. */
  protected unfollowSignal(): void {
    const signal = this.#rest?.signal;
    if (signal !== undefined) unfollowSignal(signal, this);
  }

  /** @internal */
  protected assertOpen(): void {
    if ((this.#state & CLOSED) === 0 && !this.#loop.closed) return;
    throw new PolluxError('ERR_POLLUX_CLOSED', `This is closed: ${this.label}`);
  }

  /** Static, for a private method is a field of each object. */
  static #set(handle: Handle, state: number): void {
    const before = handle.#state & ALIVE;
    handle.#state = state;
    const after = state & ALIVE;
    if (after === ALIVE && before !== ALIVE) handle.#loop.liveness.add();
    if (before === ALIVE && after !== ALIVE) handle.#loop.liveness.remove();
  }
}

// For console.log and debuggers: what it is and how it stands, not its insides.
Object.defineProperty(Handle.prototype, Symbol.for('nodejs.util.inspect.custom'), {
  value(this: Handle): string {
    const state = this.closed ? 'closed' : this.active ? 'active' : 'not active';
    return `<${this.constructor.name}: ${this.label}, ${state}${this.hasRef() ? '' : ', unref'}>`;
  },
});
