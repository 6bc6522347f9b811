// A socket for datagrams on a reactor, UDP or Unix.
//
// What comes goes to one of three: a `receive` callback, without a copy; else a `for await` loop;
// else the listeners of `'message'`. Without any of them it is read and dropped.
import { Interest, type SystemError, systemError } from '@pollux/core';
import { heed, ignore } from './abort.js';
import type { DatagramInbox, DatagramInfo, DatagramReader } from './datagram-inbox.js';
import { type Datagram, DatagramIterator } from './datagram-iterator.js';
import { copyOf, type DatagramOutbox } from './datagram-outbox.js';
import { DatagramQueue } from './datagram-queue.js';
import type { Addressed } from './endpoint.js';
import type { Exchange } from './exchange.js';
import { native, SocketOption } from './native.js';
import { Socket } from './socket.js';
import { checkFunction } from './validate.js';

export interface DatagramEvents<P> {
  /**
   * A datagram came. `data` is the listener's own; `info` tells more with `packetInfo`, or if it was
   * cut, and is undefined otherwise. Without a listener, datagrams are dropped.
   */
  message: [data: Buffer, peer: P, info: DatagramInfo | undefined];
  /** A datagram was refused, or a network error arrived. The socket stays open. */
  error: [error: SystemError];
  /** After a `send` returned false: everything that waited is sent. */
  drain: [];
  close: [];
}

/**
 * A datagram came, where it lies; see `receive`. `info` is the same object in every call, and tells
 * of the datagram at hand.
 */
export type DatagramCallback<P, S> = (
  buffer: Buffer,
  offset: number,
  length: number,
  peer: P,
  socket: S,
  info: DatagramInfo,
) => void;

/** Of UDP and Unix sockets. */
export interface DatagramOptions {
  /** How many bytes may wait in a socket that the system finds full; 1 MiB if left out. */
  maxQueuedBytes?: number;
  /** Closes the socket when it is aborted. */
  signal?: AbortSignal;
}

const MAX_QUEUED_BYTES = 1 << 20;
/** Callbacks in which `finish` takes what still comes; from then on nothing does. */
const OPEN_ROUNDS = 8;

export abstract class DatagramSocket<P>
  extends Socket<DatagramEvents<P>>
  implements DatagramReader
{
  /** @internal */
  protected readonly queue: DatagramQueue;
  readonly #outbox: DatagramOutbox;
  readonly #signal: AbortSignal | undefined;
  #callback: DatagramCallback<P, this> | undefined;
  #iterator: DatagramIterator<P> | undefined;
  #paused = false;
  #dropped = false;
  /** Callbacks since `finish`; undefined before. */
  #finishing: number | undefined;
  /** Bytes that `finish` still takes, where the system cannot be told to drop what comes. */
  #bytesToTake: number | undefined;
  #foundEmpty = false;
  #looksSoon = false;
  /** Received when nobody could be called: nothing more is read before it is handed out. */
  #held: Datagram<P>[] = [];

  /** @internal */
  constructor(exchange: Exchange, fd: number, type: string, options: DatagramOptions) {
    super(exchange, fd, type);
    this.#outbox = exchange.datagramOutbox;
    this.queue = this.makeQueue(
      fd,
      options.maxQueuedBytes ?? MAX_QUEUED_BYTES,
      () => this.#settle(),
      (errno, peer) => this.#failed(systemError(errno, 'sendmmsg', this.whereTo(peer))),
    );
    this.#signal = options.signal;
    if (options.signal !== undefined) heed(options.signal, this);
  }

  /** Bytes, and some for each datagram, that wait because the system finds the socket full. */
  get queuedBytes(): number {
    return this.queue.bytes;
  }

  /**
   * In place of `'message'`, without a copy: `callback(buffer, offset, length, peer, socket, info)` is
   * given datagrams in a slab that all sockets of the reactor share. They are good while it is
   * called, and to be left as they are; what is to be kept has to be copied. Undefined ends it.
   */
  receive(callback: DatagramCallback<P, this> | undefined): this {
    if (callback !== undefined) checkFunction('callback', callback);
    this.#callback = callback;
    return this;
  }

  /** Stops reading until `resume`; the system drops what it has no room for. */
  pause(): this {
    this.#paused = true;
    this.#settle();
    return this;
  }

  resume(): this {
    this.#paused = false;
    this.#settle();
    if (this.#finishing !== undefined) this.#finishSoon();
    return this;
  }

  isPaused(): boolean {
    return this.#paused;
  }

  /**
   * The datagrams that come from now on; one loop at a time. While the loop is busy the socket is not
   * read. Leaving the loop leaves the socket open; closing the socket ends the loop. An error that has
   * no `'error'` listener, and the abortion of `signal`, are thrown in it.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<Datagram<P>> {
    this.assertOpen();
    this.#iterator ??= new DatagramIterator<P>(
      () => this.#settle(),
      () => {
        this.#iterator = undefined;
        this.#settle();
      },
    );
    return this.#iterator;
  }

  /** Sends what was queued, drops what the system does not take at once, and closes. Idempotent. */
  close(): void {
    this.#close(true);
  }

  /**
   * Closes without losing a datagram that the system has for us: they are handed out, what the
   * listeners answer at once is sent, then it closes. Idempotent; keeps the process alive meanwhile.
   * Ends a pause.
   */
  finish(): void {
    if (!this.listens || this.#finishing !== undefined) return;
    this.#finishing = 0;
    this.resume();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  // For subclasses.

  /** @internal The sender of a record of the inbox, or the remote of a connected socket. */
  protected abstract senderOf(record: number): P | undefined;

  /** @internal Where a datagram went, for errors; undefined: where the socket is connected. */
  protected abstract whereTo(peer: Addressed | undefined): object;

  /** @internal What to tell of the datagram in hand beside its bytes, if anything. */
  protected infoOf(info: DatagramInfo): DatagramInfo | undefined {
    if (!info.truncated) return undefined;
    return { truncated: true, localAddress: undefined, interfaceIndex: 0 };
  }

  /** @internal Sends `length` bytes, checked by now, or has them wait. */
  protected post(
    data: string | Uint8Array,
    offset: number,
    length: number,
    peer: Addressed | undefined,
    local: Addressed | undefined,
  ): boolean {
    const { exchange, queue } = this;
    if (queue.isFull(peer)) {
      if (!queue.hasRoom(length)) return this.refuse();
      queue.keep(copyOf(data, offset, length), peer, local);
      return true;
    }
    exchange.schedule();
    this.#outbox.push(queue, data, offset, length, peer, local);
    return true;
  }

  /** @internal Sends a buffer as datagrams of that size, or has them wait. */
  protected postSegments(
    data: Uint8Array,
    size: number,
    peer: Addressed | undefined,
    local: Addressed | undefined,
  ): boolean {
    const { exchange, queue } = this;
    let from = 0;
    if (!queue.full) {
      exchange.schedule();
      from = this.#outbox.pushSegments(queue, data, size, peer, local);
    }
    for (; from < data.length; from += size) {
      const length = Math.min(size, data.length - from);
      if (!this.post(data, from, length, peer, local)) return false;
    }
    return true;
  }

  /** @internal Says no to a datagram; `'drain'` will follow. */
  protected refuse(): false {
    this.#dropped = true;
    return false;
  }

  /** @internal Where what finds the socket full waits. Called by the constructor. */
  protected makeQueue(...args: ConstructorParameters<typeof DatagramQueue>): DatagramQueue {
    return new DatagramQueue(...args);
  }

  /** @internal Who receives for it. */
  protected get inbox(): DatagramInbox {
    return this.exchange.datagramInbox;
  }

  /** @internal */
  abandon(): void {
    if (!this.closeDescriptor()) return;
    this.#end(true);
  }

  /** @internal */
  abort(reason: unknown): void {
    if (this.closed) return;
    this.#iterator?.fail(reason);
    this.close();
  }

  #close(drops: boolean): void {
    if (this.closed) return;
    this.exchange.flushDatagrams();
    this.closeDescriptor();
    this.#end(drops);
    this.tell('close');
  }

  #end(drops: boolean): void {
    this.queue.clear();
    this.#held = [];
    this.#iterator?.end(drops);
    this.#iterator = undefined;
    if (this.#signal !== undefined) ignore(this.#signal, this);
  }

  // Readiness.

  /** @internal */
  found(events: number): void {
    if ((events & Interest.writable) !== 0) this.#sendOn();
    if ((events & Interest.readable) === 0) return;
    if (this.#reads) this.inbox.add(this);
    else this.#settle();
  }

  /** @internal Whether more may be read: what was read before is handed out. */
  protected get reads(): boolean {
    return this.#reads;
  }

  /** @internal Whether a `for await` loop takes what comes. */
  protected get loops(): boolean {
    return this.#iterator !== undefined;
  }

  get #reads(): boolean {
    return !this.#paused && this.#held.length === 0 && this.#iterator?.full !== true;
  }

  /** @internal Has the poller report what we can use now, and nothing else. */
  protected settle(): void {
    this.#settle();
  }

  #settle(): void {
    if (!this.listens) return;
    if (!this.#paused && this.#held.length > 0) this.exchange.tell(this.context, this.#deliverHeld);
    const readable = this.#reads ? Interest.readable : 0;
    try {
      this.want(readable | (this.queue.polled ? Interest.writable : 0));
    } catch (error) {
      this.#break(error);
    }
  }

  /** The poller refuses it. Soon: this may be in the middle of a flush, of others' datagrams too. */
  #break(error: unknown): void {
    this.exchange.tell(this.context, () => {
      if (this.closed) return;
      const iterator = this.hears('error') ? undefined : this.#iterator;
      iterator?.fail(error);
      this.#close(true);
      if (iterator === undefined) this.announce('error', error);
    });
  }

  /** @internal */
  received(record: number, offset: number, length: number): void {
    if (this.closed) return;
    if (this.#bytesToTake !== undefined) this.#bytesToTake -= Math.max(length, 1);
    // Paused by a listener before us in this batch; or it would overtake what is held.
    if (this.#paused || this.#held.length > 0) {
      this.keep(record, offset, length);
      return;
    }
    if (length < 0) {
      this.#failed(systemError(length, 'recvmmsg', this.whereTo(undefined)));
      return;
    }
    const { inbox } = this;
    const callback = this.#callback;
    if (callback !== undefined) {
      const peer = this.senderOf(record);
      if (peer === undefined) return;
      const { arena, info } = inbox;
      callback(arena, offset, length, peer, this, info);
      // What was joined with it, as long as nothing has changed.
      while (this.#callback === callback && !this.#paused && !this.closed && inbox.takeJoined()) {
        callback(arena, inbox.offset, inbox.length, peer, this, info);
      }
      return;
    }
    if (this.#iterator === undefined && this.listenerCount('message') === 0) return;
    const datagram = this.#copy(record, offset, length);
    if (datagram === undefined) return;
    if (this.#iterator !== undefined) this.#iterator.push(datagram);
    else this.announce('message', datagram.data, datagram.peer, datagram.info);
  }

  /** @internal */
  keep(record: number, offset: number, length: number): void {
    if (this.closed) return;
    if (length < 0) {
      this.#failed(systemError(length, 'recvmmsg', this.whereTo(undefined)));
      return;
    }
    const datagram = this.#copy(record, offset, length);
    if (datagram === undefined) return;
    if (this.#held.push(datagram) === 1) this.#settle();
  }

  #copy(record: number, offset: number, length: number): Datagram<P> | undefined {
    const { inbox } = this;
    const peer = this.senderOf(record);
    if (peer === undefined) return undefined;
    return { data: inbox.copy(offset, length), peer, info: this.infoOf(inbox.info) };
  }

  #handOut(datagram: Datagram<P>): void {
    if (this.#callback !== undefined) {
      const { data, peer, info } = datagram;
      this.#callback(data, 0, data.length, peer, this, info ?? NOTHING_KNOWN);
    } else if (this.#iterator !== undefined) this.#iterator.push(datagram);
    else this.announce('message', datagram.data, datagram.peer, datagram.info);
  }

  readonly #deliverHeld = (): void => {
    this.exchange.drive(() => {
      const held = this.closed || this.#paused ? undefined : this.#held.shift();
      if (held === undefined) return false;
      this.#handOut(held);
      return true;
    });
    this.#settle();
  };

  // The end.

  #finishSoon(): void {
    if (this.#looksSoon) return;
    this.#looksSoon = true;
    this.exchange.tell(this.context, () => {
      this.#looksSoon = false;
      this.#finish();
    });
  }

  /**
   * Looks again until nothing is left, twice in a row: between the two the promises of what was
   * handed out have run, and what was answered is sent.
   */
  #finish(): void {
    this.exchange.flushDatagrams();
    // A full socket goes on when it has room, one that was paused since when it is resumed.
    if (!this.listens || this.queue.full || this.#paused) return;
    // Else a flood would keep it for ever.
    if (this.#finishing === OPEN_ROUNDS && native.stopInput(this.fd) < 0) {
      // More than that cannot have been waiting by now.
      this.#bytesToTake = native.getOption(this.fd, SocketOption.receiveBufferSize);
    }
    this.#finishing = (this.#finishing ?? 0) + 1;
    const { inbox } = this;
    inbox.add(this);
    const empty = inbox.deliver() === 0 && this.#held.length === 0;
    const enough = this.#bytesToTake !== undefined && this.#bytesToTake <= 0;
    if (enough || (empty && this.#foundEmpty)) this.#close(false);
    else this.#finishSoon();
    this.#foundEmpty = empty;
  }

  // Sending.

  /** @internal There is room, or may be. */
  protected sendOn(): void {
    this.#sendOn();
  }

  #sendOn(): void {
    this.queue.resume(this.#outbox);
    if (this.queue.full) return;
    this.#settle();
    if (this.#finishing !== undefined) this.#finishSoon();
    if (!this.#dropped) return;
    this.#dropped = false;
    this.exchange.tell(this.context, () => {
      if (!this.closed) this.announce('drain');
    });
  }

  #failed(error: SystemError): void {
    this.exchange.tell(this.context, () => {
      if (this.closed) return;
      if (this.#iterator !== undefined && !this.hears('error')) this.#iterator.fail(error);
      else this.announce('error', error);
    });
  }
}

const NOTHING_KNOWN: DatagramInfo = {
  truncated: false,
  localAddress: undefined,
  interfaceIndex: 0,
};
