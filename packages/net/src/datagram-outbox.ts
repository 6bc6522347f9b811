// Where datagrams wait for the end of a callback: one native call sends those of all sockets of a
// reactor.
//
// The bytes are copied into the arena, one buffer that native code reads, so the caller may use its
// own again at once. The arena's first part is the slab that datagrams are received into
// (datagram-inbox.ts): what was received in this batch is sent back, or passed on, from where it
// lies. It lies there until the next receive, and before that everything is sent.
import type { Addressed } from './endpoint.js';
import { EndpointTable } from './endpoint-table.js';
import { EAGAIN, native } from './native.js';
import { makeArena } from './slabs.js';

/** A socket as the outbox sees it. None of these calls a listener. */
export interface DatagramSender {
  readonly fd: number;
  /** It found its socket full and has not been told since that there is room. */
  readonly full: boolean;
  /** Equal datagrams to one peer, shorter than this, may go to the system as one (UDP_SEGMENT). */
  readonly joinsBelow: number;
  /** The socket is full: takes over a datagram, to try it again later. */
  keep(data: Uint8Array, peer: Addressed | undefined, local: Addressed | undefined): void;
  /** A datagram was refused for good. */
  refused(errno: number, peer: Addressed | undefined): void;
  /** The system does not take several of this length as one; they were sent one by one. */
  refusedToJoin(errno: number, length: number): void;
}

/** Datagrams of one native call to receive. */
export const RECORDS = 64;
/**
 * Room for one: a UDP payload is at most 65,527 bytes (IPv6). Not a power of two, so that the heads
 * of many small datagrams do not fall on one set of the processor's cache. That they lie on as many
 * pages costs nothing that could be measured beside the system's share.
 */
export const DATAGRAM_ROOM: number = 65_536 + 64;
const RECEIVE_ROOM = RECORDS * DATAGRAM_ROOM;
const JOBS = 256;
/** For as many as fill an Ethernet frame, each. */
const SEND_ROOM = JOBS * 1536;
const JOB_WORDS = 6;
const NOBODY = -1;
const JOINS = 1;

export class DatagramOutbox {
  readonly arena: Buffer = makeArena(RECEIVE_ROOM + SEND_ROOM);
  /** First the senders of what is received, then the addresses it was sent to. */
  readonly endpoints: EndpointTable = new EndpointTable(2 * RECORDS, 2 * JOBS);
  readonly #jobs = new Int32Array(JOBS * JOB_WORDS);
  readonly #results = new Int32Array(JOBS);
  readonly #senders: (DatagramSender | undefined)[] = [];
  readonly #peers: (Addressed | undefined)[] = [];
  readonly #locals: (Addressed | undefined)[] = [];
  #count = 0;
  #used = RECEIVE_ROOM;
  #joins = false;

  constructor() {
    for (let i = 0; i < JOBS; i++) {
      this.#senders.push(undefined);
      this.#peers.push(undefined);
      this.#locals.push(undefined);
    }
  }

  /**
   * Queues a datagram of `length` bytes (at most 65,535), for `peer` or where the socket is
   * connected, sent from `local` or the address that the system chooses.
   */
  push(
    sender: DatagramSender,
    data: string | Uint8Array,
    offset: number,
    length: number,
    peer: Addressed | undefined,
    local: Addressed | undefined,
  ): void {
    const copied = data !== this.arena;
    if (this.#count === JOBS || (copied && this.#used + length > this.arena.length)) {
      this.flush();
      // Those before it could not be sent; it must not overtake them.
      if (sender.full) {
        sender.keep(copyOf(data, offset, length), peer, local);
        return;
      }
    }
    const at = copied ? this.#used : offset;
    if (!copied) {
      this.#add(sender, at, length, peer, local);
      return;
    }
    // The copy first: memory that another thread has as well may be longer by now, and not fit.
    if (typeof data === 'string') this.arena.write(data, at);
    else if (length === data.length) this.arena.set(data, at);
    else this.arena.set(data.subarray(offset, offset + length), at);
    this.#add(sender, at, length, peer, local);
    this.#used += length;
  }

  /**
   * The same for a buffer that is sent as datagrams of `size` bytes, the last may be shorter. Returns
   * how many bytes were queued: not all, if the socket turned out to be full.
   */
  pushSegments(
    sender: DatagramSender,
    data: Uint8Array,
    size: number,
    peer: Addressed | undefined,
    local: Addressed | undefined,
  ): number {
    let from = 0;
    while (from < data.length) {
      const left = data.length - from;
      if (this.#count === JOBS || this.#used + Math.min(size, left) > this.arena.length) {
        this.flush();
        if (sender.full) break;
      }
      const room = this.arena.length - this.#used;
      const most = Math.min(JOBS - this.#count, Math.floor(room / size)) * size;
      // What is left may be less than one.
      const bytes = Math.min(left, most === 0 ? left : most);
      this.arena.set(data.subarray(from, from + bytes), this.#used);
      const end = this.#used + bytes;
      for (let at = this.#used; at < end; at += size) {
        this.#add(sender, at, Math.min(size, end - at), peer, local);
      }
      this.#used = end;
      from += bytes;
    }
    return from;
  }

  #add(
    sender: DatagramSender,
    offset: number,
    length: number,
    peer: Addressed | undefined,
    local: Addressed | undefined,
  ): void {
    const at = this.#count++;
    const word = at * JOB_WORDS;
    const jobs = this.#jobs;
    jobs[word] = sender.fd;
    jobs[word + 1] = offset;
    jobs[word + 2] = length;
    jobs[word + 3] = peer === undefined ? NOBODY : this.endpoints.refer(peer);
    jobs[word + 4] = length < sender.joinsBelow ? JOINS : 0;
    jobs[word + 5] = local === undefined ? NOBODY : this.endpoints.refer(local);
    this.#senders[at] = sender;
    this.#peers[at] = peer;
    this.#locals[at] = local;
    if (length < sender.joinsBelow) this.#joins = true;
  }

  /** Sends everything; what a full socket does not take goes back to its sender. */
  flush(): void {
    const count = this.#count;
    if (count === 0) return;
    const results = this.#results;
    this.#count = 0;
    this.#used = RECEIVE_ROOM;
    this.endpoints.nextRound();
    const answer = native.send(this.#jobs, count, this.arena, this.endpoints.slots, results);
    for (let i = 0; i < count; i++) {
      const result = answer < 0 ? answer : (results[i] as number);
      if (result < 0) this.#returnTo(i, result);
    }
    if (this.#joins) this.#tellOfJoins(count);
    // They are not kept alive by this.
    for (let i = 0; i < count; i++) this.#senders[i] = undefined;
  }

  /** Forgets everything. */
  discard(): void {
    for (let i = 0; i < this.#count; i++) this.#senders[i] = undefined;
    this.#count = 0;
    this.#used = RECEIVE_ROOM;
    this.#joins = false;
    this.endpoints.nextRound();
  }

  #returnTo(i: number, errno: number): void {
    const sender = this.#senders[i] as DatagramSender;
    const peer = this.#peers[i];
    if (errno !== EAGAIN) {
      sender.refused(errno, peer);
      return;
    }
    const offset = this.#jobs[i * JOB_WORDS + 1] as number;
    const length = this.#jobs[i * JOB_WORDS + 2] as number;
    sender.keep(copyOf(this.arena, offset, length), peer, this.#locals[i]);
  }

  /** Where the system refused to take several as one, native code has left its reason. */
  #tellOfJoins(count: number): void {
    this.#joins = false;
    for (let i = 0; i < count; i++) {
      const errno = this.#jobs[i * JOB_WORDS + 4] as number;
      const length = this.#jobs[i * JOB_WORDS + 2] as number;
      if (errno < 0) this.#senders[i]?.refusedToJoin(errno, length);
    }
  }
}

/** Part of a buffer, or a text, as bytes of their own. */
export function copyOf(data: string | Uint8Array, offset: number, length: number): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data);
  return new Uint8Array(data.subarray(offset, offset + length));
}
