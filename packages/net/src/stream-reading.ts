// The reading half of a stream: who takes what comes, when it is read, what is held back because it
// could not be handed out, and the peer's end. stream-writing.ts is the other half.
//
// Nothing is read unless somebody takes it: a `receive` callback, else a `for await` loop that asks,
// else the listeners of `'data'`. What was read all the same, before one of them paused the stream or
// stopped the reactor, is held, and nothing more is read before it is handed out.
import { EventEmitter } from 'node:events';
import { Interest } from '@pollux/core';
import type { Exchange } from './exchange.js';
import { EAGAIN } from './native.js';
import { PullIterator } from './pull-iterator.js';
import type { EventMap } from './socket.js';
import type { StreamInbox, StreamReader } from './stream-inbox.js';
import type { ReceiveCallback, StreamEvents, StreamOptions } from './stream-options.js';
import { WritingStream } from './stream-writing.js';
import { checkFunction } from './validate.js';

export abstract class ReadingStream<Events extends StreamEvents & EventMap<Events>>
  extends WritingStream<Events>
  implements StreamReader
{
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
  constructor(exchange: Exchange, fd: number, type: string, options: StreamOptions) {
    super(exchange, fd, type, options);
    this.#followListeners();
  }

  /** Whether the peer may still send: not after `'end'`, nor once the stream is closed. */
  get readable(): boolean {
    return !this.closed && !this.#readEnded;
  }

  get bytesRead(): number {
    return this.#bytesRead;
  }

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

  override removeAllListeners(
    ...args: Parameters<EventEmitter<Events>['removeAllListeners']>
  ): this {
    // To an emitter undefined is a name, and none at all is all of them.
    super.removeAllListeners(...args);
    if (args.length === 0 || args[0] === 'newListener') this.#followListeners();
    return this;
  }

  /** Closes at once; see Stream. */
  abstract destroy(error?: Error | null): this;

  // What the connection knows of it, and it of the connection.

  /** @internal The peer has ended, and everybody was told. */
  protected abstract peerEnded(): void;

  /** @internal Whether the peer has ended. */
  protected get readEnded(): boolean {
    return this.#readEnded;
  }

  /** @internal Whether a loop is told of an error. */
  protected get loops(): boolean {
    return this.#iterator?.open === true;
  }

  /** @internal Reads on, for nobody. */
  protected discardRest(): void {
    this.#iterator?.end();
    this.#iterator = undefined;
    this.#callback = undefined;
    this.resume();
  }

  /** @internal The stream is closed: nothing is handed out any more. */
  protected giveUpReading(): void {
    this.#held = undefined;
    this.#iterator?.fail(this.reason());
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
    if (!this.listens || this.connecting) return;
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
      if (this.#iterator === undefined) this.peerEnded();
      else queueMicrotask(() => process.nextTick(() => this.peerEnded()));
    }
  }
}

function copyOf(slab: Buffer, offset: number, length: number): Buffer {
  const data = Buffer.allocUnsafe(length);
  slab.copy(data, 0, offset, offset + length);
  return data;
}
