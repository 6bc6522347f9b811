// A connection on a reactor, TCP or Unix.
//
// Three things go on at once and end apart. Reading goes on while somebody listens for `'data'`, or
// receives, and ends with the peer's FIN (stream-reading.ts). Writing goes on while the queue has
// something, and ends with ours, sent when `end` was called and the queue is empty
// (stream-writing.ts). The connection, which is here, closes when both have ended, or at once when
// something breaks or `destroy` is called.
import { EventEmitter } from 'node:events';
import {
  followSignal,
  invalidType,
  PolluxError,
  type SystemError,
  systemError,
  unfollowSignal,
} from '@pollux/core';
import type { Connector } from './connector.js';
import type { Exchange } from './exchange.js';
import { IdleTimer } from './idle-timer.js';
import type { EventMap } from './socket.js';
import type { StreamEvents, StreamOptions } from './stream-options.js';
import { ReadingStream } from './stream-reading.js';
import { checkDelay, checkFunction, MAX_DELAY } from './validate.js';

/** Who has handed a stream out, and wants to know when it is closed. */
export interface StreamOwner {
  left(stream: object): void;
}

export abstract class Stream<
  Events extends StreamEvents & EventMap<Events> = StreamEvents,
> extends ReadingStream<Events> {
  /** @internal */
  owner: StreamOwner | undefined;
  #allowHalfOpen: boolean;
  #connector: Connector | undefined;
  readonly #signal: AbortSignal | undefined;
  /** Why it was closed, if there is something to say. */
  #reason: { readonly value: unknown } | undefined;
  #idle: IdleTimer | undefined;

  /** @internal `fd` is -1 for one that is yet to be connected. */
  constructor(
    exchange: Exchange,
    fd: number,
    type: string,
    options: StreamOptions,
    signal?: AbortSignal,
  ) {
    super(exchange, fd, type, options);
    // Perhaps it is never watched, and is to be closed with the reactor all the same.
    exchange.enroll(this);
    this.#allowHalfOpen = options.allowHalfOpen ?? false;
    if (options.timeoutMs !== undefined) this.setTimeout(options.timeoutMs);
    this.#signal = signal;
    if (signal !== undefined) followSignal(signal, this);
  }

  get connecting(): boolean {
    return this.#connector !== undefined;
  }

  /** True once the stream is closed, for whatever reason. */
  get destroyed(): boolean {
    return this.closed;
  }

  /** As the option of that name; may be set at any time before the peer ends. */
  get allowHalfOpen(): boolean {
    return this.#allowHalfOpen;
  }

  set allowHalfOpen(value: boolean) {
    if (typeof value !== 'boolean') throw invalidType('allowHalfOpen', 'of type boolean', value);
    this.#allowHalfOpen = value;
  }

  /** What `setTimeout` was given, in milliseconds; 0 for none. */
  get timeoutMs(): number {
    return this.#idle?.ms ?? 0;
  }

  /**
   * Emits `'timeout'` after so many milliseconds in which no byte was read or written, also while it
   * connects, and again after each further such time; 0 ends that. Nothing else happens then. It
   * keeps nothing alive. With `callback`, that is called for the first one.
   */
  setTimeout(ms: number, callback?: () => void): this {
    checkDelay('ms', ms, MAX_DELAY);
    if (callback !== undefined) checkFunction('callback', callback);
    if (!this.listens) return this;
    this.#idle?.close();
    this.#idle = undefined;
    if (ms > 0) this.#idle = new IdleTimer(this.exchange.reactor, ms, this.#onIdle);
    const { once, removeListener } = EventEmitter.prototype;
    if (callback !== undefined) (ms > 0 ? once : removeListener).call(this, 'timeout', callback);
    return this;
  }

  /**
   * Closes at once and drops what was not written; `'error'`, if there is one, and `'close'` follow.
   * Idempotent.
   */
  destroy(error?: Error | null): this {
    if (error != null && !(error instanceof Error)) throw invalidType('error', 'an Error', error);
    this.fail(error ?? undefined);
    return this;
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  /**
   * Ends, drops what the peer still sends, and resolves when the stream is closed; rejects with what
   * breaks it before that. It waits for the peer's end: a `timeoutMs` with a listener that destroys
   * the stream bounds that.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.closed) return;
    this.discardRest();
    this.end();
    if (!this.closed) await this.waitFor('close');
  }

  override ref(): this {
    this.#connector?.ref();
    return super.ref();
  }

  override unref(): this {
    this.#connector?.unref();
    return super.unref();
  }

  // For subclasses.

  /** @internal Where the peer is, for errors: `{ address, port }`, `{ path }`. */
  protected abstract whereTo(): object | undefined;

  /** @internal Waits for a connector, which ends in `connected` or `fail`. */
  protected connectBy(connector: Connector): void {
    this.#connector = connector;
    if (!this.hasRef()) connector.unref();
  }

  /** @internal The descriptor has been taken over, and is connected. */
  protected connected(): void {
    this.#connector = undefined;
    this.touch();
    this.beginWriting();
    this.settle();
    if (this.closed) return; // the poller refuses it
    this.cameToPass('connect');
    this.announce('connect');
  }

  /** @internal Closes at once; `'error'`, if there is one, and `'close'` follow. */
  protected fail(error: Error | undefined): void {
    if (error !== undefined) this.#reason ??= { value: error };
    // A promise that is rejected tells of the error as well as an event.
    const told = this.awaited || this.loops;
    if (!this.#close()) return;
    if (error !== undefined && (!told || this.hears('error'))) this.tell('error', error);
    this.tell('close', error !== undefined);
  }

  /** @internal */
  protected brokenBy(errno: number, syscall: string): SystemError {
    return systemError(errno, syscall, this.whereTo());
  }

  /** @internal */
  protected reason(): unknown {
    return this.#reason?.value ?? new PolluxError('ERR_POLLUX_CLOSED', 'The stream is closed');
  }

  /** @internal Its signal was aborted: closes without an `'error'`; promises are told the reason. */
  abort(reason: unknown): void {
    this.#reason ??= { value: reason };
    this.fail(undefined);
  }

  /** @internal */
  abandon(): void {
    this.#close();
  }

  #close(): boolean {
    if (!this.closeDescriptor()) return false;
    this.#connector?.close();
    this.#connector = undefined;
    this.exchange.dismiss(this);
    this.#idle?.close();
    if (this.#signal !== undefined) unfollowSignal(this.#signal, this);
    if (this.#reason === undefined) this.cameToPass('close');
    this.giveUpWriting();
    this.giveUpReading();
    this.owner?.left(this);
    return true;
  }

  /** @internal */
  protected touch(): void {
    this.#idle?.touch();
  }

  readonly #onIdle = (): void => {
    this.exchange.tell(this.context, () => {
      if (!this.closed) this.announce('timeout');
    });
  };

  /** @internal */
  protected peerEnded(): void {
    if (!this.#allowHalfOpen) this.endWriting();
    this.closeIfDone();
  }

  /** @internal */
  protected closeIfDone(): void {
    if (this.readEnded && this.writeEnded) this.fail(undefined);
  }
}
