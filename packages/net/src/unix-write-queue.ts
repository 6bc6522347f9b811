// What a Unix stream has still to write, descriptors included. They go with the first byte of their
// data: the queue tells how far an ordinary write may go (`barrier`), and what stands there.
import { closeFds } from './owned-fd.js';
import { WriteQueue } from './write-queue.js';

interface Mark {
  /** How many bytes are written before it, counted from the first ever. */
  readonly at: number;
  /** How many bytes their message has: a read ends behind it, so no others join it. */
  readonly length: number;
  readonly fds: Int32Array;
}

/** What a descriptor counts toward the high-water mark: 64 of them fill the usual one. */
const FD_WEIGHT = 1_024;

export class UnixWriteQueue extends WriteQueue {
  #marks: Mark[] = [];
  #written = 0;
  #fds = 0;

  /** How many descriptors wait. */
  get fds(): number {
    return this.#fds;
  }

  override get weight(): number {
    return this.bytes + FD_WEIGHT * this.#fds;
  }

  override get barrier(): number {
    const mark = this.#marks[0];
    return mark === undefined ? Number.POSITIVE_INFINITY : mark.at - this.#written;
  }

  /** What stands at the barrier. */
  get passing(): { readonly fds: Int32Array; readonly length: number } | undefined {
    return this.#marks[0];
  }

  /** Descriptors, the queue's to close, go with the bytes from `ahead` to the queue's end. */
  mark(ahead: number, fds: Int32Array): void {
    this.#marks.push({ at: this.#written + ahead, length: this.bytes - ahead, fds });
    this.#fds += fds.length;
  }

  /** What stood at the barrier is sent. */
  passed(): void {
    const mark = this.#marks.shift();
    if (mark === undefined) return;
    this.#fds -= mark.fds.length;
    closeFds(mark.fds);
  }

  override shift(bytes: number): void {
    this.#written += bytes;
    super.shift(bytes);
  }

  override clear(): void {
    for (const { fds } of this.#marks) closeFds(fds);
    this.#marks = [];
    this.#fds = 0;
    super.clear();
  }
}
