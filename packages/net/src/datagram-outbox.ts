// Where datagrams wait for the end of a callback: one native call sends those of all sockets of a
// reactor.
//
// The bytes are copied into the arena, one buffer that native code reads, so the caller may use its
// own again at once. The arena's first part is the slab that datagrams are received into
// (datagram-inbox.ts): what was received in this batch is sent back, or passed on, from where it
// lies. It lies there until the next receive, and before that everything is sent.
//
// Equal datagrams of one socket to one peer may go as one, a train that the kernel cuts (UDP_SEGMENT,
// Linux 4.18). They are copied side by side, and the job of the first grows. What the kernel does not
// take as one is sent one by one.
import type { Addressed } from './endpoint.js';
import { EndpointTable } from './endpoint-table.js';
import { EAGAIN, EINVAL, EIO, EMSGSIZE, ENOPROTOOPT, EOPNOTSUPP, native } from './native.js';
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
/** At least one datagram; little enough to stay in the processor's cache. */
const SEND_ROOM = 256 << 10;
const END = RECEIVE_ROOM + SEND_ROOM;
const JOB_WORDS = 6;
const NOBODY = -1;
/** Datagrams of one train: UDP_MAX_SEGMENTS, 64 at first, 128 since Linux 6.9. */
const MANY_SEGMENTS = 128;
const SEGMENTS = 64;
/** A train is no longer than a datagram may be, which IPv4 says (udp(7)). */
const MAX_TRAIN = 65_507;
/**
 * Why several datagrams are not taken as one, when each alone may be: no checksum offload (EIO),
 * too many or longer than the path takes (EINVAL, EMSGSIZE since 6.14), no UDP_SEGMENT.
 */
const REFUSALS_TO_JOIN: ReadonlySet<number> = new Set([
  EIO,
  EINVAL,
  EMSGSIZE,
  ENOPROTOOPT,
  EOPNOTSUPP,
]);

export class DatagramOutbox {
  readonly arena: Buffer = makeArena(END);
  /** First the senders of what is received, then the addresses it was sent to. */
  readonly endpoints: EndpointTable = new EndpointTable(2 * RECORDS, 2 * JOBS);
  readonly #jobs = new Int32Array(JOBS * JOB_WORDS);
  readonly #results = new Int32Array(JOBS);
  readonly #senders: (DatagramSender | undefined)[] = [];
  readonly #peers: (Addressed | undefined)[] = [];
  readonly #locals: (Addressed | undefined)[] = [];
  #count = 0;
  #used = RECEIVE_ROOM;
  /** The size of the datagrams that the last job may take more of, 0 for none; and up to how many bytes. */
  #segment = 0;
  #most = 0;
  #segments = MANY_SEGMENTS;

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
    const joins = length < sender.joinsBelow && length > 0;
    if (joins && this.#mayGrow(sender, length, peer, local)) {
      this.#copy(data, offset, length);
      this.#grow(length);
      return;
    }
    const copied = joins || data !== this.arena;
    // Trains are begun where there is room for all of one.
    const room = joins ? this.#mostOf(length) : copied ? length : 0;
    if (this.#count === JOBS || this.#used + room > END) {
      this.flush();
      // Those before it could not be sent; it must not overtake them.
      if (sender.full) {
        sender.keep(copyOf(data, offset, length), peer, local);
        return;
      }
    }
    if (!copied) {
      this.#add(sender, offset, length, peer, local);
      return;
    }
    const at = this.#used;
    this.#copy(data, offset, length);
    this.#add(sender, at, length, peer, local);
    if (joins) {
      this.#segment = length;
      this.#most = this.#mostOf(length);
    }
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
    const joins = size < sender.joinsBelow;
    let from = 0;
    while (from < data.length) {
      const left = data.length - from;
      const bytes = Math.min(left, joins ? this.#mostOf(size) : size);
      if (this.#count === JOBS || this.#used + bytes > END) {
        this.flush();
        if (sender.full) break;
      }
      this.arena.set(data.subarray(from, from + bytes), this.#used);
      this.#add(sender, this.#used, bytes, peer, local, bytes > size ? size : 0);
      this.#used += bytes;
      from += bytes;
    }
    return from;
  }

  /** First of all: memory that another thread has as well may be longer by now, and not fit. */
  #copy(data: string | Uint8Array, offset: number, length: number): void {
    const at = this.#used;
    if (typeof data === 'string') this.arena.write(data, at);
    else if (data === this.arena) this.arena.copyWithin(at, offset, offset + length);
    else if (length === data.length) this.arena.set(data, at);
    else this.arena.set(data.subarray(offset, offset + length), at);
    this.#used += length;
  }

  /** Bytes of the longest train of datagrams of this size. */
  #mostOf(size: number): number {
    return size * Math.min(this.#segments, Math.floor(MAX_TRAIN / size));
  }

  /** Whether the last job may take one more. */
  #mayGrow(
    sender: DatagramSender,
    length: number,
    peer: Addressed | undefined,
    local: Addressed | undefined,
  ): boolean {
    if (length > this.#segment) return false;
    const at = this.#count - 1;
    return (
      (this.#jobs[at * JOB_WORDS + 2] as number) + length <= this.#most &&
      this.#senders[at] === sender &&
      this.#peers[at] === peer &&
      this.#locals[at] === local
    );
  }

  #grow(length: number): void {
    const segment = this.#segment;
    const word = (this.#count - 1) * JOB_WORDS;
    this.#jobs[word + 2] = (this.#jobs[word + 2] as number) + length;
    this.#jobs[word + 4] = segment;
    if (length < segment) this.#segment = 0; // the last one
  }

  #add(
    sender: DatagramSender,
    offset: number,
    length: number,
    peer: Addressed | undefined,
    local: Addressed | undefined,
    segment = 0,
  ): void {
    const at = this.#count++;
    const word = at * JOB_WORDS;
    const jobs = this.#jobs;
    jobs[word] = sender.fd;
    jobs[word + 1] = offset;
    jobs[word + 2] = length;
    jobs[word + 3] = peer === undefined ? NOBODY : this.endpoints.refer(peer);
    jobs[word + 4] = segment;
    jobs[word + 5] = local === undefined ? NOBODY : this.endpoints.refer(local);
    this.#senders[at] = sender;
    this.#peers[at] = peer;
    this.#locals[at] = local;
    this.#segment = 0;
  }

  /** Sends everything; what a full socket does not take goes back to its sender. */
  flush(): void {
    const count = this.#count;
    if (count === 0) return;
    this.#forget();
    for (let first = 0; first < count; ) {
      const end = this.#send(first, count);
      for (let i = first; i < end; i++) {
        const result = this.#results[i] as number;
        if (result < 0) this.#returnTo(i, result);
      }
      first = end;
    }
    // They are not kept alive by this.
    for (let i = 0; i < count; i++) this.#senders[i] = undefined;
  }

  /** Forgets everything. */
  discard(): void {
    for (let i = 0; i < this.#count; i++) this.#senders[i] = undefined;
    this.#forget();
  }

  #forget(): void {
    this.#count = 0;
    this.#used = RECEIVE_ROOM;
    this.#segment = 0;
    this.endpoints.nextRound();
  }

  #send(first: number, end: number): number {
    const { arena, endpoints } = this;
    const answer = native.send(this.#jobs, first, end, arena, endpoints.slots, this.#results);
    if (answer >= 0) return answer;
    this.#results.fill(answer, first, end);
    return end;
  }

  #returnTo(i: number, errno: number): void {
    const sender = this.#senders[i] as DatagramSender;
    const jobs = this.#jobs;
    const word = i * JOB_WORDS;
    const length = jobs[word + 2] as number;
    const segment = (jobs[word + 4] as number) || length;
    if (errno === EAGAIN) {
      const offset = jobs[word + 1] as number;
      const end = offset + length;
      let at = offset;
      do {
        const size = Math.min(segment, end - at);
        sender.keep(copyOf(this.arena, at, size), this.#peers[i], this.#locals[i]);
        at += size;
      } while (at < end);
    } else if (segment === length) sender.refused(errno, this.#peers[i]);
    else this.#sendApart(i, errno, segment);
  }

  /** A train was refused: sends what it was made of, in its place, as far as the socket has room. */
  #sendApart(i: number, errno: number, segment: number): void {
    const sender = this.#senders[i] as DatagramSender;
    const jobs = this.#jobs;
    const word = i * JOB_WORDS;
    let at = jobs[word + 1] as number;
    let size = jobs[word + 2] as number;
    const end = at + size;
    let most = size;
    let refusal = 0;
    for (let result = errno; ; result = this.#results[i] as number) {
      if (result >= 0) {
        // That one is taken alone shows that it was the joining.
        if (refusal !== 0 && size <= segment) {
          sender.refusedToJoin(refusal, segment);
          refusal = 0;
        }
        at += size;
      } else if (result === EAGAIN) {
        jobs[word + 2] = end - at;
        jobs[word + 4] = segment;
        this.#returnTo(i, EAGAIN);
        return;
      } else if (size <= segment || !REFUSALS_TO_JOIN.has(result)) {
        // Of the first of them; an error that was pending, say.
        sender.refused(result, this.#peers[i]);
        at += segment;
      } else if (result === EINVAL && size > SEGMENTS * segment) {
        // Too many for this kernel; if it was something else, that will show.
        this.#segments = SEGMENTS;
        most = SEGMENTS * segment;
      } else {
        refusal = result;
        most = segment;
      }
      if (at >= end) return;
      size = Math.min(most, end - at);
      jobs[word + 1] = at;
      jobs[word + 2] = size;
      jobs[word + 4] = size > segment ? segment : 0;
      this.#send(i, i + 1);
    }
  }
}

/** Part of a buffer, or a text, as bytes of their own. */
export function copyOf(data: string | Uint8Array, offset: number, length: number): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data);
  return new Uint8Array(data.subarray(offset, offset + length));
}
