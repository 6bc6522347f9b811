// What all sockets here have in common: a descriptor in an exchange, an interest, a say in whether
// the process lives on, and an async context for their listeners.
import { AsyncResource } from 'node:async_hooks';
import { EventEmitter } from 'node:events';
import { PolluxError } from '@pollux/core';
import type { Exchange, Member } from './exchange.js';
import { native } from './native.js';

// biome-ignore lint/suspicious/noExplicitAny: as in the types of node:events
export type EventMap<T> = Record<keyof T, any[]>;

export abstract class Socket<Events extends EventMap<Events>>
  extends EventEmitter<Events>
  implements Member
{
  /** @internal */
  place = -1;
  /** @internal */
  readonly context: AsyncResource;
  /** @internal */
  protected readonly exchange: Exchange;
  #fd: number;
  #interest = 0;
  #refd = true;
  #kept = false;
  #open = true;

  /** @internal `fd` is -1 for one that has none yet. */
  constructor(exchange: Exchange, fd: number, type: string) {
    super();
    this.exchange = exchange;
    this.#fd = fd;
    // The AsyncLocalStorage of each listener's call is that of this moment.
    this.context = new AsyncResource(type);
  }

  /** The descriptor, -1 if there is none. It is the socket's: do not close it. */
  get fd(): number {
    return this.#fd;
  }

  /** True once it is closed, for whatever reason. */
  get closed(): boolean {
    return !this.#open;
  }

  /** The socket keeps the process alive again; so it does at first. */
  ref(): this {
    this.#refd = true;
    this.#settle();
    return this;
  }

  /** The socket no longer keeps the process alive. */
  unref(): this {
    this.#refd = false;
    this.#settle();
    return this;
  }

  hasRef(): boolean {
    return this.#refd;
  }

  /** @internal */
  abstract found(events: number): void;

  /** @internal */
  serve(): void {}

  /** @internal */
  abstract abandon(): void;

  /** @internal What the poller is to report. */
  protected get interest(): number {
    return this.#interest;
  }

  /** @internal Has the poller report this from now on. Throws what the system refuses. */
  protected want(interest: number, exclusive = false): void {
    if (interest === this.#interest || !this.#open) return;
    this.exchange.watch(this, interest, exclusive);
    this.#interest = interest;
    this.#settle();
  }

  /** @internal The first `want`, of a constructor: if it throws, nothing is left of the socket. */
  protected begin(interest: number, exclusive = false): void {
    try {
      this.want(interest, exclusive);
    } catch (error) {
      this.abandon();
      throw error;
    }
  }

  /** @internal Takes a descriptor over from another member, watched as that was. */
  protected takeOver(member: Member & { readonly interest: number }): void {
    this.#fd = member.fd;
    this.exchange.replace(member, this);
    this.#interest = member.interest;
    this.#settle();
  }

  /** @internal Lets go of the descriptor, and closes it. False if that was done before. */
  protected closeDescriptor(): boolean {
    if (!this.#open) return false;
    this.#open = false;
    this.#settle();
    this.exchange.forget(this);
    if (this.#fd >= 0) native.close(this.#fd);
    this.#fd = -1;
    return true;
  }

  /** @internal Calls the listeners of an event soon, in a call of their own. */
  protected tell(event: keyof Events & string, ...args: unknown[]): void {
    this.exchange.tell(this.context, () => this.announce(event, ...args));
  }

  /** @internal `emit`, in a class that does not know all its events. */
  protected announce(event: keyof Events & string, ...args: unknown[]): boolean {
    return (this.emit as (event: string, ...args: unknown[]) => boolean).call(this, event, ...args);
  }

  /** @internal Whether an event has listeners. */
  protected hears(event: keyof Events & string): boolean {
    return (this.listenerCount as (event: string) => number).call(this, event) > 0;
  }

  /** @internal Any callback may be the one that closes the socket, or the reactor: then it is the last. */
  protected get listens(): boolean {
    return this.#open && !this.exchange.reactor.closed;
  }

  /** @internal */
  protected assertOpen(): void {
    if (!this.#open) throw new PolluxError('ERR_POLLUX_CLOSED', 'The socket is closed');
  }

  #settle(): void {
    const keeps = this.#refd && this.#interest !== 0 && this.#open;
    if (keeps === this.#kept) return;
    this.#kept = keeps;
    this.exchange.keep(keeps);
  }
}
