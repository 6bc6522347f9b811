// A UDP socket on a reactor: what datagram-socket.ts says, and what is UDP's own.
import { Interest, invalidType, outOfRange, type Reactor, systemError } from '@pollux/core';
import type { DatagramInfo } from './datagram-inbox.js';
import type { DatagramEvents } from './datagram-options.js';
import { DatagramSocket } from './datagram-socket.js';
import {
  adoptSocket,
  localEndpoint,
  openSocket,
  orClose,
  remoteEndpoint,
  useEndpoint,
} from './descriptor.js';
import {
  type Addressed,
  checkFamily,
  decodeSlot,
  EncodedEndpoint,
  type Endpoint,
  encodeEndpoint,
  toEncoded,
} from './endpoint.js';
import { Exchange } from './exchange.js';
import { DATAGRAM, native, SocketOption } from './native.js';
import {
  applyMembership,
  applyOnce,
  applySettings,
  bindSettings,
  checkUdpOptions,
  checkUdpSettings,
  type MembershipOptions,
  type UdpBindOptions,
  type UdpCommonOptions,
  type UdpConnectOptions,
  type UdpFound,
  type UdpOptions,
  type UdpSettings,
} from './udp-options.js';
import {
  checkBytes,
  checkData,
  checkInteger,
  checkOptions,
  checkPort,
  checkReactor,
  checkSlice,
} from './validate.js';

export type UdpSocketEvents = DatagramEvents<Endpoint>;

/** A peer as a caller may give it. */
type Peer = Pick<Endpoint, 'address' | 'port'>;
type Family = 'IPv4' | 'IPv6';

// What fits an IP packet beside its own header (20 bytes, IPv4 only) and UDP's (8).
const MAX_PAYLOAD = { IPv4: 65_507, IPv6: 65_527 };

export class UdpSocket extends DatagramSocket<Endpoint> {
  readonly #family: Family;
  readonly #maxPayload: number;
  readonly #packetInfo: boolean;
  readonly #gro: boolean;
  #local: Endpoint | undefined;
  #remote: EncodedEndpoint | undefined;
  /** What it was bound to before `connect`. */
  #bound: EncodedEndpoint | undefined;

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

  /**
   * Takes a UDP socket that somebody else has opened, bound or connected as it is. The descriptor is
   * duplicated, and nonblocking from then on: each closes its own. Throws a TypeError for what is no
   * UDP socket, EBADF for what is no descriptor.
   */
  static adopt(reactor: Reactor, fd: number, options: UdpCommonOptions = {}): UdpSocket {
    checkReactor(reactor);
    checkInteger('fd', fd, 0, 0x7fff_ffff);
    checkOptions('options', options);
    for (const name of ['address', 'port', 'reuseAddress', 'reusePort', 'ipv6Only'] as const) {
      const value = (options as UdpOptions)[name];
      if (value !== undefined) throw invalidType(`options.${name}`, 'left out for an fd', value);
    }
    checkUdpOptions(options);
    const own = adoptSocket('fd', fd, 'a UDP socket', native.adoptUdp);
    return orClose(own, () => {
      const { family } = localEndpoint(own);
      return UdpSocket.#make(reactor, own, family, () => remoteEndpoint(own), options);
    });
  }

  static #open(
    reactor: Reactor,
    options: UdpBindOptions,
    family: Family,
    attach: (fd: number) => EncodedEndpoint | undefined,
  ): UdpSocket {
    checkUdpOptions(options);
    const fd = openSocket(family, DATAGRAM, bindSettings(options, family));
    return orClose(fd, () => UdpSocket.#make(reactor, fd, family, () => attach(fd), options));
  }

  static #make(
    reactor: Reactor,
    fd: number,
    family: Family,
    attach: () => EncodedEndpoint | undefined,
    options: UdpCommonOptions,
  ): UdpSocket {
    // The sizes of the buffers first: what comes in once it is bound has its room then.
    applySettings(fd, family, options);
    const found = applyOnce(fd, family, options);
    return new UdpSocket(reactor, fd, family, attach(), options, found);
  }

  private constructor(
    reactor: Reactor,
    fd: number,
    family: Family,
    remote: EncodedEndpoint | undefined,
    options: UdpCommonOptions,
    found: UdpFound,
  ) {
    super(Exchange.of(reactor), fd, 'POLLUXUDP', options);
    this.#remote = remote;
    this.#family = family;
    this.#maxPayload = MAX_PAYLOAD[family];
    this.#packetInfo = options.packetInfo ?? false;
    this.#gro = found.gro;
    this.queue.joinsBelow = found.joinsBelow;
    this.begin(Interest.readable);
  }

  /** The remote endpoint of a connected socket. */
  get remote(): Endpoint | undefined {
    return this.#remote;
  }

  /** Whether runs of equal datagrams go to the system as one; false where it refused that. */
  get gso(): boolean {
    return this.queue.joinsBelow > 0;
  }

  /** Whether the system may join what it received. */
  get gro(): boolean {
    return this.#gro;
  }

  /** SO_RCVBUF, as the system has it: Linux doubles what was asked for, within its limit. */
  get receiveBufferSize(): number {
    return this.#option(SocketOption.receiveBufferSize);
  }

  /** SO_SNDBUF, likewise. */
  get sendBufferSize(): number {
    return this.#option(SocketOption.sendBufferSize);
  }

  /** The local endpoint, with the port that the system chose. */
  address(): Endpoint {
    this.assertOpen();
    const local = this.#local ?? localEndpoint(this.fd);
    this.#local = local;
    return local;
  }

  // Sending.

  /**
   * Sends a datagram: to a peer (as a listener gets it, or any `{ address, port }`), to a port and an
   * address, or to where the socket is connected. The data is copied: its buffer may be used again.
   * `from` is the local address to send from, if the socket has several: what `packetInfo` told, say.
   *
   * Returns false if the socket is full and as much waits as may: the datagram is dropped then, as a
   * network would. A refusal of the system comes as `'error'`; a port where nobody listens is told
   * to connected sockets only, in place of some later datagram.
   */
  send(data: string | Uint8Array): boolean;
  send(data: string | Uint8Array, peer: Peer | undefined, from?: string): boolean;
  send(data: string | Uint8Array, port: number, address: string): boolean;
  send(data: string | Uint8Array, to?: number | Peer, addressOrFrom?: string): boolean {
    this.assertOpen();
    const length = checkData('data', data);
    if (length > this.#maxPayload) this.#tooLong('data', length);
    if (typeof to === 'number') {
      return this.post(data, 0, length, this.#peerAt(to, addressOrFrom), undefined);
    }
    const peer = this.#peerOf(to);
    return this.post(data, 0, length, peer, this.#fromOf(addressOrFrom));
  }

  /**
   * Sends part of a buffer, also of what a `receive` callback was given: that is sent from where it
   * lies. Otherwise as `send`. `offset` and `length` in bytes.
   */
  sendSlice(
    buffer: Uint8Array,
    offset: number,
    length: number,
    peer?: Peer,
    from?: string,
  ): boolean {
    this.assertOpen();
    checkSlice(buffer, offset, length);
    if (length > this.#maxPayload) this.#tooLong('length', length);
    return this.post(buffer, offset, length, this.#peerOf(peer), this.#fromOf(from));
  }

  /**
   * Sends a buffer of any length as datagrams of `segmentSize` bytes, the last may be shorter. With
   * `gso` the system cuts it, in few calls. False: as `send`, from some datagram on.
   */
  sendSegments(data: Uint8Array, segmentSize: number, peer?: Peer, from?: string): boolean {
    this.assertOpen();
    checkBytes('data', data);
    checkInteger('segmentSize', segmentSize, 1, this.#maxPayload);
    return this.postSegments(data, segmentSize, this.#peerOf(peer), this.#fromOf(from));
  }

  // Setting up.

  /**
   * From here on as `UdpSocket.connect`: talks to this endpoint only. What was received from others
   * before is still handed out. Throws what the system refuses.
   */
  connect(peer: Peer): void {
    this.assertOpen();
    const remote = this.#inFamily('peer', toEncoded('peer', peer));
    this.#settleQueue();
    if (this.#remote === undefined) this.#bound = localEndpoint(this.fd);
    useEndpoint(native.connect, 'connect', this.fd, remote);
    this.#remote = remote;
    this.#local = undefined;
  }

  /**
   * Talks to anybody again, from the port it was bound to. One that was made by `UdpSocket.connect`
   * has given its own back, and hears nobody before the next `send` brings another.
   */
  disconnect(): void {
    this.assertOpen();
    if (this.#remote === undefined) return;
    this.#settleQueue();
    const result = native.disconnect(this.fd);
    if (result < 0) throw systemError(result, 'connect', { fd: this.fd });
    this.#remote = undefined;
    this.#local = undefined;
    const bound = this.#bound;
    if (bound === undefined || bound.port === 0) return;
    // Linux takes a port back that the system had chosen, also for `bind`.
    if (localEndpoint(this.fd).port === 0) useEndpoint(native.bind, 'bind', this.fd, bound);
  }

  /** Changes options that may be changed at any time. Throws what the system refuses. */
  configure(settings: UdpSettings): this {
    this.assertOpen();
    checkUdpSettings(settings);
    // What was sent before goes as it was.
    this.exchange.flushDatagrams();
    applySettings(this.fd, this.#family, settings);
    return this;
  }

  /**
   * Joins a multicast group. Throws what the system refuses: EADDRINUSE for one that it is in,
   * ENODEV without a route to it if no interface was named, EINVAL for what is no group.
   */
  addMembership(group: string, options: MembershipOptions = {}): this {
    this.assertOpen();
    applyMembership(this.fd, true, group, options);
    return this;
  }

  /** Leaves a group, as it was joined. EADDRNOTAVAIL if it was not. */
  dropMembership(group: string, options: MembershipOptions = {}): this {
    this.assertOpen();
    applyMembership(this.fd, false, group, options);
    return this;
  }

  // For the base class.

  /** @internal */
  protected override senderOf(record: number): Endpoint | undefined {
    return this.exchange.datagramInbox.peer(record, decodeSlot) ?? this.#remote;
  }

  /** @internal */
  protected override whereTo(peer: Addressed | undefined): { address?: string; port?: number } {
    const endpoint = peer instanceof EncodedEndpoint ? peer : this.#remote;
    return endpoint === undefined ? {} : { address: endpoint.address, port: endpoint.port };
  }

  /** @internal */
  protected override infoOf(info: DatagramInfo): DatagramInfo | undefined {
    if (!this.#packetInfo) return super.infoOf(info);
    const { truncated, localAddress, interfaceIndex } = info;
    return { truncated, localAddress, interfaceIndex };
  }

  #option(option: number): number {
    this.assertOpen();
    const value = native.getOption(this.fd, option);
    if (value < 0) throw systemError(value, 'getsockopt', { fd: this.fd });
    return value;
  }

  #tooLong(name: string, length: number): never {
    throw outOfRange(name, `at most ${this.#maxPayload} bytes`, length);
  }

  /** What waits for the present remote still goes there. */
  #settleQueue(): void {
    this.exchange.flushDatagrams();
    if (this.#remote !== undefined) this.queue.address(this.#remote);
  }

  /** Undefined: where the socket is connected. */
  #peerOf(to: unknown): EncodedEndpoint | undefined {
    if (this.#remote !== undefined || to === undefined) return this.#noPeer(to);
    const peer = toEncoded('peer', to);
    return peer.family === this.#family ? peer : this.#inFamily('peer', peer);
  }

  #peerAt(port: number, address: unknown): EncodedEndpoint | undefined {
    if (this.#remote !== undefined) return this.#noPeer(port);
    checkPort('port', port, 1);
    return this.#inFamily('address', encodeEndpoint('address', address, port));
  }

  #noPeer(to: unknown): undefined {
    if (this.#remote === undefined) {
      throw invalidType('peer', 'given, for the socket is not connected', to);
    }
    if (to !== undefined) throw invalidType('peer', 'left out, for the socket is connected', to);
  }

  #fromOf(address: unknown): EncodedEndpoint | undefined {
    if (address === undefined) return undefined;
    return this.#inFamily('from', encodeEndpoint('from', address, 0));
  }

  /** IPv4 on a socket of IPv6 goes by a mapped address, if the socket has both. */
  #inFamily(name: string, endpoint: EncodedEndpoint): EncodedEndpoint {
    if (endpoint.family === this.#family) return endpoint;
    if (this.#family === 'IPv6') {
      return encodeEndpoint(name, `::ffff:${endpoint.address}`, endpoint.port);
    }
    const argument = name === 'peer' ? 'peer.address' : name;
    checkFamily(argument, endpoint, this.#family);
    return endpoint;
  }
}
