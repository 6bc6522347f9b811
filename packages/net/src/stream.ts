// A connection on a reactor, TCP or Unix.
//
// Three things go on at once and end apart. Reading goes on while somebody listens for `'data'`, or
// receives, and ends with the peer's FIN. Writing goes on while the queue has something, and ends
// with ours, sent when `end` was called and the queue is empty (stream-writing.ts). The connection
// closes when both have ended, or at once when something breaks or `destroy` is called.
import { EventEmitter } from 'node:events';
import {
  followSignal,
  Interest,
  invalidType,
  PolluxError,
  type SystemError,
  systemError,
  unfollowSignal,
} from '@pollux/core';
import type { Connector } from './connector.js';
import type { Exchange } from './exchange.js';
import { IdleTimer } from './idle-timer.js';
import { EAGAIN } from './native.js';
import { PullIterator } from './pull-iterator.js';
import type { EventMap } from './socket.js';
import type { StreamInbox, StreamReader } from './stream-inbox.js';
import type { ReceiveCallback, StreamEvents, StreamOptions } from './stream-options.js';
import { WritingStream } from './stream-writing.js';
import { checkDelay, checkFunction, MAX_DELAY } from './validate.js';

/** Who has handed a stream out, and wants to know when it is closed. */
export interface StreamOwner {
  left(stream: object): void;
}

export abstract class Stream<Events extends StreamEvents & EventMap<Events> = StreamEvents>
  extends WritingStream<Events>
  implements StreamReader
{
  /** @internal */
  owner: StreamOwner | undefined;
  #allowHalfOpen: boolean;
  #connector: Connector | undefined;
  readonly #signal: AbortSignal | undefined;
  /** Why it was closed, if there is something to say. */
  #reason: { readonly value: unknown } | undefined;
  #idle: IdleTimer | undefined;

  #bytesRead = 0;
  #callback: ReceiveCallback<this> | undefined;
  #iterator: PullIterator<Buffer> | undefined;
  #listening = false; // somebody listens for 'data'
  #resumed = false;
  #paused = false;
  #readEnded = false;
  /** Was read when it could not be delivered: nothing more is read before it is. */
  #held: Buffer | undefined;

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
    this.#followListeners();
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

  /** Whether the peer may still send: not after `'end'`, nor once the stream is closed. */
  get readable(): boolean {
    return !this.closed && !this.#readEnded;
  }

  get bytesRead(): number {
    return this.#bytesRead;
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
    this.#iterator?.end();
    this.#iterator = undefined;
    this.#callback = undefined;
    this.resume();
    this.end();
    if (!this.closed) await this.waitFor('close');
  }

  // Reading.

  /**
   * In place of `'data'`, without a copy: `callback(buffer, offset, length, stream)` is given bytes in
   * a slab that all streams of the reactor share. They are good while it is called, and to be left
   * as they are; what is to be kept has to be copied. Undefined ends it.
   */
  receive(callback: ReceiveCallback<this> | undefined): this {
    if (callback !== undefined) checkFunction('callback', callback);
    this.#callback = callback;
    this.settle();
    return this;
  }

  /** Stops reading until `resume`; the peer is slowed down when the system's buffers are full. */
  pause(): this {
    this.#paused = true;
    this.#resumed = false;
    this.settle();
    return this;
  }

  /** Reads on, even if nobody listens for `'data'`: that is dropped then. */
  resume(): this {
    this.#paused = false;
    this.#resumed = true;
    this.settle();
    return this;
  }

  isPaused(): boolean {
    return this.#paused;
  }

  /**
   * What comes, piece by piece, in place of `'data'`: read when the loop asks for it. The loop ends
   * with the peer's end, and throws what breaks the stream. Leaving it early destroys the stream.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Buffer> {
    if (this.#iterator === undefined || this.closed) {
      this.#iterator = new PullIterator<Buffer>({
        onWanting: () => this.settle(),
        onReturn: () => this.destroy(),
      });
    }
    if (this.#readEnded) this.#iterator.end();
    else if (this.closed) this.#iterator.fail(this.reason());
    return this.#iterator;
  }

  override ref(): this {
    this.#connector?.ref();
    return super.ref();
  }

  override unref(): this {
    this.#connector?.unref();
    return super.unref();
  }

  override removeAllListeners(
    ...args: Parameters<EventEmitter<Events>['removeAllListeners']>
  ): this {
    // To an emitter undefined is a name, and none at all is all of them.
    super.removeAllListeners(...args);
    if (args.length === 0 || args[0] === 'newListener') this.#followListeners();
    return this;
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
    this.cameToPass('connect');
    this.announce('connect');
  }

  /** @internal Closes at once; `'error'`, if there is one, and `'close'` follow. */
  protected fail(error: Error | undefined): void {
    if (error !== undefined) this.#reason ??= { value: error };
    // A promise that is rejected tells of the error as well as an event.
    const told = this.awaited || this.#iterator?.open === true;
    if (!this.#close()) return;
    if (error !== undefined && (!told || this.hears('error'))) this.tell('error', error);
    this.tell('close', error !== undefined);
  }

  /** @internal Who reads for it. */
  protected get inbox(): StreamInbox {
    return this.exchange.streamInbox;
  }

  /** @internal Whether bytes, if there are any, are handed out now. */
  protected get reads(): boolean {
    this.#lookForListeners();
    return this.#reads();
  }

  /**
   * @internal Bytes are about to be handed out: tells what came with them. Calls listeners; false if
   * the bytes have to wait after that.
   */
  protected arriving(): boolean {
    return true;
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
    this.#held = undefined;
    if (this.#reason === undefined) this.cameToPass('close');
    this.giveUpWriting();
    this.#iterator?.fail(this.reason());
    this.owner?.left(this);
    return true;
  }

  // Readiness.

  /** @internal */
  found(events: number): void {
    if (this.full && (events & Interest.writable) !== 0) this.foundRoom();
    if ((events & Interest.readable) === 0) return;
    if (this.reads) this.inbox.add(this);
    else this.settle();
  }

  /** @internal Nothing else than what is of use: a level-triggered poller would spin. */
  protected settle(): void {
    if (!this.listens || this.#connector !== undefined) return;
    const reads = this.#reads();
    if (reads && this.#held !== undefined) this.exchange.tell(this.context, this.#deliverHeld);
    const readable = reads && this.#held === undefined ? Interest.readable : 0;
    const writable = this.full ? Interest.writable : 0;
    try {
      this.want(readable | writable);
    } catch (error) {
      this.fail(error as Error);
    }
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

  #reads(): boolean {
    if (this.#readEnded || this.#paused || this.closed) return false;
    if (this.#callback !== undefined) return true;
    if (this.#iterator !== undefined) return this.#iterator.wants;
    return this.#listening || this.#resumed || this.ending;
  }

  #lookForListeners(): void {
    if (this.#callback === undefined) this.#listening = this.hears('data');
  }

  /** Reading begins with the first listener for 'data'; that the last is gone is seen when it matters. */
  #followListeners(): void {
    const on = EventEmitter.prototype.on as (
      event: string,
      listener: (name: string) => void,
    ) => void;
    on.call(this, 'newListener', (name) => {
      if (name !== 'data' || this.#listening) return;
      this.#listening = true;
      this.settle();
    });
  }

  /** @internal */
  received(offset: number, length: number): void {
    if (this.closed) return;
    this.#lookForListeners();
    if (length > 0) {
      this.#bytesRead += length;
      this.touch();
      const { arena } = this.exchange.streamInbox;
      // By a listener before us in this batch, or nobody listens any more.
      if (!this.#reads() || !this.arriving()) this.#hold(offset, length);
      else if (this.#callback !== undefined) this.#callback(arena, offset, length, this);
      else if (this.#iterator !== undefined) this.#iterator.push(copyOf(arena, offset, length));
      else if (this.#listening) this.announce('data', copyOf(arena, offset, length));
    } else if (length < 0) {
      if (length !== EAGAIN) this.fail(this.brokenBy(length, 'recv'));
    } else if (this.#reads()) {
      this.#onEnd();
    } else {
      this.settle(); // the end is told again, to those who read
    }
  }

  /** @internal */
  keep(offset: number, length: number): void {
    if (this.closed) return;
    if (length > 0) {
      this.#bytesRead += length;
      this.touch();
      this.#hold(offset, length);
    } else if (length < 0 && length !== EAGAIN) {
      this.fail(this.brokenBy(length, 'recv'));
    }
  }

  #hold(offset: number, length: number): void {
    this.#held = copyOf(this.exchange.streamInbox.arena, offset, length);
    this.settle();
  }

  readonly #deliverHeld = (): void => {
    const data = this.#held;
    if (data === undefined || !this.reads) return;
    if (this.arriving()) this.#held = undefined;
    this.settle();
    if (this.#held !== undefined || this.closed) return;
    if (this.#callback !== undefined) this.#callback(data, 0, data.length, this);
    else if (this.#iterator !== undefined) this.#iterator.push(data);
    else this.announce('data', data);
  };

  #onEnd(): void {
    this.#readEnded = true;
    this.settle();
    this.#iterator?.end();
    try {
      this.announce('end'); // which may still write
    } finally {
      // So may what stands after a loop: it runs in a microtask of a microtask, and ticks come later.
      if (this.#iterator === undefined) this.#endToo();
      else queueMicrotask(() => process.nextTick(() => this.#endToo()));
    }
  }

  #endToo(): void {
    if (!this.#allowHalfOpen) this.endWriting();
    this.closeIfDone();
  }

  /** @internal */
  protected closeIfDone(): void {
    if (this.#readEnded && this.writeEnded) this.fail(undefined);
  }
}

function copyOf(slab: Buffer, offset: number, length: number): Buffer {
  const data = Buffer.allocUnsafe(length);
  slab.copy(data, 0, offset, offset + length);
  return data;
}
