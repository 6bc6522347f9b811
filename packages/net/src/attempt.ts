// One way to a connection: a socket and its connect(2), which is answered at once or later. An answer
// that means "not now", of which nothing tells when it would be another, is asked for again.
import type { AsyncResource } from 'node:async_hooks';
import { Interest, type SystemError, systemError } from '@pollux/core';
import type { Exchange, Member } from './exchange.js';
import { EINPROGRESS, ENOTCONN, native, SLOT_SIZE } from './native.js';
import { Retry } from './retry.js';

/** Where an attempt goes. */
export interface Target {
  /** The address in the system's form. */
  readonly slot: Uint8Array;
  /** For errors: `{ address, port }`, `{ path }`. */
  readonly where: object;
  /** The errno that means "not now"; every one is a refusal if left out. */
  readonly busy?: number;
  /** Makes a socket for it; throws what the system refuses. */
  open(): number;
}

export class Attempt implements Member {
  place = -1;
  readonly interest: number = Interest.writable;
  readonly context: AsyncResource;
  readonly target: Target;
  readonly #exchange: Exchange;
  readonly #ended: (error: Error | undefined) => void;
  readonly #retry: Retry;
  #fd = -1;
  #refd: boolean;
  #kept = false;
  #closed = false;

  /** Throws what is refused at once; `ended` is told what is decided later. */
  constructor(
    exchange: Exchange,
    target: Target,
    context: AsyncResource,
    refd: boolean,
    ended: (error: Error | undefined) => void,
  ) {
    this.#exchange = exchange;
    this.target = target;
    this.context = context;
    this.#refd = refd;
    this.#ended = ended;
    this.#retry = new Retry(exchange.reactor, () => this.#again());
    this.#try();
  }

  /** -1 between two tries. */
  get fd(): number {
    return this.#fd;
  }

  setRef(refd: boolean): void {
    this.#refd = refd;
    this.#retry.setRef(refd);
    this.#keep(refd && this.place >= 0);
  }

  found(): void {
    this.#exchange.call(this);
  }

  serve(): void {
    const error = native.takeError(this.#fd);
    if (error < 0) {
      this.#fail(systemError(error, 'connect', this.target.where));
      return;
    }
    // A spurious report: not refused, and not connected either.
    if (native.peerAddress(this.#fd, slot, 0) === ENOTCONN) return;
    this.#keep(false);
    this.#ended(undefined);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#retry.close();
    this.#keep(false);
    this.#exchange.forget(this);
    if (this.#fd >= 0) native.close(this.#fd);
  }

  abandon(): void {
    this.close();
  }

  #try(): void {
    const { target } = this;
    this.#fd = target.open();
    try {
      const result = native.connect(this.#fd, target.slot, 0);
      if (result < 0 && result !== EINPROGRESS) throw systemError(result, 'connect', target.where);
      this.#exchange.watch(this, this.interest);
    } catch (error) {
      native.close(this.#fd);
      this.#fd = -1;
      if ((error as SystemError).errno !== target.busy || target.busy === undefined) throw error;
      this.#retry.later(this.#refd);
      return;
    }
    this.#keep(this.#refd);
  }

  #again(): void {
    try {
      this.#try();
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #fail(error: Error): void {
    this.close();
    this.#ended(error);
  }

  #keep(keeps: boolean): void {
    if (keeps === this.#kept) return;
    this.#kept = keeps;
    this.#exchange.keep(keeps);
  }
}

const slot = new Uint8Array(SLOT_SIZE);
