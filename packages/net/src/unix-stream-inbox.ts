// Where the bytes of Unix streams arrive that take descriptors. The same slab and the same rounds as
// for all streams (stream-inbox.ts), by a call that brings the descriptors too.
import { FDS_LOST, MAX_FDS, native } from './native.js';
import { OwnedFd } from './owned-fd.js';
import { READ_SIZE, READERS, StreamInbox, type StreamReader } from './stream-inbox.js';

/** A stream that takes descriptors. */
export interface FdReader extends StreamReader {
  /** These came with the bytes that `received` is about to be told of. Calls no listener. */
  carried(fds: OwnedFd[], lost: boolean): void;
}

/** Room for some streams' full messages: few are that full. */
const ARRIVED = 4 * MAX_FDS;

export class UnixStreamInbox extends StreamInbox {
  readonly #passed = new Int32Array(READERS);
  readonly #arrived = new Int32Array(ARRIVED);

  protected override fill(
    first: number,
    fds: Int32Array,
    asked: number,
    slab: Uint8Array,
    results: Int32Array,
  ): number {
    const passed = this.#passed;
    const count = native.readFds(fds, asked, READ_SIZE, slab, results, passed, this.#arrived);
    let next = 0;
    for (let i = 0; i < count; i++) {
      const word = passed[i] as number;
      if (word === 0) continue;
      const end = next + (word % FDS_LOST);
      const carried = Array.from(this.#arrived.subarray(next, end), (fd) => new OwnedFd(fd));
      next = end;
      (this.readers[first + i] as FdReader).carried(carried, word >= FDS_LOST);
    }
    return count;
  }
}
