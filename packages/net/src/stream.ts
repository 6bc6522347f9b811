// A connection on a reactor, TCP or Unix.
//
// Three things go on at once and end apart. Reading goes on while somebody listens for `'data'`, or
// receives, and ends with the peer's FIN. Writing goes on while the queue has something, and ends
// with ours, sent when `end` was called and the queue is empty. The connection closes when both have
// ended, or at once when something breaks or `destroy` is called.
import { EventEmitter } from 'node:events';
import {
  Interest,
  invalidType,
  invalidValue,
  PolluxError,
  type SystemError,
  systemError,
} from '@pollux/core';
import type { Exchange } from './exchange.js';
import { EAGAIN, ENOTCONN, native } from './native.js';
import { type EventMap, Socket } from './socket.js';
import type { StreamInbox, StreamReader } from './stream-inbox.js';
import type { ReceiveCallback, StreamEvents, StreamOptions } from './stream-options.js';
import type { StreamWriter } from './stream-outbox.js';
import { checkData, checkFunction, checkInteger, checkSlice } from './validate.js';
import { WriteQueue } from './write-queue.js';

/** A connection being made. */
export interface Connecting {
  ref(): void;
  unref(): void;
  /** Gives up. Idempotent. */
  close(): void;
}

const HIGH_WATER_MARK = 65_536;
/** Larger pieces are kept, not copied, for a stream that takes none now. */
const LARGEST_COPY = 4_096;

export abstract class Stream<Events extends StreamEvents & EventMap<Events> = StreamEvents>
  extends Socket<Events>
  implements StreamReader, StreamWriter
{
  /** @internal */
  readonly queue: WriteQueue = new WriteQueue();
  /** @internal */
  pending = false;
  #allowHalfOpen: boolean;
  #highWaterMark: number;
  #connector: Connecting | undefined;
  #bytesRead = 0;
  #bytesWritten = 0;

  // Reading.
  #callback: ReceiveCallback<this> | undefined;
  #listening = false; // somebody listens for 'data'
  #resumed = false;
  #paused = false;
  #readEnded = false;
  /** Was read when it could not be delivered: nothing more is read before it is. */
  #held: Buffer | undefined;

  // Writing.
  #ending = false; // a FIN follows what is queued
  #endedByUser = false;
  #writeEnded = false;
  #full = false; // the system took less than was offered
  #corked = 0;
  #needsDrain = false;

  /** @internal `fd` is -1 for one that is yet to be connected. */
  constructor(exchange: Exchange, fd: number, type: string, options: StreamOptions) {
    super(exchange, fd, type);
    this.#allowHalfOpen = options.allowHalfOpen ?? false;
    this.#highWaterMark = options.highWaterMark ?? HIGH_WATER_MARK;
    this.#followListeners();
  }

  /** True from `connect` to `'connect'`. */
  get connecting(): boolean {
    return this.#connector !== undefined;
  }

  /** True once the stream is closed, for whatever reason. */
  get destroyed(): boolean {
    return this.closed;
  }

  /** Whether `write` takes bytes: not after `end`, nor once the stream is closed. */
  get writable(): boolean {
    return !this.closed && !this.#ending;
  }

  /** Bytes that `write` was given and the system has not taken yet. */
  get queuedBytes(): number {
    return this.queue.bytes;
  }

  get bytesRead(): number {
    return this.#bytesRead;
  }

  get bytesWritten(): number {
    return this.#bytesWritten;
  }

  /** As the option of that name; may be set at any time before the peer ends. */
  get allowHalfOpen(): boolean {
    return this.#allowHalfOpen;
  }

  set allowHalfOpen(value: boolean) {
    if (typeof value !== 'boolean') throw invalidType('allowHalfOpen', 'of type boolean', value);
    this.#allowHalfOpen = value;
  }

  /**
   * As the option of that name; may be set at any time. If as much waits already, `'drain'` follows.
   * So setting it to 0 asks to be told when all is written.
   */
  get highWaterMark(): number {
    return this.#highWaterMark;
  }

  set highWaterMark(value: number) {
    checkInteger('highWaterMark', value, 0, Number.MAX_SAFE_INTEGER);
    this.#highWaterMark = value;
    if (this.queue.bytes > 0) this.#hasRoom();
  }

  // Writing, the public side.

  /**
   * Queues bytes; a Buffer must be left alone until they are written. What one callback writes is
   * sent together when it is over.
   *
   * Returns false when as much waits as should (`highWaterMark`): `'drain'` tells when to go on.
   * Once the stream is closed bytes are dropped, and the answer is false: `writable` tells the two
   * apart. After one's own `end`, ERR_POLLUX_CLOSED is thrown.
   */
  write(data: string | Uint8Array): boolean {
    const length = checkData('data', data);
    if (!this.#mayWrite()) return false;
    if (length > 0) {
      if (typeof data !== 'string') this.#enqueue(data, 0, length);
      else if (!this.#waits) {
        this.exchange.streamOutbox.pushText(this.queue, data);
        this.#flushSoon();
      } else this.#enqueue(Buffer.from(data), 0, length);
    }
    return this.#hasRoom();
  }

  /**
   * Queues part of a buffer, also of what a `receive` callback was given: that is sent from where it
   * lies. Otherwise as `write`. `offset` and `length` in bytes.
   */
  writeSlice(buffer: Uint8Array, offset: number, length: number): boolean {
    checkSlice(buffer, offset, length);
    if (!this.#mayWrite()) return false;
    if (length > 0) this.#enqueue(buffer, offset, length);
    return this.#hasRoom();
  }

  /** Queues several pieces, which go out in one system call if they fit one. */
  writev(pieces: readonly (string | Uint8Array)[]): boolean {
    if (!Array.isArray(pieces)) throw invalidType('pieces', 'an Array', pieces);
    for (const [i, piece] of pieces.entries()) checkData(`pieces[${i}]`, piece);
    let room = !this.destroyed;
    for (const piece of pieces) room = this.write(piece);
    return room;
  }

  /** What is written waits from here on, across callbacks, until `uncork` was called as often. */
  cork(): void {
    this.#corked++;
  }

  uncork(): void {
    if (this.#corked === 0 || --this.#corked > 0) return;
    if (this.queue.bytes > 0 && !this.#waits) this.#flushSoon();
    this.#endIfWritten();
  }

  /**
   * Offers the system at once what is queued, instead of when the batch under way is over: before a
   * `destroy`, say. What it does not take stays queued; what goes wrong is told as ever, later. What
   * is corked stays so.
   */
  flush(): this {
    if (this.pending) this.exchange.streamOutbox.flush();
    return this;
  }

  /**
   * Writes a last piece, if one is given, and ends our direction when everything is written. The
   * peer may go on sending; if nobody listens for `'data'`, that is read and dropped.
   */
  end(data?: string | Uint8Array): this {
    if (data !== undefined) this.write(data);
    this.#endedByUser = true;
    this.#corked = 0;
    if (this.queue.bytes > 0 && !this.#waits) this.#flushSoon();
    this.#endWriting();
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

  // Reading, the public side.

  /**
   * In place of `'data'`, without a copy: `callback(buffer, offset, length, stream)` is given bytes in
   * a slab that all streams of the reactor share. They are good while it is called, and to be left
   * as they are; what is to be kept has to be copied. Undefined ends it.
   */
  receive(callback: ReceiveCallback<this> | undefined): this {
    if (callback !== undefined) checkFunction('callback', callback);
    this.#callback = callback;
    this.#settle();
    return this;
  }

  /** Stops reading until `resume`; the peer is slowed down when the system's buffers are full. */
  pause(): this {
    this.#paused = true;
    this.#resumed = false;
    this.#settle();
    return this;
  }

  /** Reads on, even if nobody listens for `'data'`: that is dropped then. */
  resume(): this {
    this.#paused = false;
    this.#resumed = true;
    this.#settle();
    return this;
  }

  isPaused(): boolean {
    return this.#paused;
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
    ...[event]: Parameters<EventEmitter<Events>['removeAllListeners']>
  ): this {
    super.removeAllListeners(event);
    if (event === undefined || event === 'newListener') this.#followListeners();
    return this;
  }

  // For subclasses.

  /** @internal Where the peer is, for errors: `{ address, port }`, `{ path }`. */
  protected abstract whereTo(): object | undefined;

  /** @internal Waits for a connector, which ends in `connected` or `fail`. */
  protected connectBy(connector: Connecting): void {
    this.#connector = connector;
    if (!this.hasRef()) connector.unref();
  }

  /** @internal The descriptor has been taken over, and is connected. */
  protected connected(): void {
    this.#connector = undefined;
    this.#full = false;
    if (this.queue.bytes > 0 && this.#corked === 0) this.#flushSoon();
    this.#endIfWritten();
    this.#settle();
    this.announce('connect');
  }

  /** @internal Closes at once; `'error'`, if there is one, and `'close'` follow. */
  protected fail(error: Error | undefined): void {
    if (!this.closeDescriptor()) return;
    this.queue.clear();
    this.#connector?.close();
    this.#connector = undefined;
    this.#held = undefined;
    if (error !== undefined) this.tell('error', error);
    this.tell('close', error !== undefined);
  }

  /** @internal Who reads for it. */
  protected get inbox(): StreamInbox {
    return this.exchange.streamInbox;
  }

  /** @internal Whether bytes, if there are any, are handed out now. */
  protected get reads(): boolean {
    return this.#reads();
  }

  /**
   * @internal Bytes are about to be handed out: tells what came with them. Calls listeners; false if
   * the bytes have to wait after that.
   */
  protected arriving(): boolean {
    return true;
  }

  /** @internal Nothing is in the way of an ordinary write. */
  pass(): boolean {
    return true;
  }

  /** @internal */
  protected brokenBy(errno: number, syscall: string): SystemError {
    return systemError(errno, syscall, this.whereTo());
  }

  /** @internal */
  abandon(): void {
    if (!this.closeDescriptor()) return;
    this.queue.clear();
    this.#connector?.close();
    this.#held = undefined;
  }

  // Readiness.

  /** @internal */
  found(events: number): void {
    if (this.#full && (events & Interest.writable) !== 0) {
      this.#full = false;
      if (this.#corked === 0) this.exchange.streamOutbox.add(this);
      // Not full again after that: the poller must not go on to tell of room that nobody needs.
      else this.#settle();
    }
    if ((events & Interest.readable) === 0) return;
    if (this.#callback === undefined) this.#listening = this.hears('data');
    if (this.#reads()) this.inbox.add(this);
    else this.#settle();
  }

  /** Has the poller report what we can use now, and nothing else: a level-triggered one would spin. */
  #settle(): void {
    if (!this.listens || this.#connector !== undefined) return;
    const reads = this.#reads();
    if (reads && this.#held !== undefined) this.exchange.tell(this.context, this.#deliverHeld);
    const readable = reads && this.#held === undefined ? Interest.readable : 0;
    const writable = this.#full ? Interest.writable : 0;
    try {
      this.want(readable | writable);
    } catch (error) {
      this.fail(error as Error);
    }
  }

  // Reading.

  #reads(): boolean {
    if (this.#readEnded || this.#paused || this.closed) return false;
    return this.#callback !== undefined || this.#listening || this.#resumed || this.#ending;
  }

  /** Reading begins with the first listener for 'data'; that the last is gone is seen by `received`. */
  #followListeners(): void {
    const on = EventEmitter.prototype.on as (
      event: string,
      listener: (name: string) => void,
    ) => void;
    on.call(this, 'newListener', (name) => {
      if (name !== 'data' || this.#listening) return;
      this.#listening = true;
      this.#settle();
    });
  }

  /** @internal */
  received(offset: number, length: number): void {
    if (this.closed) return;
    if (this.#callback === undefined) this.#listening = this.hears('data');
    if (length > 0) {
      this.#bytesRead += length;
      const { arena } = this.exchange.streamInbox;
      // By a listener before us in this batch, or nobody listens any more.
      if (!this.#reads() || !this.arriving()) this.#hold(offset, length);
      else if (this.#callback !== undefined) this.#callback(arena, offset, length, this);
      else if (this.#listening) this.announce('data', copyOf(arena, offset, length));
    } else if (length < 0) {
      if (length !== EAGAIN) this.fail(this.brokenBy(length, 'recv'));
    } else if (this.#reads()) {
      this.#onEnd();
    } else {
      this.#settle(); // the end is told again, to those who read
    }
  }

  /** @internal */
  keep(offset: number, length: number): void {
    if (this.closed) return;
    if (length > 0) {
      this.#bytesRead += length;
      this.#hold(offset, length);
    } else if (length < 0 && length !== EAGAIN) {
      this.fail(this.brokenBy(length, 'recv'));
    }
  }

  #hold(offset: number, length: number): void {
    this.#held = copyOf(this.exchange.streamInbox.arena, offset, length);
    this.#settle();
  }

  readonly #deliverHeld = (): void => {
    const data = this.#held;
    if (data === undefined || !this.#reads()) return;
    if (this.arriving()) this.#held = undefined;
    this.#settle();
    if (this.#held !== undefined || this.closed) return;
    if (this.#callback !== undefined) this.#callback(data, 0, data.length, this);
    else this.announce('data', data);
  };

  #onEnd(): void {
    this.#readEnded = true;
    this.#settle();
    try {
      this.announce('end'); // which may still write
    } finally {
      if (!this.#allowHalfOpen) this.#endWriting();
      this.#closeIfDone();
    }
  }

  // Writing.

  /** What is written now is not sent with this batch. */
  get #waits(): boolean {
    return this.#full || this.#connector !== undefined || this.#corked > 0;
  }

  #mayWrite(): boolean {
    if (this.#endedByUser && !this.closed) {
      const message = 'The stream was ended; nothing can be written any more';
      throw new PolluxError('ERR_POLLUX_CLOSED', message);
    }
    return this.writable;
  }

  #enqueue(buffer: Uint8Array, offset: number, length: number): void {
    const { queue } = this;
    const { streamOutbox } = this.exchange;
    if (!this.#waits) {
      streamOutbox.push(queue, buffer, offset, length);
      this.#flushSoon();
    } else if (length > LARGEST_COPY && buffer !== streamOutbox.arena) {
      queue.push(buffer, offset, length);
    } else {
      queue.append(buffer, offset, length);
    }
  }

  #flushSoon(): void {
    this.exchange.streamOutbox.add(this);
    this.exchange.schedule();
  }

  /** @internal What `write` returns after a piece. */
  protected roomLeft(): boolean {
    return this.#hasRoom();
  }

  #hasRoom(): boolean {
    if (this.queue.weight < this.#highWaterMark) return true;
    this.#needsDrain = this.queue.bytes > 0;
    return !this.#needsDrain;
  }

  #endWriting(): void {
    if (this.#ending || this.closed) return;
    this.#ending = true;
    this.#endIfWritten();
    this.#settle();
  }

  #endIfWritten(): void {
    if (this.#ending && this.queue.bytes === 0 && this.#connector === undefined) this.#shutdown();
  }

  /** @internal */
  wrote(result: number, offered: number): void {
    if (this.closed) return;
    if (result < 0 && result !== EAGAIN) {
      this.fail(this.brokenBy(result, 'sendmsg'));
      return;
    }
    if (result > 0) {
      this.queue.shift(result);
      this.#bytesWritten += result;
    }
    this.#full = result < offered;
    if (this.queue.bytes === 0) {
      if (this.#needsDrain) {
        this.#needsDrain = false;
        this.exchange.tell(this.context, this.#drained);
      }
      if (this.#ending) this.#shutdown();
    }
    const asks = (this.interest & Interest.writable) !== 0;
    if (this.#full !== asks) this.#settle();
  }

  readonly #drained = (): void => {
    if (!this.closed) this.announce('drain');
  };

  /** @internal */
  spoiled(): void {
    const expected = 'left alone until it is written';
    this.destroy(invalidValue('data', expected, 'a transferred buffer'));
  }

  #shutdown(): void {
    if (this.#writeEnded) return;
    this.#writeEnded = true;
    const result = native.shutdownWrite(this.fd);
    // Not connected any more: reading tells why, if there is anything to tell.
    if (result < 0 && result !== ENOTCONN) this.fail(this.brokenBy(result, 'shutdown'));
    else this.#closeIfDone();
  }

  #closeIfDone(): void {
    if (this.#readEnded && this.#writeEnded) this.fail(undefined);
  }
}

function copyOf(slab: Buffer, offset: number, length: number): Buffer {
  const data = Buffer.allocUnsafe(length);
  slab.copy(data, 0, offset, offset + length);
  return data;
}
