// The writing half of a stream: what waits, when it goes out, how much may wait, and the FIN that
// follows it. stream.ts is the other half.
//
// Bytes go out when the batch under way is over (stream-outbox.ts), unless the stream is not
// connected yet, corked, or full: then they wait in its queue, which copies what is small and refers
// to what is large.
import { Interest, invalidType, invalidValue, PolluxError, type SystemError } from '@pollux/core';
import type { Exchange } from './exchange.js';
import { EAGAIN, ENOBUFS, ENOMEM, ENOTCONN, native } from './native.js';
import { Retry } from './retry.js';
import { liesInSlab } from './slabs.js';
import { type EventMap, Socket } from './socket.js';
import type { StreamEvents, StreamOptions } from './stream-options.js';
import type { StreamWriter } from './stream-outbox.js';
import { checkData, checkInteger, checkSlice } from './validate.js';
import { Waiters } from './waiters.js';
import { WriteQueue } from './write-queue.js';

const HIGH_WATER_MARK = 65_536;
/** Larger pieces are kept, not copied, for a stream that takes none now. */
const LARGEST_COPY = 4_096;

export abstract class WritingStream<Events extends StreamEvents & EventMap<Events>>
  extends Socket<Events>
  implements StreamWriter
{
  /** @internal */
  readonly queue: WriteQueue = new WriteQueue();
  /** @internal */
  pending = false;
  #highWaterMark: number;
  readonly #maxQueuedBytes: number;
  #bytesWritten = 0;
  #corks = 0;
  #full = false; // the system took less than was offered
  #retry: Retry | undefined;
  #needsDrain = false;
  #ending = false; // a FIN follows what is queued
  #endedByUser = false;
  #writeEnded = false;
  #waiters: Waiters<'connect' | 'drain' | 'close'> | undefined;

  /** @internal `fd` is -1 for one that is yet to be connected. */
  constructor(exchange: Exchange, fd: number, type: string, options: StreamOptions) {
    super(exchange, fd, type);
    this.#highWaterMark = options.highWaterMark ?? HIGH_WATER_MARK;
    this.#maxQueuedBytes = options.maxQueuedBytes ?? Number.POSITIVE_INFINITY;
  }

  /** True from `connect` to `'connect'`. */
  abstract get connecting(): boolean;

  /** Whether `write` takes bytes: not after `end`, nor once the stream is closed. */
  get writable(): boolean {
    return !this.closed && !this.#ending;
  }

  /** Bytes that `write` was given and the system has not taken yet. */
  get queuedBytes(): number {
    return this.queue.bytes;
  }

  /** Bytes that the system has taken. */
  get bytesWritten(): number {
    return this.#bytesWritten;
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

  /** Queues several pieces, or none if one of them is wrong. They go out together, if they fit. */
  writev(pieces: readonly (string | Uint8Array)[]): boolean {
    if (!Array.isArray(pieces)) throw invalidType('pieces', 'an Array', pieces);
    for (const [i, piece] of pieces.entries()) checkData(`pieces[${i}]`, piece);
    if (!this.#mayWrite()) return false;
    for (const piece of pieces) this.write(piece);
    return !this.closed && this.#hasRoom();
  }

  /** What is not sent yet, and what is written from here on, waits until `uncork` was called as often. */
  cork(): void {
    this.#corks++;
  }

  uncork(): void {
    if (this.#corks === 0 || --this.#corks > 0) return;
    if (this.queue.bytes > 0 && !this.#waits) this.#flushSoon();
    this.endIfWritten();
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
   * Resolves when the system has taken everything that was written; at once if nothing waits. Rejects
   * if the stream closes before, or is closed: with what broke it, or ERR_POLLUX_CLOSED.
   */
  drained(): Promise<void> {
    if (this.closed) return Promise.reject(this.reason());
    if (this.queue.bytes === 0) return Promise.resolve();
    return this.waitFor('drain');
  }

  /**
   * Writes a last piece, if one is given, and ends our direction when everything is written. The
   * peer may go on sending; if nobody listens for `'data'`, that is read and dropped.
   */
  end(data?: string | Uint8Array): this {
    if (data !== undefined) this.write(data);
    this.#endedByUser = true;
    this.#corks = 0;
    if (this.queue.bytes > 0 && !this.#waits) this.#flushSoon();
    this.endWriting();
    return this;
  }

  override ref(): this {
    this.#retry?.setRef(true);
    return super.ref();
  }

  override unref(): this {
    this.#retry?.setRef(false);
    return super.unref();
  }

  // What the two halves know of each other.

  /** @internal Has the poller report what is of use now. */
  protected abstract settle(): void;
  /** @internal Closes at once. */
  protected abstract fail(error: Error | undefined): void;
  /** @internal Why it is closed. */
  protected abstract reason(): unknown;
  /** @internal */
  protected abstract brokenBy(errno: number, syscall: string): SystemError;
  /** @internal Bytes were written. */
  protected abstract touch(): void;
  /** @internal Closes it if reading has ended too. */
  protected abstract closeIfDone(): void;

  /** @internal Whether it waits for the system to have room. */
  protected get full(): boolean {
    return this.#full;
  }

  /** @internal Whether a FIN follows what is queued, or was sent. */
  protected get ending(): boolean {
    return this.#ending;
  }

  /** @internal Whether a FIN was sent. */
  protected get writeEnded(): boolean {
    return this.#writeEnded;
  }

  /** @internal Whether a promise waits, whose rejection tells of an error. */
  protected get awaited(): boolean {
    return this.#waiters !== undefined && this.#waiters.size > 0;
  }

  /** @internal */
  protected waitFor(what: 'connect' | 'drain' | 'close'): Promise<void> {
    this.#waiters ??= new Waiters();
    return this.#waiters.wait(what);
  }

  /** @internal */
  protected cameToPass(what: 'connect' | 'close'): void {
    this.#waiters?.resolve(what);
  }

  /** @internal The stream is closed: nothing is written any more. */
  protected giveUpWriting(): void {
    this.queue.clear();
    this.#retry?.close();
    this.#waiters?.reject(this.reason());
  }

  /** @internal There is a descriptor now: what was written before goes out. */
  protected beginWriting(): void {
    if (this.queue.bytes > 0 && this.#corks === 0) this.#flushSoon();
    this.endIfWritten();
  }

  /** @internal The system has room again. */
  protected foundRoom(): void {
    this.#full = false;
    if (this.#corks === 0) this.exchange.streamOutbox.add(this);
    // Not full again after that: the poller must not go on to tell of room that nobody needs.
    else this.settle();
  }

  /** @internal A FIN follows what is queued. */
  protected endWriting(): void {
    if (this.#ending || this.closed) return;
    this.#ending = true;
    this.endIfWritten();
    this.settle();
  }

  /** @internal */
  protected endIfWritten(): void {
    if (this.#ending && this.queue.bytes === 0 && !this.connecting) this.#shutdown();
  }

  /** @internal What `write` returns after a piece. */
  protected roomLeft(): boolean {
    return this.#hasRoom();
  }

  // The outbox's side.

  /** @internal Nothing is in the way of an ordinary write. */
  pass(): boolean {
    return true;
  }

  /** @internal */
  get corked(): boolean {
    return this.#corks > 0;
  }

  /** @internal */
  wrote(result: number, offered: number): void {
    if (this.closed) return;
    const short = result === ENOBUFS || result === ENOMEM;
    if (result < 0 && result !== EAGAIN && !short) {
      this.fail(this.brokenBy(result, 'sendmsg'));
      return;
    }
    if (result > 0) {
      this.queue.shift(result);
      this.#bytesWritten += result;
      this.touch();
    }
    // Want of memory passes, and the poller does not tell when: the socket is writable all the time.
    if (short) this.#writeLater();
    else this.#retry?.reset();
    this.#full = result < offered && !short;
    if (this.queue.bytes === 0) {
      this.#waiters?.resolve('drain');
      if (this.#needsDrain) {
        this.#needsDrain = false;
        this.exchange.tell(this.context, this.#drained);
      }
      if (this.#ending) this.#shutdown();
    } else if (result < offered && this.#holdsTooMuch()) {
      return;
    }
    const asks = (this.interest & Interest.writable) !== 0;
    if (this.#full !== asks) this.settle();
  }

  /** @internal */
  spoiled(): void {
    this.fail(invalidValue('data', 'left alone until it is written', 'a transferred buffer'));
  }

  // Inside.

  /** What is written now is not sent with this batch. */
  get #waits(): boolean {
    return this.#full || this.connecting || this.#corks > 0;
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
      return;
    }
    if (length > LARGEST_COPY && !liesInSlab(buffer)) queue.push(buffer, offset, length);
    else queue.append(buffer, offset, length);
    this.#holdsTooMuch();
  }

  #flushSoon(): void {
    this.exchange.streamOutbox.add(this);
    this.exchange.schedule();
  }

  #writeLater(): void {
    if (!this.listens) return;
    this.#retry ??= new Retry(this.exchange.reactor, () => this.#flushSoon());
    this.#retry.later(this.hasRef());
  }

  #hasRoom(): boolean {
    if (this.closed) return false;
    if (this.queue.weight < this.#highWaterMark) return true;
    this.#needsDrain = this.queue.bytes > 0;
    return !this.#needsDrain;
  }

  /** What waits, and cannot be sent now, is more than may: the end of the stream. */
  #holdsTooMuch(): boolean {
    const { bytes } = this.queue;
    if (bytes <= this.#maxQueuedBytes) return false;
    const message = `${bytes} bytes wait to be written, more than maxQueuedBytes (${this.#maxQueuedBytes})`;
    this.fail(new PolluxError('ERR_POLLUX_QUEUE_FULL', message));
    return true;
  }

  readonly #drained = (): void => {
    if (!this.closed) this.announce('drain');
  };

  #shutdown(): void {
    if (this.#writeEnded) return;
    this.#writeEnded = true;
    const result = native.shutdownWrite(this.fd);
    // Not connected any more: reading tells why, if there is anything to tell.
    if (result < 0 && result !== ENOTCONN) this.fail(this.brokenBy(result, 'shutdown'));
    else this.closeIfDone();
  }
}
