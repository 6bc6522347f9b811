// The streams that have something to write: one native call writes for all of them, gathering the
// chunks of each.
import { MAX_CHUNKS, native } from './native.js';
import type { WriteQueue } from './write-queue.js';

/** A stream as the outbox sees it. None of these calls a listener. */
export interface StreamWriter {
  readonly fd: number;
  readonly queue: WriteQueue;
  /** Of `offered` bytes so many were taken, or none: a negative errno. */
  wrote(result: number, offered: number): void;
  /** A chunk of the queue was transferred to another thread. */
  spoiled(): void;
}

const SEGMENT_WORDS = 4;

export class StreamOutbox {
  readonly #segments = new Int32Array(MAX_CHUNKS * SEGMENT_WORDS);
  readonly #results = new Int32Array(MAX_CHUNKS);
  readonly #pending = new Set<StreamWriter>();

  add(writer: StreamWriter): void {
    this.#pending.add(writer);
  }

  remove(writer: StreamWriter): void {
    this.#pending.delete(writer);
  }

  /** Writes for every stream that was added, until its queue is empty or it takes no more. */
  flush(): void {
    while (this.#pending.size > 0) this.#flushSome();
  }

  #flushSome(): void {
    const chunks: Uint8Array[] = [];
    const writers: StreamWriter[] = [];
    const offers: number[] = [];
    for (const writer of this.#pending) {
      if (chunks.length === MAX_CHUNKS) break;
      this.#pending.delete(writer);
      const offered = this.#offer(writer, chunks);
      if (offered === 0) continue;
      writers.push(writer);
      offers.push(offered);
    }
    if (writers.length === 0) return;
    const answer = native.write(this.#segments, chunks.length, chunks, this.#results);
    for (let i = 0; i < writers.length; i++) {
      const writer = writers[i] as StreamWriter;
      const offered = offers[i] as number;
      const result = answer < 0 ? answer : (this.#results[i] as number);
      writer.wrote(result, offered);
      // All was taken, and it was not all there is.
      if (result === offered && writer.queue.bytes > 0) this.#pending.add(writer);
    }
  }

  /** Lays out a stream's chunks, as far as there is room, and returns how many bytes they are. */
  #offer(writer: StreamWriter, chunks: Uint8Array[]): number {
    const { queue } = writer;
    const room = Math.min(queue.chunks, MAX_CHUNKS - chunks.length);
    let offered = 0;
    for (let i = 0; i < room; i++) {
      const data = queue.data(i);
      if (data === undefined) {
        chunks.length -= i;
        writer.spoiled();
        return 0;
      }
      const length = queue.length(i);
      // A result counts in 32 bits.
      if (offered + length > 0x7fff_ffff) break;
      const word = chunks.length * SEGMENT_WORDS;
      this.#segments[word] = writer.fd;
      this.#segments[word + 1] = chunks.length;
      this.#segments[word + 2] = queue.offset(i);
      this.#segments[word + 3] = length;
      chunks.push(data);
      offered += length;
      // The rest of it comes first in the next call.
      if (queue.offset(i) + length < data.length) break;
    }
    return offered;
  }
}
