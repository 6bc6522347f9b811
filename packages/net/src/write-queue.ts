// What a stream has still to write: chunks in order, the first of them perhaps begun. Chunks are
// kept, not copied.

/** No segment is longer, since native code counts in 32 bits. */
const MAX_SEGMENT = 1 << 30;

interface Chunk {
  data: Uint8Array;
  /** As it was when it was queued: a transferred buffer has none. */
  length: number;
}

export class WriteQueue {
  #chunks: Chunk[] = [];
  #head = 0;
  #offset = 0;
  #bytes = 0;

  /** How many bytes wait. */
  get bytes(): number {
    return this.#bytes;
  }

  get chunks(): number {
    return this.#chunks.length - this.#head;
  }

  push(data: Uint8Array): void {
    this.#chunks.push({ data, length: data.length });
    this.#bytes += data.length;
  }

  /** The i-th chunk that waits; undefined if it was transferred to another thread meanwhile. */
  data(i: number): Uint8Array | undefined {
    const chunk = this.#chunks[this.#head + i] as Chunk;
    return chunk.data.length === chunk.length ? chunk.data : undefined;
  }

  /** Where the rest of the i-th chunk begins. */
  offset(i: number): number {
    return i === 0 ? this.#offset : 0;
  }

  /** How much of it to write in one go. */
  length(i: number): number {
    const chunk = this.#chunks[this.#head + i] as Chunk;
    return Math.min(chunk.length - this.offset(i), MAX_SEGMENT);
  }

  /** The first `bytes` bytes are written. */
  shift(bytes: number): void {
    this.#bytes -= bytes;
    let left = bytes + this.#offset;
    for (;;) {
      const chunk = this.#chunks[this.#head];
      if (chunk === undefined || left < chunk.length) break;
      left -= chunk.length;
      this.#head++;
    }
    this.#offset = left;
    if (left >= MAX_SEGMENT) {
      // Offsets too are 32 bits in native code.
      const chunk = this.#chunks[this.#head] as Chunk;
      const data = chunk.data.subarray(left);
      this.#chunks[this.#head] = { data, length: data.length };
      this.#offset = 0;
    }
    // Written chunks go at once when all are written, else when they are the most of the array.
    if (this.#head > 64 || this.#head === this.#chunks.length) {
      this.#chunks.splice(0, this.#head);
      this.#head = 0;
    }
  }

  clear(): void {
    this.#chunks = [];
    this.#head = this.#offset = this.#bytes = 0;
  }
}
