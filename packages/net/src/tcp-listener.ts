// A TCP listener on a reactor: what listener.ts says, and what is TCP's own.
import { Interest, invalidType, type Reactor, systemError } from '@pollux/core';
import {
  adoptSocket,
  localEndpoint,
  type OptionSetting,
  openSocket,
  orClose,
  setOptions,
  useEndpoint,
} from './descriptor.js';
import { type Endpoint, encodeEndpoint } from './endpoint.js';
import { Exchange } from './exchange.js';
import { Listener, type ListenerEvents } from './listener.js';
import { BACKLOG, checkListenOptions, type ListenOptions } from './listener-options.js';
import { native, SocketOption, STREAM } from './native.js';
import { checkTcpStreamOptions, type TcpStreamOptions, tcpSettings } from './tcp-options.js';
import { TcpStream } from './tcp-stream.js';
import {
  checkBoolean,
  checkDelay,
  checkInteger,
  checkOptions,
  checkPort,
  checkReactor,
  MAX_DELAY,
} from './validate.js';

export interface TcpListenOptions extends TcpStreamOptions, ListenOptions {
  /** The local address: `'0.0.0.0'` (every IPv4 address) if left out. No names, no resolving. */
  address?: string;
  /** The local port; 0, the default, lets the system choose. */
  port?: number;
  /** SO_REUSEPORT: several listeners share the port, and the system spreads what comes. */
  reusePort?: boolean;
  /** IPV6_V6ONLY: whether a listener on `'::'` leaves IPv4 alone; the system's default if left out. */
  ipv6Only?: boolean;
  /**
   * In place of all of the above and `backlog`: the descriptor of a socket that listens already,
   * another thread's `listener.fd` say. It is duplicated, so each of those that share it closes its
   * own.
   */
  fd?: number;
  /**
   * TCP_DEFER_ACCEPT, in milliseconds, rounded up to seconds: a connection is not handed out before
   * it has sent something, or after so long; then perhaps without. For protocols in which the client
   * speaks first. Linux.
   */
  deferAcceptMs?: number;
}

export type TcpListenerEvents = ListenerEvents<TcpStream>;

export class TcpListener extends Listener<TcpStream> {
  readonly #options: TcpStreamOptions;
  readonly #settings: readonly OptionSetting[];
  readonly #local: Endpoint;

  /**
   * Listens. Throws what the system refuses (EADDRINUSE, EACCES, EADDRNOTAVAIL), with `syscall`,
   * `address` and `port`. The stream options are those of each connection.
   */
  static listen(reactor: Reactor, given: TcpListenOptions = {}): TcpListener {
    checkReactor(reactor);
    checkOptions('options', given);
    // Each stream is made by them: they may change, and were checked only once.
    const options = { ...given };
    checkTcpStreamOptions(options);
    checkDelay('options.deferAcceptMs', options.deferAcceptMs ?? 0, MAX_DELAY);
    checkListenOptions(options);
    if (options.fd !== undefined) return TcpListener.#adopt(reactor, options.fd, options);
    const { address = '0.0.0.0', port = 0, backlog = BACKLOG } = options;
    checkPort('options.port', port, 0);
    checkBoolean('options.reusePort', options.reusePort);
    checkBoolean('options.ipv6Only', options.ipv6Only);
    const local = encodeEndpoint('options.address', address, port);
    const fd = openSocket(local.family, STREAM, [
      // A port whose last connections are in TIME_WAIT may be bound again.
      [SocketOption.reuseAddress, true],
      [SocketOption.reusePort, options.reusePort],
      [SocketOption.ipv6Only, local.family === 'IPv6' ? options.ipv6Only : undefined],
      // What the system refuses is refused here, not with each connection; and buffers have to be
      // known before a connection begins (tcp(7), the scaling of windows).
      ...tcpSettings(options, local.family),
    ]);
    return orClose(fd, () => {
      useEndpoint(native.bind, 'bind', fd, local);
      const result = native.listen(fd, backlog);
      if (result < 0) throw systemError(result, 'listen', { address, port });
      return new TcpListener(reactor, fd, options);
    });
  }

  static #adopt(reactor: Reactor, theirs: number, options: TcpListenOptions): TcpListener {
    checkInteger('options.fd', theirs, 0, 0x7fff_ffff);
    for (const name of ['address', 'port', 'backlog', 'reusePort', 'ipv6Only'] as const) {
      if (options[name] === undefined) continue;
      throw invalidType(`options.${name}`, 'left out beside "options.fd"', options[name]);
    }
    const expected = 'a TCP socket that listens';
    const fd = adoptSocket('options.fd', theirs, expected, native.adoptListener);
    return orClose(fd, () => new TcpListener(reactor, fd, options));
  }

  private constructor(reactor: Reactor, fd: number, options: TcpListenOptions) {
    const { exclusive = false, deferAcceptMs = 0 } = options;
    const local = localEndpoint(fd);
    if (deferAcceptMs > 0) {
      setOptions(fd, [[SocketOption.deferAccept, Math.ceil(deferAcceptMs / 1000)]]);
    }
    super(Exchange.of(reactor), fd, 'POLLUXTCPLISTENER', options);
    this.#options = options;
    this.#settings = tcpSettings(options, local.family);
    this.#local = local;
    this.begin(Interest.readable, exclusive);
  }

  /** The local endpoint, with the port that the system chose. */
  address(): Endpoint {
    this.assertOpen();
    return this.#local;
  }

  /** @internal */
  protected override streamFor(fd: number, peer: Uint8Array): TcpStream {
    // A connection that is broken already may refuse; reading tells.
    for (const [option, value] of this.#settings) native.setOption(fd, option, Number(value));
    return new TcpStream(this.exchange, fd, peer, this.#options);
  }

  /** @internal */
  protected override where(): object {
    const { address, port } = this.#local;
    return { address, port };
  }
}
