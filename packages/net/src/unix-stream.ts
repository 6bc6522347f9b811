// A Unix connection on a reactor: what stream.ts says, and what is its own: names, the credentials of
// the peer, and descriptors that are passed along.
//
// The kernel gives descriptors with the first byte of the data they were sent with, and ends a read
// behind that data's message. Bytes written before may come in the same read. So what a receiver can
// be told is: these came no later than with these bytes; and that is what `'fds'` says.
import { checkSignal, invalidValue, type Reactor, systemError } from '@pollux/core';
import type { Attempt } from './attempt.js';
import { Connector } from './connector.js';
import { Exchange } from './exchange.js';
import { EAGAIN, EMFILE, ENOBUFS, native, STREAM } from './native.js';
import {
  checkDescriptors,
  closeFds,
  type Descriptor,
  duplicateFds,
  type OwnedFd,
} from './owned-fd.js';
import { Stream } from './stream.js';
import type { StreamInbox } from './stream-inbox.js';
import {
  type AbortOptions,
  checkConnectTiming,
  checkStreamOptions,
  type StreamEvents,
  type StreamOptions,
} from './stream-options.js';
import { EncodedPath, encodePath, nameOf, where } from './unix-address.js';
import { adoptUnix, openUnix, pairUnix } from './unix-descriptor.js';
import type { FdReader } from './unix-stream-inbox.js';
import { UnixWriteQueue } from './unix-write-queue.js';
import { checkData, checkReactor } from './validate.js';

export interface UnixConnectOptions extends StreamOptions, AbortOptions {
  /**
   * Where to connect to, text or bytes: a path of at most 107 bytes, or on Linux an abstract name,
   * with a leading NUL.
   */
  path: string | Uint8Array;
  /** Milliseconds until it fails with ETIMEDOUT while the listener's backlog is full; 10,000. */
  connectTimeoutMs?: number;
}

export interface UnixStreamEvents extends StreamEvents {
  /**
   * Descriptors came with the bytes that the next `'data'`, or call of `receive`, brings; or, where
   * their message's first byte was not the first of a read, with some byte of it. They are the
   * listener's to close. Without a listener the system drops them.
   */
  fds: [fds: OwnedFd[]];
}

/** The process at the other end, as the system saw it when it connected, or began to listen. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** Descriptors that may wait in one stream. */
const MOST_QUEUED_FDS = 1_012;
/** How long the listener's backlog may be full. */
const CONNECT_TIMEOUT_MS = 10_000;
const CONNECTED = new Uint8Array(0);

export class UnixStream extends Stream<UnixStreamEvents> implements FdReader {
  /** @internal */
  override readonly queue: UnixWriteQueue = new UnixWriteQueue();
  #remote: EncodedPath | undefined;
  #local: EncodedPath | undefined;
  #credentials: PeerCredentials | undefined;
  /** Came with bytes that are not handed out yet. */
  #arrived: OwnedFd[] = [];
  #lost = false;

  /**
   * Starts a connection: `'connect'`, or `'error'` (ENOENT, ECONNREFUSED, EACCES) and `'close'`, in a
   * later call. What is written before waits. A listener whose backlog is full is tried again.
   */
  static connect(reactor: Reactor, options: UnixConnectOptions): UnixStream {
    checkReactor(reactor);
    checkStreamOptions(options);
    checkConnectTiming(options);
    const { connectTimeoutMs, signal } = options;
    const remote = encodePath('options.path', options.path);
    checkSignal(signal);
    const stream = new UnixStream(Exchange.of(reactor), -1, options, remote, signal);
    stream.#connect(remote, connectTimeoutMs ?? CONNECT_TIMEOUT_MS);
    return stream;
  }

  /** Two streams that are connected with each other (socketpair(2)). */
  static pair(reactor: Reactor, options: StreamOptions = {}): [UnixStream, UnixStream] {
    checkReactor(reactor);
    checkStreamOptions(options);
    const [first, second] = pairUnix(STREAM);
    const exchange = Exchange.of(reactor);
    return [new UnixStream(exchange, first, options), new UnixStream(exchange, second, options)];
  }

  /**
   * A stream on a connected Unix socket that somebody else has opened. Its descriptor is duplicated,
   * so close yours when it is no longer needed; both are nonblocking from here on.
   */
  static adopt(reactor: Reactor, fd: Descriptor, options: StreamOptions = {}): UnixStream {
    checkReactor(reactor);
    checkStreamOptions(options);
    return new UnixStream(Exchange.of(reactor), adoptUnix('fd', fd, STREAM, false), options);
  }

  /** @internal Made by the above and by a listener. */
  constructor(
    exchange: Exchange,
    fd: number,
    options: StreamOptions,
    remote?: EncodedPath,
    signal?: AbortSignal,
  ) {
    super(exchange, fd, 'POLLUXUNIX', options, signal);
    this.#remote = remote;
  }

  /** The name of the other end, `''` if it has none, as those who connect have not. */
  get remotePath(): string {
    if (this.#remote === undefined && this.fd >= 0) {
      this.#remote = nameOf(native.peerAddress, this.fd);
    }
    return this.#remote?.path ?? '';
  }

  /** The name of this end, `''` if it has none. */
  get localPath(): string {
    if (this.#local === undefined && this.fd >= 0 && !this.connecting) {
      this.#local = nameOf(native.localAddress, this.fd);
    }
    return this.#local?.path ?? '';
  }

  /**
   * Who is at the other end (SO_PEERCRED). Undefined while it connects, where the system does not
   * tell, and once the stream is closed, unless it was asked for before.
   */
  get peerCredentials(): PeerCredentials | undefined {
    if (this.#credentials === undefined && this.fd >= 0 && !this.connecting) {
      const out = new Int32Array(3);
      if (native.peerCredentials(this.fd, out) < 0) return undefined;
      const [pid = 0, uid = 0, gid = 0] = out;
      this.#credentials = { pid, uid: uid >>> 0, gid: gid >>> 0 };
    }
    return this.#credentials;
  }

  /** How many descriptors wait to be sent. */
  get queuedFds(): number {
    return this.queue.fds;
  }

  /**
   * Queues bytes, at least one, and 1 to 253 descriptors that go with the first of them; in order
   * with all that is written. They are duplicated now, so yours may be closed at once. Returns what
   * `write` does; a descriptor that waits counts as 1,024 bytes.
   *
   * Throws EBADF for a descriptor that is closed, EMFILE if there is none left for a duplicate, and
   * ENOBUFS if more than 1,012 would wait.
   */
  sendFds(data: string | Uint8Array, fds: readonly Descriptor[]): boolean {
    if (checkData('data', data) === 0) {
      throw invalidValue('data', 'at least one byte, with which the descriptors go', data);
    }
    const theirs = checkDescriptors('fds', fds);
    const { queue } = this;
    if (queue.fds + theirs.length > MOST_QUEUED_FDS) {
      throw systemError(ENOBUFS, 'sendmsg', where(this.#remote ?? { path: '' }));
    }
    const copies = duplicateFds(theirs);
    const ahead = queue.bytes;
    let queued = false;
    try {
      this.write(data);
      queued = queue.bytes > ahead; // not if the stream is closed
    } finally {
      if (queued) queue.mark(ahead, copies);
      else closeFds(copies);
    }
    return queued && this.roomLeft();
  }

  /**
   * connect(2) answers at once: made, or refused. Only where the listener's backlog is full, a
   * nonblocking one is told EAGAIN, and the descriptor does not become ready when there is room.
   */
  #connect(remote: EncodedPath, connectTimeoutMs: number): void {
    const target = {
      slot: EncodedPath.slotOf(remote),
      where: where(remote),
      busy: EAGAIN,
      open: () => openUnix(STREAM),
    };
    const events = {
      connected: (attempt: Attempt): void => {
        this.takeOver(attempt);
        this.connected();
      },
      failed: (error: Error): void => this.fail(error),
    };
    this.connectBy(new Connector(this.exchange, [target], { connectTimeoutMs }, events));
  }

  /** @internal */
  protected whereTo(): object {
    return where(this.#remote ?? { path: '' });
  }

  /** @internal */
  protected override closeDescriptor(): boolean {
    if (!super.closeDescriptor()) return false;
    for (const fd of this.#arrived) fd.close();
    this.#arrived = [];
    return true;
  }

  // Descriptors that arrive.

  /** @internal */
  protected override get inbox(): StreamInbox {
    return this.hears('fds') ? this.exchange.unixStreamInbox : this.exchange.streamInbox;
  }

  /** @internal */
  carried(fds: OwnedFd[], lost: boolean): void {
    this.#lost ||= lost;
    this.#arrived.push(...fds);
  }

  /** @internal */
  override received(offset: number, length: number): void {
    if (this.#lost) this.#failLost();
    else super.received(offset, length);
  }

  /** @internal */
  override keep(offset: number, length: number): void {
    if (this.#lost) this.#failLost();
    else super.keep(offset, length);
  }

  /** The protocol counts on them: what follows would be misunderstood. */
  #failLost(): void {
    this.#lost = false;
    this.fail(this.brokenBy(EMFILE, 'recvmsg'));
  }

  /** @internal A listener that throws does not keep the bytes from theirs. */
  protected override arriving(): boolean {
    const fds = this.#arrived;
    if (fds.length === 0) return true;
    this.#arrived = [];
    if (!this.hears('fds')) {
      for (const fd of fds) fd.close(); // the listener has gone since they were received
      return true;
    }
    let told = false;
    this.exchange.drive(() => {
      if (told) return false;
      told = true;
      this.announce('fds', fds);
      return true;
    });
    return this.reads && !this.exchange.halted;
  }

  // Descriptors that leave.

  /** @internal */
  override pass(): boolean {
    const { queue } = this;
    const passing = queue.passing;
    if (passing === undefined) return true;
    const buffer = queue.buffer(0);
    if (buffer === undefined) {
      this.spoiled();
      return false;
    }
    const { fds } = passing;
    const offered = Math.min(queue.length(0), passing.length);
    const offset = queue.offset(0);
    const sent = native.sendFds(this.fd, buffer, offset, offered, fds, fds.length, CONNECTED);
    if (sent > 0) queue.passed();
    // ENOBUFS: too many are on their way. It is tried again.
    this.wrote(sent, offered);
    return sent === offered;
  }
}
