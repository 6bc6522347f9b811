// Where bytes of streams arrive: one slab for all streams of a reactor, filled for many of them by
// one native call. What lies in it is good until the call after the next flush: for a stream's
// listener, while it is being called.

import type { AsyncResource } from 'node:async_hooks';
import { empty } from './empty.js';
import type { Exchange } from './exchange.js';
import { native } from './native.js';
import { RECEIVE_ROOM } from './stream-outbox.js';

/** A stream as the inbox sees it. */
export interface StreamReader {
  readonly fd: number;
  readonly context: AsyncResource;
  /**
   * Bytes came, at an offset of the slab; or the end, of length 0; or a negative errno. Calls
   * listeners.
   */
  received(offset: number, length: number): void;
  /** The same, but nobody may be called now. */
  keep(offset: number, length: number): void;
}

/** Most bytes of one read. A stream that has more is read again after all others. */
export const READ_SIZE = 65_536;
/** Streams of one native call, and so those whose answers go out together: clients wait for few others. */
export const READERS = 32;
/** What a misuse of the slab finds, if POLLUX_POISON is set: bytes that are nobody's. */
export const POISON = 0xdb;
export const poisons: boolean = Boolean(process.env.POLLUX_POISON);

export class StreamInbox {
  /** The arena of the outbox, whose first part is the slab. */
  readonly arena: Buffer;
  readonly #slab: Buffer;
  readonly #fds = new Int32Array(READERS);
  readonly #results = new Int32Array(2 * READERS);
  /** @internal */
  protected readonly readers: StreamReader[] = [];
  /** The first of those that were read together, how many they are, and who is next. */
  #first = 0;
  #count = 0;
  #next = 0;

  readonly #exchange: Exchange;

  constructor(exchange: Exchange, arena: Buffer) {
    this.#exchange = exchange;
    this.arena = arena;
    this.#slab = arena.subarray(0, RECEIVE_ROOM);
  }

  /** A stream is readable. */
  add(reader: StreamReader): void {
    this.readers.push(reader);
  }

  /** Reads all that were added, and hands out what came. */
  deliver(): void {
    const { readers } = this;
    const exchange = this.#exchange;
    if (readers.length === 0) return;
    let first = 0;
    while (first < readers.length) {
      this.#read(first);
      exchange.drive(this.#deliverNext);
      const stopped = this.#next < this.#count;
      while (this.#next < this.#count) this.#keepNext();
      exchange.flush();
      if (poisons) this.#slab.fill(POISON);
      // Of those that were not read the poller tells again.
      if (stopped) break;
      first += this.#count;
    }
    empty(readers);
  }

  /** Reads from one stream on, as many as there is room for. */
  #read(first: number): void {
    const asked = Math.min(this.readers.length - first, READERS);
    for (let i = 0; i < asked; i++) {
      this.#fds[i] = (this.readers[first + i] as StreamReader).fd;
    }
    this.#count = this.fill(first, this.#fds, asked, this.#slab, this.#results);
    this.#first = first;
    this.#next = 0;
  }

  /** @internal As `native.read`, which it is; the first is that of `readers[first]`. */
  protected fill(
    _first: number,
    fds: Int32Array,
    asked: number,
    slab: Uint8Array,
    results: Int32Array,
  ): number {
    return native.read(fds, asked, READ_SIZE, slab, results);
  }

  readonly #deliverNext = (): boolean => {
    const at = this.#next;
    if (at >= this.#count) return false;
    this.#next = at + 1;
    const reader = this.readers[this.#first + at] as StreamReader;
    const offset = this.#results[2 * at] as number;
    const length = this.#results[2 * at + 1] as number;
    reader.context.runInAsyncScope(reader.received, reader, offset, length);
    return true;
  };

  #keepNext(): void {
    const at = this.#next++;
    const reader = this.readers[this.#first + at] as StreamReader;
    reader.keep(this.#results[2 * at] as number, this.#results[2 * at + 1] as number);
  }
}
