// Where datagrams wait for the end of a callback: one slab for all sockets of a reactor, emptied by
// one native call. The bytes are copied in, so the caller may use its buffer again at once.
import { EAGAIN, native, SLOT_SIZE } from './native.js';

/** A socket as the outbox sees it. None of these calls a listener. */
export interface DatagramSender {
  readonly fd: number;
  /** It found its socket full and has not been told since that there is room. */
  readonly full: boolean;
  /** The socket is full: takes over a datagram, to try it again later. */
  keep(data: Uint8Array, peer: Uint8Array | undefined): void;
  /** A datagram was refused for good. */
  refused(errno: number, peer: Uint8Array | undefined): void;
}

const JOBS = 256;
const JOB_WORDS = 4;
const SLAB_SIZE = 256 * 1024;
const CONNECTED = -1;

export class DatagramOutbox {
  readonly #slab: Buffer = Buffer.allocUnsafeSlow(SLAB_SIZE);
  readonly #jobs = new Int32Array(JOBS * JOB_WORDS);
  readonly #peers = new Uint8Array(JOBS * SLOT_SIZE);
  readonly #results = new Int32Array(JOBS);
  #senders: DatagramSender[] = [];
  #used = 0;

  /** Queues a datagram of `length` bytes (at most 65,535), for `peer` or where it is connected. */
  push(
    sender: DatagramSender,
    data: string | Uint8Array,
    length: number,
    peer: Uint8Array | undefined,
  ): void {
    if (this.#senders.length === JOBS || this.#used + length > SLAB_SIZE) {
      this.flush();
      // Those before it could not be sent; it must not overtake them.
      if (sender.full) {
        sender.keep(typeof data === 'string' ? Buffer.from(data) : new Uint8Array(data), peer);
        return;
      }
    }
    const at = this.#senders.length;
    const word = at * JOB_WORDS;
    this.#jobs[word] = sender.fd;
    this.#jobs[word + 1] = this.#used;
    this.#jobs[word + 2] = length;
    this.#jobs[word + 3] = peer === undefined ? CONNECTED : at;
    if (peer !== undefined) this.#peers.set(peer, at * SLOT_SIZE);
    if (typeof data === 'string') this.#slab.write(data, this.#used);
    else this.#slab.set(data, this.#used);
    this.#used += length;
    this.#senders.push(sender);
  }

  /** Sends everything; what a full socket does not take goes back to its sender. */
  flush(): void {
    const count = this.#senders.length;
    if (count === 0) return;
    const senders = this.#senders;
    this.#senders = [];
    this.#used = 0;
    const answer = native.send(this.#jobs, count, this.#slab, this.#peers, this.#results);
    for (let i = 0; i < count; i++) {
      const result = answer < 0 ? answer : (this.#results[i] as number);
      if (result >= 0) continue;
      const sender = senders[i] as DatagramSender;
      const word = i * JOB_WORDS;
      const at = i * SLOT_SIZE;
      const peer =
        this.#jobs[word + 3] === CONNECTED ? undefined : this.#peers.slice(at, at + SLOT_SIZE);
      if (result !== EAGAIN) {
        sender.refused(result, peer);
        continue;
      }
      const from = this.#jobs[word + 1] as number;
      const to = from + (this.#jobs[word + 2] as number);
      sender.keep(new Uint8Array(this.#slab.subarray(from, to)), peer);
    }
  }
}
