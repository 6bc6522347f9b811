// The datagrams of one socket that found it full. Empty almost always: it is the network card's, or
// the neighbour's, being slower than we are that fills it.
import type { DatagramOutbox, DatagramSender } from './datagram-outbox.js';
import type { Addressed } from './endpoint.js';
import { EIO } from './native.js';

interface Waiting {
  readonly data: Uint8Array;
  readonly peer: Addressed | undefined;
  readonly local: Addressed | undefined;
}

/** What a datagram counts beside its bytes: empty ones fill a queue too. */
const OVERHEAD = 64;
/** Tried at a time: few, since those that are not taken were copied for nothing. */
const RETRY_BATCH = 64;

export class DatagramQueue implements DatagramSender {
  readonly fd: number;
  joinsBelow = 0;
  readonly #limit: number;
  readonly #onFull: () => void;
  readonly #onRefused: (errno: number, peer: Addressed | undefined) => void;
  #waiting: Waiting[] = [];
  #bytes = 0;

  /** `onFull` is called when the first datagram has to wait. */
  constructor(
    fd: number,
    limit: number,
    onFull: () => void,
    onRefused: (errno: number, peer: Addressed | undefined) => void,
  ) {
    this.fd = fd;
    this.#limit = limit;
    this.#onFull = onFull;
    this.#onRefused = onRefused;
  }

  get full(): boolean {
    return this.#waiting.length > 0;
  }

  /** Whether a datagram for this peer has to wait. */
  isFull(_peer: Addressed | undefined): boolean {
    return this.full;
  }

  /** Whether the poller tells when it may go on. */
  get polled(): boolean {
    return this.full;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether a datagram of this length may still wait. */
  hasRoom(length: number): boolean {
    return this.#bytes + length + OVERHEAD <= this.#limit;
  }

  keep(data: Uint8Array, peer: Addressed | undefined, local: Addressed | undefined): void {
    this.#bytes += data.length + OVERHEAD;
    if (this.#waiting.push({ data, peer, local }) === 1) this.#onFull();
  }

  refused(errno: number, peer: Addressed | undefined): void {
    this.#onRefused(errno, peer);
  }

  refusedToJoin(errno: number, length: number): void {
    // EIO: the device cannot. Else they are too long for the path, and so are longer ones.
    this.joinsBelow = errno === EIO ? 0 : Math.min(this.joinsBelow, length);
  }

  /** The socket has room: sends in order until it is full again. */
  resume(outbox: DatagramOutbox): void {
    const waiting = this.#waiting;
    let next = 0;
    while (next < waiting.length) {
      this.#waiting = [];
      const end = Math.min(next + RETRY_BATCH, waiting.length);
      while (next < end && !this.full) {
        const { data, peer, local } = waiting[next++] as Waiting;
        this.#bytes -= data.length + OVERHEAD;
        outbox.push(this, data, 0, data.length, peer, local);
      }
      outbox.flush();
      if (this.full) break;
    }
    this.#waiting = this.#waiting.concat(waiting.slice(next));
  }

  /** What waits for where the socket is connected is for this peer. */
  address(peer: Addressed): void {
    this.#waiting = this.#waiting.map((each) => ({ ...each, peer: each.peer ?? peer }));
  }

  clear(): void {
    this.#waiting = [];
    this.#bytes = 0;
  }
}
