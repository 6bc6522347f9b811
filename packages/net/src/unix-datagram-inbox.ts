// Where the datagrams of Unix sockets arrive. The same slab and the same rounds as for UDP
// (datagram-inbox.ts), by a call that brings descriptors to those who take them, and has the kernel
// drop everybody else's.
import {
  DatagramInbox,
  type DatagramInfo,
  type DatagramReader,
  PER_SOCKET,
} from './datagram-inbox.js';
import { DATAGRAM_ROOM, RECORDS } from './datagram-outbox.js';
import { FDS_LOST, MAX_FDS, native } from './native.js';
import { OwnedFd } from './owned-fd.js';

/** A socket that may take descriptors. */
export interface FdDatagramReader extends DatagramReader {
  readonly takesFds: boolean;
  /** More was received, maybe with descriptors. */
  receiving(): void;
}

/** The descriptors of one datagram, until somebody takes them. */
export class Parcel {
  readonly #fds: OwnedFd[];
  /** Some could not be taken over. */
  readonly lost: boolean;
  /** Its datagram is handed out later. */
  waits = false;
  #taken = false;

  constructor(fds: OwnedFd[], lost: boolean) {
    this.#fds = fds;
    this.lost = lost;
  }

  take(): OwnedFd[] {
    this.#taken = true;
    return this.#fds;
  }

  /** Closes what nobody has taken. */
  close(): void {
    if (this.#taken) return;
    for (const fd of this.#fds) fd.close();
  }
}

/** Room for some full messages: few are that full, and the rest stays with the kernel. */
const ARRIVED = 4 * MAX_FDS;
/** A descriptor that nobody has. */
const NOBODY = 0x7fff_ffff;

export class UnixDatagramInbox extends DatagramInbox {
  /** Of the datagram in hand. */
  parcel: Parcel | undefined;
  override readonly info: DatagramInfo = new CurrentUnixInfo(this);
  /** By record. */
  readonly #parcels = new Map<number, Parcel>();
  readonly #passed = new Int32Array(RECORDS);
  readonly #arrived = new Int32Array(ARRIVED);

  /** The parcel of a record, whose owner the caller is now. */
  takeParcel(record: number): Parcel | undefined {
    if (this.#parcels.size === 0) return undefined;
    const parcel = this.#parcels.get(record);
    this.#parcels.delete(record);
    return parcel;
  }

  protected override fill(
    first: number,
    fds: Int32Array,
    asked: number,
    slab: Uint8Array,
    records: Int32Array,
    peers: Uint8Array,
  ): number {
    for (let i = 0; i < asked; i++) {
      const reader = this.readers[first + i] as FdDatagramReader;
      const fd = reader.fd;
      // Closed since it was found ready: not -1, which is the complement of 0.
      if (fd < 0) fds[i] = NOBODY;
      if (fd < 0 || !reader.takesFds) continue;
      reader.receiving();
      fds[i] = ~fd;
    }
    const count = native.receiveFds(
      fds,
      asked,
      PER_SOCKET,
      slab,
      DATAGRAM_ROOM,
      records,
      peers,
      this.#passed,
      this.#arrived,
    );
    let next = 0;
    for (let i = 0; i < count; i++) {
      const word = this.#passed[i] as number;
      if (word === 0) continue;
      const end = next + (word % FDS_LOST);
      const carried = Array.from(this.#arrived.subarray(next, end), (fd) => new OwnedFd(fd));
      next = end;
      this.#parcels.set(i, new Parcel(carried, word >= FDS_LOST));
    }
    return count;
  }
}

/** Of the datagram that is being handed out. */
class CurrentUnixInfo implements DatagramInfo {
  static {
    // As it is printed.
    Object.defineProperty(CurrentUnixInfo, 'name', { value: 'DatagramInfo' });
  }

  readonly localAddress: undefined = undefined;
  readonly interfaceIndex: number = 0;
  readonly #inbox: UnixDatagramInbox;

  constructor(inbox: UnixDatagramInbox) {
    this.#inbox = inbox;
  }

  get truncated(): boolean {
    return this.#inbox.truncated;
  }

  get fds(): OwnedFd[] | undefined {
    return this.#inbox.parcel?.take();
  }
}

/** Of a datagram that somebody keeps. */
export class UnixDatagramInfo implements DatagramInfo {
  static {
    Object.defineProperty(UnixDatagramInfo, 'name', { value: 'DatagramInfo' });
  }

  readonly truncated: boolean;
  readonly localAddress: undefined = undefined;
  readonly interfaceIndex: number = 0;
  readonly #parcel: Parcel;

  constructor(truncated: boolean, parcel: Parcel) {
    this.truncated = truncated;
    this.#parcel = parcel;
  }

  get fds(): OwnedFd[] {
    return this.#parcel.take();
  }
}
