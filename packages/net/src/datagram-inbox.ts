// Where datagrams arrive: one slab for all sockets of a reactor, filled for many of them by one
// native call. What lies in it is good until the next: for a socket's listener, while it is being
// called.
import type { AsyncResource } from 'node:async_hooks';
import { type EncodedEndpoint, EndpointCache } from './endpoint.js';
import type { Exchange } from './exchange.js';
import { native, SLOT_SIZE } from './native.js';
import { POISON, poisons } from './stream-inbox.js';

/** A socket as the inbox sees it. */
export interface DatagramReader {
  readonly fd: number;
  readonly context: AsyncResource;
  /** The i-th record of the inbox is for it. Calls listeners. */
  received(i: number): void;
  /** The same, but nobody may be called now. */
  keep(i: number): void;
}

/** Datagrams of one native call. */
const RECORDS = 64;
/** Of one socket; one that has more is read again after all others. */
const PER_SOCKET = 64;
const SOCKETS = 64;
/**
 * Room for one: a UDP payload is at most 65,527 bytes (IPv6). Not a power of two, so that the heads
 * of many small datagrams do not fall on one set of the processor's cache.
 */
const DATAGRAM_ROOM = 65_536 + 64;
const RECORD_WORDS = 4;

export class DatagramInbox {
  readonly slab: Buffer = Buffer.allocUnsafeSlow(RECORDS * DATAGRAM_ROOM);
  readonly #fds = new Int32Array(SOCKETS);
  readonly #records = new Int32Array(RECORDS * RECORD_WORDS);
  readonly #peers = new Uint8Array(RECORDS * SLOT_SIZE);
  readonly #endpoints = new EndpointCache(this.#peers);
  readonly #readers: DatagramReader[] = [];
  /** The first of those that were read together; the records of all, and the next of them. */
  #first = 0;
  #count = 0;
  #next = 0;
  readonly #exchange: Exchange;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  /** A socket is readable. */
  add(reader: DatagramReader): void {
    this.#readers.push(reader);
  }

  /** Receives for all that were added, hands out what came, and returns how much that was. */
  deliver(): number {
    const readers = this.#readers;
    const exchange = this.#exchange;
    let first = 0;
    let received = 0;
    while (first < readers.length) {
      const reached = this.#receive(first);
      received += this.#count;
      exchange.drive(this.#deliverNext);
      const stopped = this.#next < this.#count;
      while (this.#next < this.#count) this.#keepNext(this.#next++);
      exchange.flush();
      if (poisons) this.#poison();
      // Of those that were not reached the poller tells again.
      if (stopped) break;
      first += reached;
    }
    readers.length = 0;
    return received;
  }

  /** Where the i-th datagram begins in the slab. */
  offset(i: number): number {
    return this.#records[i * RECORD_WORDS + 1] as number;
  }

  /** How long the i-th datagram is; negative: the record is an error, and this its number. */
  length(i: number): number {
    return this.#records[i * RECORD_WORDS + 2] as number;
  }

  /** A copy of the i-th datagram, the receiver's own. */
  copy(i: number): Buffer {
    const offset = this.offset(i);
    const length = this.length(i);
    const data = Buffer.allocUnsafe(length);
    this.slab.copy(data, 0, offset, offset + length);
    return data;
  }

  /** Who sent the i-th datagram. */
  peer(i: number): EncodedEndpoint | undefined {
    return this.#endpoints.get(i);
  }

  /** Receives for readers from one on, and returns how many were looked at. */
  #receive(first: number): number {
    const asked = Math.min(this.#readers.length - first, SOCKETS);
    for (let i = 0; i < asked; i++) {
      this.#fds[i] = (this.#readers[first + i] as DatagramReader).fd;
    }
    this.#first = first;
    this.#next = 0;
    this.#count = native.receive(
      this.#fds,
      asked,
      PER_SOCKET,
      this.slab,
      DATAGRAM_ROOM,
      this.#records,
      this.#peers,
    );
    // When there is no room for more, those behind the last may not have been asked.
    if (this.#count < RECORDS) return asked;
    return (this.#records[(RECORDS - 1) * RECORD_WORDS] as number) + 1;
  }

  readonly #deliverNext = (): boolean => {
    if (this.#next >= this.#count) return false;
    const index = this.#records[this.#next * RECORD_WORDS] as number;
    const reader = this.#readers[this.#first + index] as DatagramReader;
    reader.context.runInAsyncScope(this.#deliverGroup, this, reader, index);
    return true;
  };

  #keepNext(i: number): void {
    const index = this.#records[i * RECORD_WORDS] as number;
    (this.#readers[this.#first + index] as DatagramReader).keep(i);
  }

  #poison(): void {
    for (let i = 0; i < this.#count; i++) {
      const offset = this.offset(i);
      this.slab.fill(POISON, offset, offset + Math.max(0, this.length(i)));
    }
  }

  /** All that came for one socket; goes on where it was after a listener threw. */
  #deliverGroup(reader: DatagramReader, index: number): void {
    const records = this.#records;
    while (this.#next < this.#count && records[this.#next * RECORD_WORDS] === index) {
      // By a listener that stopped the reactor, or closed it.
      if (this.#exchange.halted) return;
      reader.received(this.#next++);
    }
  }
}
