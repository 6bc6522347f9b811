// A Unix socket for datagrams on a reactor: what datagram-socket.ts says, and what is its own. Nothing
// is lost on the way and nothing overtakes, so a receiver that is late holds its senders up; what
// waits for it is in unix-datagram-queue.ts.
import { Interest, invalidType, outOfRange, type Reactor, systemError } from '@pollux/core';
import type { DatagramInbox, DatagramInfo } from './datagram-inbox.js';
import type { DatagramEvents } from './datagram-options.js';
import { copyOf } from './datagram-outbox.js';
import type { DatagramQueue } from './datagram-queue.js';
import { DatagramSocket } from './datagram-socket.js';
import { orClose } from './descriptor.js';
import type { Addressed } from './endpoint.js';
import { Exchange } from './exchange.js';
import { DATAGRAM, EMFILE, native, SLOT_SIZE } from './native.js';
import { checkDescriptors, type Descriptor, duplicateFds } from './owned-fd.js';
import {
  autobindAddress,
  decodePath,
  EncodedPath,
  encodePath,
  nameOf,
  toEncodedPath,
  type UnixAddress,
  where,
} from './unix-address.js';
import { type FdDatagramReader, type Parcel, UnixDatagramInfo } from './unix-datagram-inbox.js';
import {
  checkUnixDatagramOptions,
  type UnixBindOptions,
  type UnixDatagramConnectOptions,
  type UnixDatagramOptions,
} from './unix-datagram-options.js';
import { UnixDatagramQueue } from './unix-datagram-queue.js';
import { adoptUnix, openUnix, pairUnix } from './unix-descriptor.js';
import { bindPath, type SocketFile } from './unix-file.js';
import { checkBoolean, checkData, checkInteger, checkSlice } from './validate.js';

export type UnixDatagramEvents = DatagramEvents<UnixAddress>;

/** What the shared slab has room for. The system may take less: a socket's send buffer (EMSGSIZE). */
const MAX_PAYLOAD = 65_536;

export class UnixDatagramSocket extends DatagramSocket<UnixAddress> implements FdDatagramReader {
  /** The remote of a connected socket. */
  readonly remote: UnixAddress | undefined;
  /** @internal */
  readonly takesFds: boolean;
  readonly #connected: boolean;
  readonly #file: SocketFile | undefined;
  #local: EncodedPath | undefined;
  /** Descriptors of datagrams that are handed out later, to listeners. */
  readonly #waiting: Set<Parcel> = new Set();
  #keeping = false;

  /**
   * A socket that receives at a name. Throws what the system refuses (EADDRINUSE, EACCES, ENOENT),
   * with the path as `address`. Its file is removed when it closes, if it is still its own.
   */
  static override bind(reactor: Reactor, options: UnixBindOptions = {}): UnixDatagramSocket {
    checkUnixDatagramOptions(reactor, options);
    const { path, mode, unlink } = options;
    if (mode !== undefined) checkInteger('options.mode', mode, 0, 0o777);
    checkBoolean('options.unlink', unlink);
    const address =
      path === undefined ? autobindAddress('options.path') : encodePath('options.path', path);
    return make(reactor, options, (fd) => ({
      file: bindPath(fd, DATAGRAM, address, { mode, unlink }),
    }));
  }

  /** A socket without a name: it sends to anybody, and nobody can answer. */
  static open(reactor: Reactor, options: UnixDatagramOptions = {}): UnixDatagramSocket {
    checkUnixDatagramOptions(reactor, options);
    return make(reactor, options, () => ({}));
  }

  /**
   * A socket that talks to one other only. Throws what the system refuses: ENOENT, ECONNREFUSED for a
   * path where nobody receives.
   */
  static connect(reactor: Reactor, options: UnixDatagramConnectOptions): UnixDatagramSocket {
    checkUnixDatagramOptions(reactor, options);
    const { path, localPath, autobind } = options;
    checkBoolean('options.autobind', autobind);
    const remote = encodePath('options.path', path);
    let local: EncodedPath | undefined;
    if (localPath !== undefined) local = encodePath('options.localPath', localPath);
    else if (autobind === true) local = autobindAddress('options.autobind');
    return make(reactor, options, (fd) => {
      const file = local && bindPath(fd, DATAGRAM, local, {});
      const result = native.connect(fd, EncodedPath.slotOf(remote), 0);
      if (result < 0) {
        file?.remove();
        throw systemError(result, 'connect', where(remote));
      }
      return { file, remote };
    });
  }

  /** Two sockets that are connected with each other (socketpair(2)). */
  static pair(
    reactor: Reactor,
    options: UnixDatagramOptions = {},
  ): [UnixDatagramSocket, UnixDatagramSocket] {
    checkUnixDatagramOptions(reactor, options);
    const [first, second] = pairUnix(DATAGRAM);
    const remote = nameOf(native.peerAddress, first);
    return orClose(second, () => {
      const one = orClose(first, () => new UnixDatagramSocket(reactor, first, options, { remote }));
      try {
        return [one, new UnixDatagramSocket(reactor, second, options, { remote })];
      } catch (error) {
        one.abandon();
        throw error;
      }
    });
  }

  /**
   * A socket that somebody else has opened. Its descriptor is duplicated, so close yours when it is
   * no longer needed; both are nonblocking from here on. No file is removed.
   */
  static adopt(
    reactor: Reactor,
    fd: Descriptor,
    options: UnixDatagramOptions = {},
  ): UnixDatagramSocket {
    checkUnixDatagramOptions(reactor, options);
    const ours = adoptUnix('fd', fd, DATAGRAM, false);
    const slot = new Uint8Array(SLOT_SIZE);
    const remote = native.peerAddress(ours, slot, 0) < 0 ? undefined : decodePath(slot, 0);
    return orClose(ours, () => new UnixDatagramSocket(reactor, ours, options, { remote }));
  }

  /** @internal Made by the above. */
  constructor(reactor: Reactor, fd: number, options: UnixDatagramOptions, made: Made) {
    super(Exchange.of(reactor), fd, 'POLLUXUNIXDATAGRAM', options);
    this.remote = made.remote;
    this.#connected = made.remote !== undefined;
    this.#file = made.file;
    this.takesFds = options.receiveFds ?? false;
    this.begin(Interest.readable);
  }

  /** Its own name, `''` if it has none. */
  address(): UnixAddress {
    this.assertOpen();
    this.#local ??= nameOf(native.localAddress, this.fd);
    return this.#local;
  }

  /**
   * Sends a datagram, at most 65,536 bytes: to a peer (as a listener gets it, a path, or any
   * `{ path }`), or to where the socket is connected. The data is copied: its buffer may be used
   * again.
   *
   * One that its receiver has no room for waits, in order, and holds up none for others. Returns
   * false if as much waits as may (`maxQueuedBytes`): the datagram is dropped then, and `'drain'`
   * tells when all that waits is sent. A refusal comes as `'error'` with the path as `address`:
   * ENOENT and ECONNREFUSED where nobody receives, EMSGSIZE.
   */
  send(data: string | Uint8Array, peer?: string | Uint8Array | UnixAddress): boolean {
    this.assertOpen();
    const length = checkData('data', data);
    checkLength('data', length);
    return this.post(data, 0, length, this.#peerOf(peer), undefined);
  }

  /**
   * Sends part of a buffer, also of what a `receive` callback was given: that is sent from where it
   * lies. Otherwise as `send`. `offset` and `length` in bytes.
   */
  sendSlice(
    buffer: Uint8Array,
    offset: number,
    length: number,
    peer?: string | Uint8Array | UnixAddress,
  ): boolean {
    this.assertOpen();
    checkSlice(buffer, offset, length);
    checkLength('length', length);
    return this.post(buffer, offset, length, this.#peerOf(peer), undefined);
  }

  /**
   * Sends a datagram, which may be empty, with 1 to 253 descriptors. They are duplicated now, so
   * yours may be closed at once. Otherwise as `send`; a descriptor that waits counts as 1,024 bytes.
   * Throws EBADF for a descriptor that is closed, and EMFILE.
   */
  sendFds(
    data: string | Uint8Array,
    fds: readonly Descriptor[],
    peer?: string | Uint8Array | UnixAddress,
  ): boolean {
    this.assertOpen();
    const length = checkData('data', data);
    checkLength('data', length);
    const theirs = checkDescriptors('fds', fds);
    const to = this.#peerOf(peer);
    const queue = this.#unixQueue;
    if (queue.isFull(to) && !queue.hasRoom(length, theirs.length)) return this.refuse();
    const copies = duplicateFds(theirs);
    this.exchange.flushDatagrams(); // those before it
    queue.add(copyOf(data, 0, length), to, copies);
    this.sendOn();
    return true;
  }

  override ref(): this {
    this.#unixQueue.setRef(true);
    return super.ref();
  }

  override unref(): this {
    this.#unixQueue.setRef(false);
    return super.unref();
  }

  // Receiving.

  /** @internal */
  protected override get inbox(): DatagramInbox {
    return this.exchange.unixDatagramInbox;
  }

  /** @internal */
  protected override senderOf(record: number): UnixAddress | undefined {
    const peer = this.inbox.peer(record, decodePath);
    return peer instanceof EncodedPath ? peer : undefined;
  }

  /** @internal */
  receiving(): void {
    // What came before is handed out by now: what nobody took of it is closed.
    if (!this.reads) return;
    for (const parcel of this.#waiting) parcel.close();
    this.#waiting.clear();
  }

  /** @internal */
  override received(record: number, offset: number, length: number): void {
    const parcel = this.exchange.unixDatagramInbox.takeParcel(record);
    if (parcel === undefined) super.received(record, offset, length);
    else this.#withParcel(parcel, () => super.received(record, offset, this.#unlessLost(length)));
  }

  /** @internal */
  override keep(record: number, offset: number, length: number): void {
    const parcel = this.exchange.unixDatagramInbox.takeParcel(record);
    this.#keeping = true;
    // None, or it is in hand already.
    if (parcel === undefined) super.keep(record, offset, length);
    else this.#withParcel(parcel, () => super.keep(record, offset, this.#unlessLost(length)));
    this.#keeping = false;
  }

  /** @internal */
  protected override infoOf(info: DatagramInfo): DatagramInfo | undefined {
    const { parcel } = this.exchange.unixDatagramInbox;
    if (parcel === undefined) return super.infoOf(info);
    const made = new UnixDatagramInfo(info.truncated, parcel);
    parcel.waits = this.#keeping || this.loops;
    if (this.loops) unasked.register(made, parcel);
    else if (parcel.waits) this.#waiting.add(parcel);
    return made;
  }

  #withParcel(parcel: Parcel, step: () => void): void {
    const inbox = this.exchange.unixDatagramInbox;
    inbox.parcel = parcel;
    try {
      step();
    } finally {
      inbox.parcel = undefined;
      if (!parcel.waits) parcel.close();
    }
  }

  /** A datagram that lost descriptors on its way is none: an error takes its place. */
  #unlessLost(length: number): number {
    return this.exchange.unixDatagramInbox.parcel?.lost === true ? EMFILE : length;
  }

  // Sending.

  get #unixQueue(): UnixDatagramQueue {
    return this.queue as UnixDatagramQueue; // made below
  }

  /** @internal */
  protected override makeQueue(
    ...args: ConstructorParameters<typeof DatagramQueue>
  ): UnixDatagramQueue {
    return new UnixDatagramQueue(this.exchange.reactor, () => this.sendOn(), ...args);
  }

  /** @internal */
  protected override whereTo(peer: Addressed | undefined): object {
    return where(peer instanceof EncodedPath ? peer : (this.remote ?? { path: '' }));
  }

  /** @internal The file first: who finds it is not refused by a socket that is just gone. */
  protected override closeDescriptor(): boolean {
    if (!this.closed) this.#file?.remove();
    if (!super.closeDescriptor()) return false;
    for (const parcel of this.#waiting) parcel.close();
    this.#waiting.clear();
    return true;
  }

  /** Undefined: where the socket is connected. */
  #peerOf(to: unknown): EncodedPath | undefined {
    if (!this.#connected) {
      if (to !== undefined) return toEncodedPath('peer', to);
      throw invalidType('peer', 'given, for the socket is not connected', to);
    }
    if (to === undefined) return undefined;
    throw invalidType('peer', 'left out, for the socket is connected', to);
  }
}

/**
 * A loop may take its time to ask for descriptors, also after the socket is closed: until nobody can
 * ask any more.
 */
const unasked = new FinalizationRegistry((parcel: Parcel) => parcel.close());

interface Made {
  readonly file?: SocketFile | undefined;
  readonly remote?: EncodedPath | undefined;
}

function make(
  reactor: Reactor,
  options: UnixDatagramOptions,
  attach: (fd: number) => Made,
): UnixDatagramSocket {
  const fd = openUnix(DATAGRAM);
  return orClose(fd, () => {
    const made = attach(fd);
    try {
      return new UnixDatagramSocket(reactor, fd, options, made);
    } catch (error) {
      made.file?.remove();
      throw error;
    }
  });
}

function checkLength(name: string, length: number): void {
  if (length > MAX_PAYLOAD) throw outOfRange(name, `at most ${MAX_PAYLOAD} bytes`, length);
}
