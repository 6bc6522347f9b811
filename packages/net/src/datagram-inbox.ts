// Where datagrams arrive: one slab for all sockets of a reactor, filled for many of them by one
// native call. What lies in it is good until the next: for a socket's listener, while it is being
// called.
//
// A record of a receive is one datagram, or several of one sender that the system has joined
// (UDP_GRO): equal ones, the last may be shorter. They are handed out one by one.

import type { AsyncResource } from 'node:async_hooks';
import { DATAGRAM_ROOM, type DatagramOutbox, RECORDS } from './datagram-outbox.js';
import { empty } from './empty.js';
import { type Addressed, decodeSlot } from './endpoint.js';
import type { Decode, EndpointTable } from './endpoint-table.js';
import type { Exchange } from './exchange.js';
import { native, SLOT_SIZE } from './native.js';
import type { OwnedFd } from './owned-fd.js';
import { POISON, poisons } from './stream-inbox.js';

/** A socket as the inbox sees it. */
export interface DatagramReader {
  readonly fd: number;
  readonly context: AsyncResource;
  /**
   * A datagram, at an offset of the slab; or a negative errno in place of its length. `record` is
   * its number in the inbox. Calls listeners.
   */
  received(record: number, offset: number, length: number): void;
  /** The same, but nobody may be called now. */
  keep(record: number, offset: number, length: number): void;
}

/** What is known of a datagram beside its bytes and its sender. */
export interface DatagramInfo {
  /** It was longer than what was kept of it: never so for UDP. */
  readonly truncated: boolean;
  /** With `packetInfo`: the address it was sent to, one of ours, or a group's; else undefined. */
  readonly localAddress: string | undefined;
  /** With `packetInfo`: the index of the interface that it came in by; else 0. */
  readonly interfaceIndex: number;
  /**
   * Descriptors that came with it, with `receiveFds` on a Unix socket. Whoever asks for them has to
   * close them; those that nobody has asked for are closed.
   */
  readonly fds?: OwnedFd[] | undefined;
}

/** Of one socket; one that has more is read again after all others. */
export const PER_SOCKET = 64;
const SOCKETS = 64;
const RECORD_WORDS = 6;
const TRUNCATED = 1;
const HAS_LOCAL = 2;

export class DatagramInbox {
  /** The arena of the outbox, whose first part is the slab. */
  readonly arena: Buffer;
  /** Of the datagram that is being handed out: always the same object. */
  readonly info: DatagramInfo;
  readonly #slab: Buffer;
  readonly #fds = new Int32Array(SOCKETS);
  readonly #records = new Int32Array(RECORDS * RECORD_WORDS);
  readonly #endpoints: EndpointTable;
  readonly #peers: Uint8Array;
  readonly #locals: Uint8Array;
  /** @internal */
  protected readonly readers: DatagramReader[] = [];
  /** The first of those that were read together; the records of all. */
  #first = 0;
  #count = 0;
  /** The next record, and how much of it was handed out: less than all if it is several. */
  #next = 0;
  #done = 0;
  #record = 0;
  /** Where the datagram in hand lies. */
  offset = 0;
  length = 0;
  /** The sender of a record that was asked for last, and of which; -1: of none. */
  #peer: Addressed | undefined;
  #peerOf = -1;
  readonly #exchange: Exchange;

  constructor(exchange: Exchange, outbox: DatagramOutbox) {
    this.#exchange = exchange;
    this.arena = outbox.arena;
    this.#slab = this.arena.subarray(0, RECORDS * DATAGRAM_ROOM);
    this.#endpoints = outbox.endpoints;
    const { slots } = this.#endpoints;
    this.#peers = slots.subarray(0, RECORDS * SLOT_SIZE);
    this.#locals = slots.subarray(RECORDS * SLOT_SIZE, 2 * RECORDS * SLOT_SIZE);
    this.info = new CurrentInfo(this);
  }

  /** A socket is readable. */
  add(reader: DatagramReader): void {
    this.readers.push(reader);
  }

  /** Receives for all that were added, hands out what came, and returns how much that was. */
  deliver(): number {
    const { readers } = this;
    const exchange = this.#exchange;
    let first = 0;
    let received = 0;
    while (first < readers.length) {
      const reached = this.#receive(first);
      received += this.#count;
      exchange.drive(this.#deliverNext);
      const stopped = this.#next < this.#count;
      while (this.#next < this.#count) this.#keepNext();
      exchange.flush();
      if (poisons) this.#poison();
      // Of those that were not reached the poller tells again.
      if (stopped) break;
      first += reached;
    }
    empty(readers);
    return received;
  }

  /** Takes in hand the next one of those that were joined; false if there is none, or nobody may be called. */
  takeJoined(): boolean {
    if (this.#done === 0 || this.#exchange.halted) return false;
    this.#take();
    return true;
  }

  /** A copy of part of the slab, the receiver's own. */
  copy(offset: number, length: number): Buffer {
    const data = Buffer.allocUnsafe(length);
    this.arena.copy(data, 0, offset, offset + length);
    return data;
  }

  /** Who sent a record. */
  peer<T extends Addressed>(record: number, decode: Decode<T>): T | undefined {
    // Joined ones have the same; there may be dozens.
    if (record !== this.#peerOf) {
      this.#peer = this.#endpoints.get(record, decode);
      this.#peerOf = record;
    }
    return this.#peer as T | undefined;
  }

  // Of the record in hand, for `info`.

  get truncated(): boolean {
    return (this.#word(3) & TRUNCATED) !== 0;
  }

  get localAddress(): string | undefined {
    if ((this.#word(3) & HAS_LOCAL) === 0) return undefined;
    return this.#endpoints.get(RECORDS + this.#record, decodeSlot)?.address;
  }

  get interfaceIndex(): number {
    return this.#word(5);
  }

  /** Receives for readers from one on, and returns how many were looked at. */
  #receive(first: number): number {
    const asked = Math.min(this.readers.length - first, SOCKETS);
    for (let i = 0; i < asked; i++) {
      this.#fds[i] = (this.readers[first + i] as DatagramReader).fd;
    }
    this.#first = first;
    this.#next = 0;
    this.#done = 0;
    this.#peerOf = -1;
    this.#count = this.fill(first, this.#fds, asked, this.#slab, this.#records, this.#peers);
    // When there is no room for more, those behind the last may not have been asked.
    if (this.#count < RECORDS) return asked;
    return (this.#records[(RECORDS - 1) * RECORD_WORDS] as number) + 1;
  }

  /** @internal As `native.receive`, which it is; the first is that of `readers[first]`. */
  protected fill(
    _first: number,
    fds: Int32Array,
    asked: number,
    slab: Uint8Array,
    records: Int32Array,
    peers: Uint8Array,
  ): number {
    const locals = this.#locals;
    return native.receive(fds, asked, PER_SOCKET, slab, DATAGRAM_ROOM, records, peers, locals);
  }

  readonly #deliverNext = (): boolean => {
    if (this.#next >= this.#count) return false;
    const index = this.#records[this.#next * RECORD_WORDS] as number;
    const reader = this.readers[this.#first + index] as DatagramReader;
    reader.context.runInAsyncScope(this.#deliverGroup, this, reader, index);
    return true;
  };

  #keepNext(): void {
    const index = this.#records[this.#next * RECORD_WORDS] as number;
    this.#take();
    const reader = this.readers[this.#first + index] as DatagramReader;
    reader.keep(this.#record, this.offset, this.length);
  }

  #poison(): void {
    for (let i = 0; i < this.#count; i++) {
      const offset = this.#records[i * RECORD_WORDS + 1] as number;
      const length = this.#records[i * RECORD_WORDS + 2] as number;
      this.#slab.fill(POISON, offset, offset + Math.max(0, length));
    }
  }

  /** All that came for one socket; goes on where it was after a listener threw. */
  #deliverGroup(reader: DatagramReader, index: number): void {
    const records = this.#records;
    while (this.#next < this.#count && records[this.#next * RECORD_WORDS] === index) {
      // By a listener that stopped the reactor, or closed it.
      if (this.#exchange.halted) return;
      this.#take();
      reader.received(this.#record, this.offset, this.length);
    }
  }

  /** Takes the next datagram in hand. */
  #take(): void {
    const records = this.#records;
    const word = this.#next * RECORD_WORDS;
    const segment = records[word + 4] as number;
    const left = (records[word + 2] as number) - this.#done;
    this.#record = this.#next;
    this.offset = (records[word + 1] as number) + this.#done;
    if (segment === 0 || left <= segment) {
      this.length = left;
      this.#next++;
      this.#done = 0;
    } else {
      this.length = segment;
      this.#done += segment;
    }
  }

  #word(i: number): number {
    return this.#records[this.#record * RECORD_WORDS + i] as number;
  }
}

/** Looks things up when it is asked: most never ask. */
class CurrentInfo implements DatagramInfo {
  static {
    // As it is printed.
    Object.defineProperty(CurrentInfo, 'name', { value: 'DatagramInfo' });
  }

  readonly #inbox: DatagramInbox;

  constructor(inbox: DatagramInbox) {
    this.#inbox = inbox;
  }

  get truncated(): boolean {
    return this.#inbox.truncated;
  }

  get localAddress(): string | undefined {
    return this.#inbox.localAddress;
  }

  get interfaceIndex(): number {
    return this.#inbox.interfaceIndex;
  }
}
