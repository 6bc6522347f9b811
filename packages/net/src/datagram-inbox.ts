// Where datagrams arrive: one slab for all sockets of a reactor. What a receive wrote is valid until
// the next one, so a listener that keeps data needs a copy.
import { systemError } from '@pollux/core';
import { type EncodedEndpoint, EndpointCache } from './endpoint.js';
import { native, SLOT_SIZE } from './native.js';

/** Datagrams of one system call. */
export const RECEIVE_BATCH = 32;
/**
 * Room for one: a UDP payload is at most 65,527 bytes (IPv6). Not a power of two, so that the heads
 * of many small datagrams do not fall on one set of the processor's cache.
 */
const DATAGRAM_ROOM = 65_536 + 64;
const RECORD_WORDS = 4;

export class DatagramInbox {
  readonly slab: Buffer = Buffer.allocUnsafeSlow(RECEIVE_BATCH * DATAGRAM_ROOM);
  readonly #fds = new Int32Array(1);
  readonly #records = new Int32Array(RECEIVE_BATCH * RECORD_WORDS);
  readonly #peers = new Uint8Array(RECEIVE_BATCH * SLOT_SIZE);
  readonly #endpoints = new EndpointCache(this.#peers);

  /** Receives a batch from one socket and returns how many records there are. */
  receive(fd: number): number {
    this.#fds[0] = fd;
    const count = native.receive(
      this.#fds,
      1,
      RECEIVE_BATCH,
      this.slab,
      DATAGRAM_ROOM,
      this.#records,
      this.#peers,
    );
    if (count < 0) throw systemError(count, 'recvmmsg', { fd });
    return count;
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
}
