// A socket for datagrams on a reactor, UDP or Unix.
import { Interest, type SystemError, systemError } from '@pollux/core';
import type { DatagramReader } from './datagram-inbox.js';
import { DatagramQueue } from './datagram-queue.js';
import type { Exchange } from './exchange.js';
import { native } from './native.js';
import { Socket } from './socket.js';

export interface DatagramEvents<P> {
  /** A datagram came. `data` is the listener's own. Without a listener, datagrams are dropped. */
  message: [data: Buffer, peer: P];
  /** A datagram was refused, or a network error arrived. The socket stays open. */
  error: [error: SystemError];
  /** After a `send` returned false: everything that waited is sent. */
  drain: [];
  close: [];
}

const MAX_QUEUED_BYTES = 1 << 20;
/** Callbacks in which `finish` takes what still comes; from then on nothing does. */
const OPEN_ROUNDS = 8;

export abstract class DatagramSocket<P>
  extends Socket<DatagramEvents<P>>
  implements DatagramReader
{
  readonly #queue: DatagramQueue;
  #dropped = false;
  /** Callbacks since `finish`; undefined before. */
  #finishing: number | undefined;
  #foundEmpty = false;
  /** Received when nobody could be called. */
  #held: [data: Buffer, peer: P][] = [];

  /** @internal */
  constructor(exchange: Exchange, fd: number, type: string, maxQueuedBytes: number | undefined) {
    super(exchange, fd, type);
    this.#queue = new DatagramQueue(
      fd,
      maxQueuedBytes ?? MAX_QUEUED_BYTES,
      () => this.#awaitRoom(),
      (errno, peer) => this.#refused(errno, peer),
    );
  }

  /** Bytes, and some for each datagram, that wait because the system finds the socket full. */
  get queuedBytes(): number {
    return this.#queue.bytes;
  }

  /** Sends what was queued, drops what the system does not take at once, and closes. Idempotent. */
  close(): void {
    if (this.closed) return;
    this.exchange.flushDatagrams();
    this.closeDescriptor();
    this.#queue.clear();
    this.#held = [];
    this.tell('close');
  }

  /**
   * Closes without losing a datagram that the system has for us: they are handed out, what the
   * listeners answer at once is sent, then it closes. Idempotent; keeps the process alive meanwhile.
   */
  finish(): void {
    if (!this.listens || this.#finishing !== undefined) return;
    this.#finishing = 0;
    this.#finishSoon();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  // For subclasses.

  /** @internal The sender of the i-th record of the inbox, or the remote of a connected socket. */
  protected abstract senderOf(i: number): P | undefined;

  /** @internal Where a datagram went, for errors; undefined: where the socket is connected. */
  protected abstract whereTo(peer: Uint8Array | undefined): object;

  /** @internal Sends `length` bytes, checked by now, or has them wait. */
  protected post(data: string | Uint8Array, length: number, peer: Uint8Array | undefined): boolean {
    const { exchange } = this;
    if (this.#queue.full) {
      if (!this.#queue.hasRoom(length)) {
        this.#dropped = true;
        return false;
      }
      this.#queue.keep(typeof data === 'string' ? Buffer.from(data) : new Uint8Array(data), peer);
      return true;
    }
    exchange.schedule();
    exchange.datagramOutbox.push(this.#queue, data, length, peer);
    return true;
  }

  /** @internal */
  abandon(): void {
    if (this.closeDescriptor()) this.#queue.clear();
  }

  // Readiness.

  /** @internal */
  found(events: number): void {
    if ((events & Interest.writable) !== 0) this.#resume();
    if ((events & Interest.readable) !== 0) this.exchange.datagramInbox.add(this);
  }

  /** @internal */
  received(i: number): void {
    if (this.closed) return;
    const inbox = this.exchange.datagramInbox;
    const length = inbox.length(i);
    if (length < 0) {
      this.#failed(systemError(length, 'recvmmsg', this.whereTo(undefined)));
      return;
    }
    if (this.listenerCount('message') === 0) return;
    const peer = this.senderOf(i);
    if (peer !== undefined) this.announce('message', inbox.copy(i), peer);
  }

  /** @internal */
  keep(i: number): void {
    if (this.closed) return;
    const inbox = this.exchange.datagramInbox;
    const peer = this.senderOf(i);
    if (inbox.length(i) < 0) this.received(i);
    else if (peer !== undefined) this.#held.push([inbox.copy(i), peer]);
    if (this.#held.length === 1) this.exchange.tell(this.context, this.#deliverHeld);
  }

  readonly #deliverHeld = (): void => {
    this.exchange.drive(() => {
      const held = this.closed ? undefined : this.#held.shift();
      if (held === undefined) return false;
      this.announce('message', ...held);
      return true;
    });
    if (this.#held.length > 0) this.exchange.tell(this.context, this.#deliverHeld);
  };

  // The end.

  #finishSoon(): void {
    this.exchange.tell(this.context, () => this.#finish());
  }

  /**
   * Looks again until nothing is left, twice in a row: between the two the promises of what was
   * handed out have run, and what was answered is sent.
   */
  #finish(): void {
    this.exchange.flushDatagrams();
    // A full socket goes on when it has room.
    if (!this.listens || this.#queue.full) return;
    // Else a flood would keep it for ever.
    if (this.#finishing === OPEN_ROUNDS) native.stopInput(this.fd);
    this.#finishing = (this.#finishing ?? 0) + 1;
    const inbox = this.exchange.datagramInbox;
    inbox.add(this);
    const empty = inbox.deliver() === 0 && this.#held.length === 0;
    if (empty && this.#foundEmpty) this.close();
    else this.#finishSoon();
    this.#foundEmpty = empty;
  }

  // Sending.

  #awaitRoom(): void {
    if (this.listens) this.want(Interest.readable | Interest.writable);
  }

  #resume(): void {
    this.#queue.resume(this.exchange.datagramOutbox);
    if (this.#queue.full) return;
    this.want(Interest.readable);
    if (this.#finishing !== undefined) this.#finishSoon();
    if (!this.#dropped) return;
    this.#dropped = false;
    this.exchange.tell(this.context, () => {
      if (!this.closed) this.announce('drain');
    });
  }

  #refused(errno: number, peer: Uint8Array | undefined): void {
    this.#failed(systemError(errno, 'sendmmsg', this.whereTo(peer)));
  }

  #failed(error: SystemError): void {
    this.exchange.tell(this.context, () => {
      if (!this.closed) this.announce('error', error);
    });
  }
}
