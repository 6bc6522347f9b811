// A UDP socket on a reactor.
import { Interest, invalidType, outOfRange, type Reactor } from '@pollux/core';
import { checkSignal } from './abort.js';
import { type DatagramEvents, type DatagramOptions, DatagramSocket } from './datagram-socket.js';
import {
  localEndpoint,
  type OptionSetting,
  openSocket,
  orClose,
  useEndpoint,
} from './descriptor.js';
import {
  type Addressed,
  checkFamily,
  EncodedEndpoint,
  type Endpoint,
  encodeEndpoint,
  toEncoded,
} from './endpoint.js';
import { Exchange } from './exchange.js';
import { DATAGRAM, native, SocketOption } from './native.js';
import {
  checkBoolean,
  checkData,
  checkInteger,
  checkOptions,
  checkPort,
  checkReactor,
  checkSlice,
} from './validate.js';

export interface UdpOptions extends DatagramOptions {
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
}

export interface UdpConnectOptions extends Omit<UdpOptions, 'address' | 'port'> {
  /** Where to send, and from whom alone to receive. */
  address: string;
  port: number;
  /** Bind to this address, port or both first. */
  localAddress?: string;
  localPort?: number;
}

export type UdpSocketEvents = DatagramEvents<Endpoint>;

// What fits an IP packet beside its own header (20 bytes, IPv4 only) and UDP's (8).
const MAX_PAYLOAD = { IPv4: 65_507, IPv6: 65_527 };
const MAX_BUFFER_SIZE = 0x7fff_ffff;
export class UdpSocket extends DatagramSocket<Endpoint> {
  /** The remote endpoint of a connected socket. */
  readonly remote: Endpoint | undefined;
  readonly #family: 'IPv4' | 'IPv6';
  readonly #maxPayload: number;
  #local: Endpoint | undefined;

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
    checkSignal(options.signal);
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
      return new UdpSocket(reactor, fd, family, remote, options);
    });
  }

  private constructor(
    reactor: Reactor,
    fd: number,
    family: 'IPv4' | 'IPv6',
    remote: EncodedEndpoint | undefined,
    options: DatagramOptions,
  ) {
    super(Exchange.of(reactor), fd, 'POLLUXUDP', options);
    this.remote = remote;
    this.#family = family;
    this.#maxPayload = MAX_PAYLOAD[family];
    this.want(Interest.readable);
  }

  /** The local endpoint, with the port that the system chose. */
  address(): Endpoint {
    this.assertOpen();
    const local = this.#local ?? localEndpoint(this.fd);
    this.#local = local;
    return local;
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
    this.assertOpen();
    const length = checkData('data', data);
    if (length > this.#maxPayload) this.#tooLong('data', length);
    const peer = typeof to === 'number' ? this.#peerAt(to, address) : this.#peerOf(to);
    return this.post(data, 0, length, peer);
  }

  /**
   * Sends part of a buffer, also of what a `receive` callback was given: that is sent from where it
   * lies. Otherwise as `send`. `offset` and `length` in bytes.
   */
  sendSlice(
    buffer: Uint8Array,
    offset: number,
    length: number,
    peer?: Pick<Endpoint, 'address' | 'port'>,
  ): boolean {
    this.assertOpen();
    checkSlice(buffer, offset, length);
    if (length > this.#maxPayload) this.#tooLong('length', length);
    return this.post(buffer, offset, length, this.#peerOf(peer));
  }

  /** @internal */
  protected override senderOf(record: number): Endpoint | undefined {
    const peer = this.exchange.datagramInbox.peer(record);
    return peer instanceof EncodedEndpoint ? peer : this.remote;
  }

  /** @internal */
  protected override whereTo(peer: Addressed | undefined): { address?: string; port?: number } {
    const endpoint = peer instanceof EncodedEndpoint ? peer : this.remote;
    return endpoint === undefined ? {} : { address: endpoint.address, port: endpoint.port };
  }

  #tooLong(name: string, length: number): never {
    throw outOfRange(name, `at most ${this.#maxPayload} bytes`, length);
  }

  /** Undefined: where the socket is connected. */
  #peerOf(to: unknown): EncodedEndpoint | undefined {
    if (this.remote !== undefined || to === undefined) return this.#noPeer(to);
    const peer = toEncoded('peer', to);
    if (peer.family !== this.#family) checkFamily('peer.address', peer, this.#family);
    return peer;
  }

  #peerAt(port: number, address: unknown): EncodedEndpoint | undefined {
    if (this.remote !== undefined) return this.#noPeer(port);
    checkPort('port', port, 1);
    const peer = encodeEndpoint('address', address, port);
    checkFamily('address', peer, this.#family);
    return peer;
  }

  #noPeer(to: unknown): undefined {
    if (this.remote === undefined) {
      throw invalidType('peer', 'given, for the socket is not connected', to);
    }
    if (to !== undefined) throw invalidType('peer', 'left out, for the socket is connected', to);
  }
}
