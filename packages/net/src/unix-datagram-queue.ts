// The datagrams of one Unix socket that wait, apart for each peer: on Unix it is the receiver that is
// full, net.unix.max_dgram_qlen datagrams (10 on many systems) it has not read, and others are not to
// wait for it.
//
// Of a socket that is connected the poller tells when its peer has room. Of others it tells nothing:
// they are writable as long as their own buffer has room (unix_dgram_poll). These try again by timer,
// first soon, then less and less often while nothing moves.
import type { Reactor } from '@pollux/core';
import { DatagramQueue } from './datagram-queue.js';
import { Addressed } from './endpoint.js';
import { EAGAIN, ENOBUFS, native } from './native.js';
import { closeFds } from './owned-fd.js';
import { Retry } from './retry.js';

interface Waiting {
  readonly data: Uint8Array;
  readonly peer: Addressed | undefined;
  readonly fds: Int32Array;
}

/** What a datagram counts beside its bytes, and each descriptor. */
const OVERHEAD = 64;
const FD_WEIGHT = 1_024;
const NO_FDS = new Int32Array(0);
const CONNECTED = new Uint8Array(0);

export class UnixDatagramQueue extends DatagramQueue {
  readonly #limit: number;
  readonly #onFull: () => void;
  #waiting = new Map<string, Waiting[]>();
  #weight = 0;
  readonly #retry: Retry;
  #refd = true;
  /** Too many descriptors are on their way: no poller tells when they are fewer. */
  #crowded = false;

  /** `sendOn` is called to try what waits again. */
  constructor(
    reactor: Reactor,
    sendOn: () => void,
    ...[fd, limit, onFull, onRefused]: ConstructorParameters<typeof DatagramQueue>
  ) {
    super(fd, limit, onFull, onRefused);
    this.#retry = new Retry(reactor, sendOn);
    this.#limit = limit;
    this.#onFull = onFull;
  }

  override get full(): boolean {
    return this.#waiting.size > 0;
  }

  override get bytes(): number {
    return this.#weight;
  }

  override isFull(peer: Addressed | undefined): boolean {
    return this.#waiting.size > 0 && this.#waiting.has(keyOf(peer));
  }

  /** Only where a socket is connected; where one address was given, none is ever left out. */
  override get polled(): boolean {
    return this.#waiting.has(keyOf(undefined)) && !this.#crowded;
  }

  override hasRoom(length: number, fds = 0): boolean {
    return this.#weight + length + OVERHEAD + FD_WEIGHT * fds <= this.#limit;
  }

  override keep(data: Uint8Array, peer: Addressed | undefined): void {
    this.add(data, peer, NO_FDS);
  }

  /** The same, with descriptors, the queue's to close. */
  add(data: Uint8Array, peer: Addressed | undefined, fds: Int32Array): void {
    const item = { data, peer, fds };
    this.#weight += weightOf(item);
    const key = keyOf(peer);
    const line = this.#waiting.get(key);
    if (line !== undefined) {
      line.push(item);
      return;
    }
    this.#waiting.set(key, [item]);
    this.#onFull();
    if (!this.polled) this.#retry.later(this.#refd);
  }

  /** Sends in order, for each peer until it is full again. */
  override resume(): void {
    let sent = 0;
    for (const [key, line] of this.#waiting) {
      let next = 0;
      while (next < line.length && this.#send(line[next] as Waiting)) next++;
      sent += next;
      if (next === line.length) this.#waiting.delete(key);
      else if (next > 0) line.splice(0, next);
    }
    if (sent > 0) this.#retry.reset();
    if (!this.full) return;
    this.#onFull(); // maybe polled, maybe not any more
    if (!this.polled) this.#retry.later(this.#refd);
  }

  override clear(): void {
    for (const line of this.#waiting.values()) for (const { fds } of line) closeFds(fds);
    this.#waiting = new Map();
    this.#weight = 0;
    this.#retry.close();
  }

  /** Whether what waits keeps the process alive. */
  setRef(refd: boolean): void {
    this.#refd = refd;
    this.#retry.setRef(refd);
  }

  /** False if it has to wait on. */
  #send(item: Waiting): boolean {
    const { data, peer, fds } = item;
    const slot = peer === undefined ? CONNECTED : Addressed.slotOf(peer);
    const result = native.sendFds(this.fd, data, 0, data.length, fds, fds.length, slot);
    this.#crowded = result === ENOBUFS;
    if (result === EAGAIN || this.#crowded) return false;
    this.#weight -= weightOf(item);
    closeFds(fds);
    if (result < 0) this.refused(result, peer);
    return true;
  }
}

function weightOf({ data, fds }: Waiting): number {
  return data.length + OVERHEAD + FD_WEIGHT * fds.length;
}

/** An address as text. Asked only while something waits. */
function keyOf(peer: Addressed | undefined): string {
  if (peer === undefined) return '';
  const { buffer, byteOffset, length } = Addressed.slotOf(peer);
  return Buffer.from(buffer, byteOffset, length).toString('latin1');
}
