// A UDP socket on a reactor.
import { EventEmitter } from 'node:events';
import {
  Interest,
  invalidType,
  outOfRange,
  PolluxError,
  type Reactor,
  type SystemError,
  systemError,
  type Watcher,
} from '@pollux/core';
import { RECEIVE_BATCH } from './datagram-inbox.js';
import { DatagramQueue } from './datagram-queue.js';
import {
  checkFamily,
  decodeSlot,
  EncodedEndpoint,
  type Endpoint,
  encodeEndpoint,
  toEncoded,
} from './endpoint.js';
import { Exchange } from './exchange.js';
import { DATAGRAM, native, SocketOption } from './native.js';
import { localEndpoint, type OptionSetting, openSocket, orClose, useEndpoint } from './socket.js';
import {
  checkBoolean,
  checkData,
  checkInteger,
  checkOptions,
  checkPort,
  checkReactor,
} from './validate.js';

export interface UdpOptions {
  /** The local address: `'0.0.0.0'` (every IPv4 address) if left out. No names, no resolving. */
  address?: string;
  /** The local port; 0, the default, lets the system choose. */
  port?: number;
  /** SO_REUSEADDR: several sockets may share the port, if all ask for it. */
  reuseAddress?: boolean;
  /** SO_REUSEPORT: likewise, and the system spreads what comes over them (Linux 3.9). */
  reusePort?: boolean;
  /** IPV6_V6ONLY: whether a socket on `'::'` leaves IPv4 alone; the system's default if left out. */
  ipv6Only?: boolean;
  /** SO_BROADCAST: permits sending to a broadcast address. */
  broadcast?: boolean;
  /** SO_RCVBUF: how much the system keeps for a receiver that is late; it drops the rest. */
  receiveBufferSize?: number;
  /** SO_SNDBUF. */
  sendBufferSize?: number;
  /** How many bytes may wait in a socket that the system finds full; 1 MiB if left out. */
  maxQueuedBytes?: number;
}

export interface UdpConnectOptions extends Omit<UdpOptions, 'address' | 'port'> {
  /** Where to send, and from whom alone to receive. */
  address: string;
  port: number;
  /** Bind to this address, port or both first. */
  localAddress?: string;
  localPort?: number;
}

export interface UdpSocketEvents {
  /** A datagram came. `data` is the listener's own. Without a listener, datagrams are dropped. */
  message: [data: Buffer, peer: Endpoint];
  /** A datagram was refused, or a network error arrived. The socket stays open. */
  error: [error: SystemError];
  /** After a `send` returned false: everything that waited is sent. */
  drain: [];
  close: [];
}

// What fits an IP packet beside its own header (20 bytes, IPv4 only) and UDP's (8).
const MAX_PAYLOAD = { IPv4: 65_507, IPv6: 65_527 };
const MAX_QUEUED_BYTES = 1 << 20;
const MAX_BUFFER_SIZE = 0x7fff_ffff;
/** System calls of one callback; a socket that has more is called again, after its neighbours. */
const MAX_BATCHES = 4;
/** Callbacks in which `finish` takes what still comes; from then on nothing does. */
const OPEN_ROUNDS = 8;

export class UdpSocket extends EventEmitter<UdpSocketEvents> {
  /** The remote endpoint of a connected socket. */
  readonly remote: Endpoint | undefined;
  readonly #exchange: Exchange;
  readonly #fd: number;
  readonly #watcher: Watcher;
  readonly #queue: DatagramQueue;
  readonly #family: 'IPv4' | 'IPv6';
  #local: Endpoint | undefined;
  #dropped = false;
  /** Callbacks since `finish`; undefined before. */
  #finishing: number | undefined;
  /** Received, and not handed out yet: a listener of one before them threw. */
  #held = 0;
  #closed = false;

  /**
   * Opens a socket for anybody's datagrams. Throws what the system refuses (EADDRINUSE, EACCES,
   * EADDRNOTAVAIL), with `syscall`, `address` and `port`.
   */
  static override bind(reactor: Reactor, options: UdpOptions = {}): UdpSocket {
    checkReactor(reactor);
    checkOptions('options', options);
    const { address = '0.0.0.0', port = 0 } = options;
    checkPort('options.port', port, 0);
    const local = encodeEndpoint('options.address', address, port);
    return UdpSocket.#open(reactor, options, local.family, (fd) => {
      useEndpoint(native.bind, 'bind', fd, local);
      return undefined;
    });
  }

  /**
   * Opens a socket that talks to one endpoint only: `send(data)` needs no address, what others send
   * is not received, and a port where nobody listens is told by an ECONNREFUSED in `'error'`.
   */
  static connect(reactor: Reactor, options: UdpConnectOptions): UdpSocket {
    checkReactor(reactor);
    checkOptions('options', options);
    const { address, port, localPort = 0 } = options;
    checkPort('options.port', port, 1);
    checkPort('options.localPort', localPort, 0);
    const remote = encodeEndpoint('options.address', address, port);
    const any = remote.family === 'IPv6' ? '::' : '0.0.0.0';
    const local = encodeEndpoint('options.localAddress', options.localAddress ?? any, localPort);
    checkFamily('options.localAddress', local, remote.family);
    return UdpSocket.#open(reactor, options, remote.family, (fd) => {
      if (options.localAddress !== undefined || localPort !== 0) {
        useEndpoint(native.bind, 'bind', fd, local);
      }
      useEndpoint(native.connect, 'connect', fd, remote);
      return remote;
    });
  }

  static #open(
    reactor: Reactor,
    options: UdpOptions | UdpConnectOptions,
    family: 'IPv4' | 'IPv6',
    attach: (fd: number) => EncodedEndpoint | undefined,
  ): UdpSocket {
    checkBoolean('options.reuseAddress', options.reuseAddress);
    checkBoolean('options.reusePort', options.reusePort);
    checkBoolean('options.ipv6Only', options.ipv6Only);
    checkBoolean('options.broadcast', options.broadcast);
    for (const name of ['receiveBufferSize', 'sendBufferSize', 'maxQueuedBytes'] as const) {
      if (options[name] === undefined) continue;
      checkInteger(`options.${name}`, options[name], 0, MAX_BUFFER_SIZE);
    }
    const settings: OptionSetting[] = [
      [SocketOption.reuseAddress, options.reuseAddress],
      [SocketOption.reusePort, options.reusePort],
      [SocketOption.ipv6Only, family === 'IPv6' ? options.ipv6Only : undefined],
      [SocketOption.broadcast, options.broadcast],
      [SocketOption.receiveBufferSize, options.receiveBufferSize],
      [SocketOption.sendBufferSize, options.sendBufferSize],
    ];
    const fd = openSocket(family, DATAGRAM, settings);
    return orClose(fd, () => {
      const remote = attach(fd);
      const limit = options.maxQueuedBytes ?? MAX_QUEUED_BYTES;
      return new UdpSocket(reactor, fd, family, remote, limit);
    });
  }

  private constructor(
    reactor: Reactor,
    fd: number,
    family: 'IPv4' | 'IPv6',
    remote: EncodedEndpoint | undefined,
    limit: number,
  ) {
    super();
    this.remote = remote;
    this.#exchange = Exchange.of(reactor);
    this.#fd = fd;
    this.#family = family;
    this.#queue = new DatagramQueue(
      fd,
      limit,
      () => this.#awaitRoom(),
      (errno, peer) => this.#refused(errno, peer),
    );
    this.#watcher = reactor.watch(fd, Interest.readable, (events) =>
      this.#exchange.run(() => this.#onReady(events)),
    );
  }

  /** True once `close` was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Bytes, and some for each datagram, that wait because the system finds the socket full. */
  get queuedBytes(): number {
    return this.#queue.bytes;
  }

  /** The local endpoint, with the port that the system chose. */
  address(): Endpoint {
    this.#assertOpen();
    this.#local ??= localEndpoint(this.#fd);
    return this.#local;
  }

  /**
   * Sends a datagram: to a peer (as a listener gets it, or any `{ address, port }`), to a port and an
   * address, or to where the socket is connected. The data is copied: its buffer may be used again.
   *
   * Returns false if the socket is full and as much waits as may: the datagram is dropped then, as a
   * network would. A refusal of the system comes as `'error'`; a port where nobody listens is told
   * to connected sockets only, in place of some later datagram.
   */
  send(data: string | Uint8Array): boolean;
  send(data: string | Uint8Array, peer: Pick<Endpoint, 'address' | 'port'>): boolean;
  send(data: string | Uint8Array, port: number, address: string): boolean;
  send(
    data: string | Uint8Array,
    to?: number | Pick<Endpoint, 'address' | 'port'>,
    address?: string,
  ): boolean {
    this.#assertOpen();
    const length = checkData('data', data);
    if (length > MAX_PAYLOAD[this.#family]) {
      throw outOfRange('data', `at most ${MAX_PAYLOAD[this.#family]} bytes`, length);
    }
    const peer = this.#slotFor(to, address);
    const exchange = this.#exchange;
    if (this.#queue.full) {
      if (!this.#queue.hasRoom(length)) {
        this.#dropped = true;
        return false;
      }
      this.#queue.keep(typeof data === 'string' ? Buffer.from(data) : new Uint8Array(data), peer);
      return true;
    }
    exchange.schedule();
    exchange.datagramOutbox.push(this.#queue, data, length, peer);
    return true;
  }

  /** Sends what was queued, drops what the system does not take at once, and closes. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#exchange.flushDatagrams();
    this.#closed = true;
    this.#queue.clear();
    this.#watcher.close();
    native.close(this.#fd);
    this.#exchange.later(() => this.emit('close'));
  }

  /**
   * Closes without losing a datagram that the system has for us: they are handed out, what the
   * listeners answer at once is sent, then it closes. Idempotent; keeps the process alive meanwhile.
   */
  finish(): void {
    if (!this.#listens() || this.#finishing !== undefined) return;
    this.#finishing = 0;
    this.#exchange.later(() => this.#finish());
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** The socket keeps the process alive again; so it does at first. */
  ref(): this {
    this.#watcher.ref();
    return this;
  }

  /** The socket no longer keeps the process alive. */
  unref(): this {
    this.#watcher.unref();
    return this;
  }

  hasRef(): boolean {
    return this.#watcher.hasRef();
  }

  #assertOpen(): void {
    if (this.#closed) throw new PolluxError('ERR_POLLUX_CLOSED', 'The socket is closed');
  }

  #slotFor(to: unknown, address: unknown): Uint8Array | undefined {
    if (to === undefined) {
      if (this.remote !== undefined) return undefined;
      throw invalidType('peer', 'given, for the socket is not connected', to);
    }
    if (this.remote !== undefined) {
      throw invalidType('peer', 'left out, for the socket is connected', to);
    }
    if (typeof to === 'number') checkPort('port', to, 1);
    const peer =
      typeof to === 'number' ? encodeEndpoint('address', address, to) : toEncoded('peer', to);
    const name = typeof to === 'number' ? 'address' : 'peer.address';
    checkFamily(name, peer, this.#family);
    return EncodedEndpoint.slotOf(peer);
  }

  #onReady(events: number): void {
    if ((events & Interest.writable) !== 0) this.#resume();
    if ((events & Interest.readable) !== 0) this.#receive();
  }

  #finish(empty = false): void {
    // A full socket goes on when it has room.
    if (!this.#listens() || this.#queue.full) return;
    if (empty && this.#held === 0) {
      this.close();
      return;
    }
    // Else a flood would keep it for ever.
    if (this.#finishing === OPEN_ROUNDS) native.stopInput(this.#fd);
    this.#finishing = (this.#finishing ?? 0) + 1;
    let received = false;
    try {
      received = this.#receive();
    } finally {
      // What was answered is sent before that.
      this.#exchange.later(() => this.#finish(received));
    }
  }

  /** Whether there is nothing left to receive. */
  #receive(): boolean {
    const inbox = this.#exchange.datagramInbox;
    for (let batch = 0; batch < MAX_BATCHES && this.#listens(); batch++) {
      const count = inbox.receive(this.#fd);
      let next = 0;
      try {
        while (next < count && this.#listens()) this.#deliver(next++);
      } catch (error) {
        this.#holdRest(next, count);
        throw error;
      }
      if (count < RECEIVE_BATCH) return true;
    }
    return false;
  }

  #deliver(i: number): void {
    const inbox = this.#exchange.datagramInbox;
    const length = inbox.length(i);
    if (length < 0) {
      this.#fail(systemError(length, 'recvmmsg', this.#whereTo(this.remote)));
      return;
    }
    if (this.listenerCount('message') === 0) return;
    const peer = inbox.peer(i) ?? this.remote;
    if (peer !== undefined) this.emit('message', inbox.copy(i), peer);
  }

  /** A listener threw: the slab will be used again before the rest of the batch is delivered. */
  #holdRest(from: number, count: number): void {
    const inbox = this.#exchange.datagramInbox;
    const held: [Buffer, Endpoint][] = [];
    for (let i = from; i < count; i++) {
      const peer = inbox.peer(i) ?? this.remote;
      if (inbox.length(i) < 0) this.#deliver(i);
      else if (peer !== undefined) held.push([inbox.copy(i), peer]);
    }
    if (held.length === 0) return;
    this.#held += held.length;
    this.#exchange.later(() =>
      this.#exchange.deliverEach(held, ([data, peer]) => {
        this.#held--;
        if (this.#listens()) this.emit('message', data, peer);
      }),
    );
  }

  /** Any callback may be the one that closes us, or the reactor: then it is the last. */
  #listens(): boolean {
    return !this.#closed && !this.#exchange.reactor.closed;
  }

  #awaitRoom(): void {
    if (!this.#watcher.closed) this.#watcher.update(Interest.readable | Interest.writable);
  }

  #resume(): void {
    this.#queue.resume(this.#exchange.datagramOutbox);
    if (this.#queue.full) return;
    this.#watcher.update(Interest.readable);
    if (this.#finishing !== undefined) this.#exchange.later(() => this.#finish());
    if (!this.#dropped) return;
    this.#dropped = false;
    this.#exchange.later(() => {
      if (!this.#closed) this.emit('drain');
    });
  }

  #refused(errno: number, peer: Uint8Array | undefined): void {
    const endpoint = peer === undefined ? this.remote : decodeSlot(peer, 0);
    this.#fail(systemError(errno, 'sendmmsg', this.#whereTo(endpoint)));
  }

  #whereTo(endpoint: Endpoint | undefined): { address?: string; port?: number } {
    return endpoint === undefined ? {} : { address: endpoint.address, port: endpoint.port };
  }

  #fail(error: SystemError): void {
    this.#exchange.later(() => {
      if (!this.#closed) this.emit('error', error);
    });
  }
}
