// The streams that have something to write: one native call writes for many of them, gathering the
// pieces of each.
//
// Small pieces are copied into the arena, one buffer that native code reads without asking for each
// piece's own. Its first part is the slab that streams are read into (stream-inbox.ts): what was
// received in this batch may be sent back, or passed on, from where it lies.
import { empty } from './empty.js';
import { MAX_CHUNKS, native } from './native.js';
import { liesInSlab, makeArena } from './slabs.js';
import type { WriteQueue } from './write-queue.js';

/** A stream as the outbox sees it. None of these calls a listener. */
export interface StreamWriter {
  readonly fd: number;
  readonly queue: WriteQueue;
  /** Whether it is in the outbox; the outbox's own. */
  pending: boolean;
  /** Whether what it has is to wait. */
  readonly corked: boolean;
  /** Of `offered` bytes so many were taken, or none: a negative errno. */
  wrote(result: number, offered: number): void;
  /** A buffer of the queue was transferred to another thread. */
  spoiled(): void;
  /** The queue's barrier is 0: writes what no gathered write can. False: not now, or never. */
  pass(): boolean;
}

/** Bytes that streams are read into in one go, and bytes that may be queued for one flush. */
export const RECEIVE_ROOM = 262_144;
const SEND_ROOM = 262_144;
/** Larger ones are not worth a copy. */
const LARGEST_COPY = 4_096;
const SEGMENT_WORDS = 4;
const IN_ARENA = -1;

export class StreamOutbox {
  readonly arena: Buffer = makeArena(RECEIVE_ROOM + SEND_ROOM);
  #used = RECEIVE_ROOM;
  readonly #segments = new Int32Array(MAX_CHUNKS * SEGMENT_WORDS);
  readonly #results = new Int32Array(MAX_CHUNKS);
  #pending: StreamWriter[] = [];
  // Of one native call.
  #chunks: Uint8Array[] = [];
  readonly #writers: StreamWriter[] = [];
  readonly #offers: number[] = [];
  #count = 0;

  /** To be called before each flush of a queue that got something. */
  add(writer: StreamWriter): void {
    if (writer.pending) return;
    writer.pending = true;
    this.#pending.push(writer);
  }

  /** Whether a buffer is the arena, or a view of it. */
  #owns(buffer: Uint8Array): boolean {
    return buffer.buffer === this.arena.buffer;
  }

  /** Queues bytes for a stream that takes some: it is flushed before the arena is used anew. */
  push(queue: WriteQueue, buffer: Uint8Array, offset: number, length: number): void {
    const at = this.#used;
    const copies = length <= LARGEST_COPY && at + length <= this.arena.length;
    if (buffer === this.arena) {
      queue.push(buffer, offset, length);
    } else if (!copies) {
      // A view of the slab has to be known as such: it is good for this batch only.
      if (this.#owns(buffer)) queue.push(this.arena, buffer.byteOffset + offset, length);
      // So is one of another slab, of datagrams or of another reactor, which nobody rescues.
      else if (liesInSlab(buffer)) queue.append(buffer, offset, length);
      else queue.push(buffer, offset, length);
    } else {
      if (offset === 0 && length === buffer.length) this.arena.set(buffer, at);
      else this.arena.set(buffer.subarray(offset, offset + length), at);
      this.#used = at + length;
      queue.push(this.arena, at, length);
    }
  }

  /** The same for text. */
  pushText(queue: WriteQueue, text: string): void {
    const at = this.#used;
    // A UTF-16 unit makes at most three bytes.
    if (3 * text.length > LARGEST_COPY || at + 3 * text.length > this.arena.length) {
      const data = Buffer.from(text);
      queue.push(data, 0, data.length);
      return;
    }
    const length = this.arena.write(text, at);
    this.#used = at + length;
    queue.push(this.arena, at, length);
  }

  /** Writes for every stream that was added, until its queue is empty or it takes no more. */
  flush(): void {
    let from = 0;
    while (from < this.#pending.length) from = this.#flushSome(from);
    empty(this.#pending);
    this.#used = RECEIVE_ROOM;
  }

  /** From the pending stream at `from` on, as many as fit one call; returns where it stopped. */
  #flushSome(from: number): number {
    const pending = this.#pending;
    const writers = this.#writers;
    this.#count = 0;
    let next = from;
    while (next < pending.length && this.#count < MAX_CHUNKS) {
      const writer = pending[next++] as StreamWriter;
      writer.pending = false;
      if (writer.fd < 0) continue;
      if (writer.corked) {
        writer.queue.rescue(this.arena);
        continue;
      }
      if (!this.#passBarrier(writer)) continue;
      const offered = this.#offer(writer);
      if (offered === 0) continue;
      this.#offers[writers.length] = offered;
      writers.push(writer);
    }
    if (writers.length > 0) this.#write();
    empty(writers);
    if (this.#chunks.length > 0) this.#chunks = [];
    return next;
  }

  #passBarrier(writer: StreamWriter): boolean {
    while (writer.queue.barrier === 0) {
      if (writer.pass()) continue;
      writer.queue.rescue(this.arena);
      return false;
    }
    return true;
  }

  #write(): void {
    const writers = this.#writers;
    const results = this.#results;
    const { arena } = this;
    const answer = native.write(this.#segments, this.#count, arena, this.#chunks, results);
    for (let i = 0; i < writers.length; i++) {
      const writer = writers[i] as StreamWriter;
      const offered = this.#offers[i] as number;
      const result = answer < 0 ? answer : (results[i] as number);
      writer.wrote(result, offered);
      if (writer.queue.bytes === 0) continue;
      // All was taken, and it was not all there is: later in this flush. Else it has to wait.
      if (result === offered) this.add(writer);
      else writer.queue.rescue(arena);
    }
  }

  /** Lays out a stream's pieces, as far as there is room, and returns how many bytes they are. */
  #offer(writer: StreamWriter): number {
    const { queue } = writer;
    const segments = this.#segments;
    const chunks = this.#chunks;
    const room = Math.min(queue.pieces, MAX_CHUNKS - this.#count);
    const first = this.#count;
    const { barrier } = queue;
    let offered = 0;
    for (let i = 0; i < room; i++) {
      const buffer = queue.buffer(i);
      if (buffer === undefined) {
        this.#count = first;
        writer.spoiled();
        return 0;
      }
      const length = Math.min(queue.length(i), barrier - offered);
      if (length === 0) break;
      // A result counts in 32 bits.
      if (offered + length > 0x7fff_ffff) break;
      const word = this.#count++ * SEGMENT_WORDS;
      segments[word] = writer.fd;
      segments[word + 1] = buffer === this.arena ? IN_ARENA : chunks.push(buffer) - 1;
      segments[word + 2] = queue.offset(i);
      segments[word + 3] = length;
      offered += length;
    }
    return offered;
  }
}
