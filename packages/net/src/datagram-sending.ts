// The sending half of a socket for datagrams: they go out when the batch under way is over
// (datagram-outbox.ts), unless the system finds the socket full: then they wait in its queue, up to
// a bound. datagram-socket.ts is the other half.
import { systemError } from '@pollux/core';
import type { DatagramEvents, DatagramOptions } from './datagram-options.js';
import { copyOf, type DatagramOutbox } from './datagram-outbox.js';
import { DatagramQueue } from './datagram-queue.js';
import type { Addressed } from './endpoint.js';
import type { Exchange } from './exchange.js';
import { Socket } from './socket.js';

const MAX_QUEUED_BYTES = 1 << 20;

export abstract class SendingSocket<P> extends Socket<DatagramEvents<P>> {
  /** @internal */
  protected readonly queue: DatagramQueue;
  readonly #outbox: DatagramOutbox;
  /** `'drain'` is to follow. */
  #dropped = false;

  /** @internal */
  constructor(exchange: Exchange, fd: number, type: string, options: DatagramOptions) {
    super(exchange, fd, type);
    this.#outbox = exchange.datagramOutbox;
    this.queue = this.makeQueue(
      fd,
      options.maxQueuedBytes ?? MAX_QUEUED_BYTES,
      () => this.settle(),
      (errno, peer) => this.failed(systemError(errno, 'sendmmsg', this.whereTo(peer))),
    );
  }

  /** Bytes, and some for each datagram, that wait because the system finds the socket full. */
  get queuedBytes(): number {
    return this.queue.bytes;
  }

  // For subclasses.

  /** @internal Where a datagram went, for errors; undefined: where the socket is connected. */
  protected abstract whereTo(peer: Addressed | undefined): object;

  /** @internal Where what finds the socket full waits. Called by the constructor. */
  protected makeQueue(...args: ConstructorParameters<typeof DatagramQueue>): DatagramQueue {
    return new DatagramQueue(...args);
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

  /** @internal There is room, or may be. */
  protected sendOn(): void {
    this.queue.resume(this.#outbox);
    if (this.queue.full) return;
    this.settle();
    this.drained();
    if (!this.#dropped) return;
    this.#dropped = false;
    this.exchange.tell(this.context, () => {
      if (!this.closed) this.announce('drain');
    });
  }

  // What it knows of the other half.

  /** @internal Has the poller report what we can use now, and nothing else. */
  protected abstract settle(): void;
  /** @internal Tells of an error, soon; the socket stays open. */
  protected abstract failed(error: Error): void;
  /** @internal Nothing waits any more. */
  protected abstract drained(): void;
}
