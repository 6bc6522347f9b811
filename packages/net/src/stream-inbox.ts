// Where bytes of streams arrive: one slab for all streams of a reactor. What a read wrote is valid
// until the next one.
import { native } from './native.js';

/** Bytes of one read. */
export const READ_SIZE = 65_536;

export class StreamInbox {
  readonly slab: Buffer = Buffer.allocUnsafeSlow(READ_SIZE);
  readonly #fds = new Int32Array(1);
  readonly #results = new Int32Array(2);

  /** Reads from one stream: how many bytes, 0 at its end, or a negative errno. */
  read(fd: number): number {
    this.#fds[0] = fd;
    const count = native.read(this.#fds, 1, READ_SIZE, this.slab, this.#results);
    return count < 0 ? count : (this.#results[1] as number);
  }

  /** A copy of the first `length` bytes of the last read, the receiver's own. */
  copy(length: number): Buffer {
    const data = Buffer.allocUnsafe(length);
    this.slab.copy(data, 0, 0, length);
    return data;
  }
}
