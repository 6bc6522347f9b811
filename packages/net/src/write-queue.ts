// What a stream has still to write: pieces of buffers in order.
//
// A piece is kept, not copied, except one of the arena (stream-outbox.ts): that is good until the
// next flush only, and what the system did not take of it by then is copied to a block of the queue's
// own. Many small pieces share a block, so that a slow reader costs no more than its bytes.

import { empty } from './empty.js';

/** No piece ends beyond this: native code counts in 32 bits. */
const MAX_PIECE = 1 << 30;
const FIRST_BLOCK = 512;
const LARGEST_BLOCK = 16_384;

export class WriteQueue {
  // Piece i: so many bytes of a buffer, from an offset on.
  #buffers: Uint8Array[] = [];
  #offsets: number[] = [];
  #lengths: number[] = [];
  /** The first that is not written. */
  #head = 0;
  #bytes = 0;
  #block: Uint8Array | undefined;
  #blockUsed = 0;

  /** How many bytes wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What counts toward the high-water mark: the bytes, and what else may wait with them. */
  get weight(): number {
    return this.#bytes;
  }

  /** How many bytes may be written before the stream's own `pass` has to be called. */
  get barrier(): number {
    return Number.POSITIVE_INFINITY;
  }

  get pieces(): number {
    return this.#buffers.length - this.#head;
  }

  /** The i-th piece that waits: its buffer; undefined if that was transferred away meanwhile. */
  buffer(i: number): Uint8Array | undefined {
    const at = this.#head + i;
    const buffer = this.#buffers[at] as Uint8Array;
    const end = (this.#offsets[at] as number) + (this.#lengths[at] as number);
    return buffer.length >= end ? buffer : undefined;
  }

  offset(i: number): number {
    return this.#offsets[this.#head + i] as number;
  }

  length(i: number): number {
    return this.#lengths[this.#head + i] as number;
  }

  /** Queues a piece; its bytes are to be left alone until they are written. */
  push(buffer: Uint8Array, offset: number, length: number): void {
    if (offset + length > MAX_PIECE) {
      for (let at = offset; at < offset + length; at += MAX_PIECE) {
        const piece = buffer.subarray(at, Math.min(at + MAX_PIECE, offset + length));
        this.push(piece, 0, piece.length);
      }
      return;
    }
    this.#bytes += length;
    const last = this.#buffers.length - 1;
    if (last >= this.#head && this.#buffers[last] === buffer) {
      const end = (this.#offsets[last] as number) + (this.#lengths[last] as number);
      if (end === offset) {
        this.#lengths[last] = (this.#lengths[last] as number) + length;
        return;
      }
    }
    this.#buffers.push(buffer);
    this.#offsets.push(offset);
    this.#lengths.push(length);
  }

  /** Queues a copy. */
  append(buffer: Uint8Array, offset: number, length: number): void {
    const at = this.#copy(buffer, offset, length);
    this.push(this.#block as Uint8Array, at, length);
  }

  /** Copies what is in `arena`, which is about to be used anew. */
  rescue(arena: Uint8Array): void {
    for (let i = this.#head; i < this.#buffers.length; i++) {
      if (this.#buffers[i] !== arena) continue;
      const length = this.#lengths[i] as number;
      this.#offsets[i] = this.#copy(arena, this.#offsets[i] as number, length);
      this.#buffers[i] = this.#block as Uint8Array;
    }
  }

  /** The first `bytes` bytes are written. */
  shift(bytes: number): void {
    this.#bytes -= bytes;
    if (this.#bytes === 0) {
      this.#empty();
      return;
    }
    let left = bytes;
    let head = this.#head;
    for (let length = this.#lengths[head] as number; left >= length; ) {
      left -= length;
      length = this.#lengths[++head] as number;
    }
    this.#offsets[head] = (this.#offsets[head] as number) + left;
    this.#lengths[head] = (this.#lengths[head] as number) - left;
    // Cut off when they are the most of the arrays.
    if (head > 64 && 2 * head > this.#buffers.length) {
      this.#buffers.splice(0, head);
      this.#offsets.splice(0, head);
      this.#lengths.splice(0, head);
      head = 0;
    } else {
      // Written: not kept from being collected.
      for (let i = this.#head; i < head; i++) this.#buffers[i] = EMPTY;
    }
    this.#head = head;
  }

  clear(): void {
    this.#bytes = 0;
    this.#empty();
  }

  #empty(): void {
    empty(this.#buffers);
    empty(this.#offsets);
    empty(this.#lengths);
    this.#head = 0;
    this.#block = undefined;
  }

  /** Into the block, or a new one; returns where. */
  #copy(buffer: Uint8Array, offset: number, length: number): number {
    if (this.#block === undefined || this.#blockUsed + length > this.#block.length) {
      const larger = this.#block === undefined ? FIRST_BLOCK : 2 * this.#block.length;
      this.#block = new Uint8Array(Math.max(length, Math.min(larger, LARGEST_BLOCK)));
      this.#blockUsed = 0;
    }
    const at = this.#blockUsed;
    this.#block.set(buffer.subarray(offset, offset + length), at);
    this.#blockUsed += length;
    return at;
  }
}

const EMPTY = new Uint8Array(0);
