// A TCP connection on a reactor: what stream.ts says, and what is TCP's own.
import { invalidType, invalidValue, type Reactor, systemError } from '@pollux/core';
import type { Attempt, Target } from './attempt.js';
import { Connector } from './connector.js';
import {
  adoptSocket,
  localEndpoint,
  type OptionSetting,
  openSocket,
  orClose,
  setOptions,
  useEndpoint,
} from './descriptor.js';
import { decodeSlot, EncodedEndpoint, encodeEndpoint } from './endpoint.js';
import { Exchange } from './exchange.js';
import { EINVAL, native, SLOT_SIZE, SocketOption, STREAM } from './native.js';
import { Stream } from './stream.js';
import type { StreamEvents } from './stream-options.js';
import { resolveHost, type TcpOpenOptions } from './tcp-open.js';
import {
  checkKeepAlive,
  checkTcpConnectOptions,
  checkTcpStreamOptions,
  keepAliveSettings,
  MAX_PROBES,
  type TcpConnectOptions,
  type TcpStreamOptions,
  tcpSettings,
} from './tcp-options.js';
import { checkBoolean, checkInteger, checkPort, checkReactor } from './validate.js';

export type TcpStreamEvents = StreamEvents;

export class TcpStream extends Stream<TcpStreamEvents> {
  #peer: Uint8Array | undefined;
  #remote: EncodedEndpoint | undefined;
  #local: EncodedEndpoint | undefined;
  /** Set while there was no descriptor to set them on. */
  #later: OptionSetting[] = [];

  /**
   * Starts a connection. `'connect'` tells that it is made, `'error'` that it is refused (an
   * AggregateError with the `code` of the first, if several addresses were); what is written before
   * waits.
   */
  static connect(reactor: Reactor, options: TcpConnectOptions): TcpStream {
    checkReactor(reactor);
    checkTcpConnectOptions(options);
    const remotes = remotesOf(options);
    const local = localOf(options);
    const usable = remotes.filter(({ family }) => local === undefined || family === local.family);
    if (usable.length === 0) {
      const { family } = remotes[0] as EncodedEndpoint;
      throw invalidValue('options.localAddress', `an ${family} address`, options.localAddress);
    }
    const stream = new TcpStream(Exchange.of(reactor), -1, undefined, options, options.signal);
    stream.#connect(usable, local, options);
    return stream;
  }

  /**
   * Connects, and resolves when the connection is made; rejects with what is refused, or the reason
   * of an aborted `signal`. `host` is an address or a name, whose addresses (`dns.lookup`) are tried
   * in turn, the two families alternating (RFC 8305). Names need Node's loop: on a blocking reactor
   * they are refused, with ERR_POLLUX_BLOCKING.
   */
  static async open(reactor: Reactor, options: TcpOpenOptions): Promise<TcpStream> {
    const stream = TcpStream.connect(reactor, await resolveHost(reactor, options));
    await stream.waitFor('connect');
    return stream;
  }

  /**
   * A stream on a connection that somebody else has made: its descriptor is duplicated, so each
   * closes its own, and is nonblocking from then on. Throws EBADF, ENOTSOCK, ENOTCONN; a TypeError
   * for what is no TCP socket.
   */
  static adopt(reactor: Reactor, fd: number, options: TcpStreamOptions = {}): TcpStream {
    checkReactor(reactor);
    checkInteger('fd', fd, 0, 0x7fff_ffff);
    checkTcpStreamOptions(options);
    const ours = adoptSocket('fd', fd, 'a TCP socket', native.adoptStream);
    return orClose(ours, () => {
      const { family } = localEndpoint(ours);
      // It may have been half a program's life in use: only what was asked for is changed.
      const settings = tcpSettings(options, family);
      setOptions(ours, options.noDelay === undefined ? settings.filter(isNotNoDelay) : settings);
      const peer = new Uint8Array(SLOT_SIZE);
      native.peerAddress(ours, peer, 0);
      return new TcpStream(Exchange.of(reactor), ours, peer, options);
    });
  }

  /** @internal Made by `connect`, `adopt` and a listener; the latter know the slot of the peer. */
  constructor(
    exchange: Exchange,
    fd: number,
    peer: Uint8Array | undefined,
    options: TcpStreamOptions,
    signal?: AbortSignal,
  ) {
    super(exchange, fd, 'POLLUXTCP', options, signal);
    this.#peer = peer;
  }

  get remoteAddress(): string | undefined {
    return this.#remoteEndpoint()?.address;
  }

  get remotePort(): number | undefined {
    return this.#remoteEndpoint()?.port;
  }

  get remoteFamily(): 'IPv4' | 'IPv6' | undefined {
    return this.#remoteEndpoint()?.family;
  }

  /** Undefined once the stream is closed, unless it was asked for before. */
  get localAddress(): string | undefined {
    return this.#localEndpoint()?.address;
  }

  get localPort(): number | undefined {
    return this.#localEndpoint()?.port;
  }

  get localFamily(): 'IPv4' | 'IPv6' | undefined {
    return this.#localEndpoint()?.family;
  }

  /** SO_RCVBUF in bytes, as the system tells it; undefined while there is no socket. */
  get receiveBufferSize(): number | undefined {
    return this.#option(SocketOption.receiveBufferSize);
  }

  /** SO_SNDBUF, likewise. */
  get sendBufferSize(): number | undefined {
    return this.#option(SocketOption.sendBufferSize);
  }

  /** TCP_NODELAY: whether small pieces are sent at once; off joins them while some are on their way. */
  setNoDelay(on = true): this {
    checkBoolean('on', on);
    return this.#set([[SocketOption.noDelay, on]]);
  }

  /**
   * SO_KEEPALIVE, and after how many milliseconds of silence it begins, how many lie between two
   * probes, and how many probes unanswered break the connection; 0 leaves what is set.
   */
  setKeepAlive(on = false, initialDelay = 0, interval = 0, probes = 0): this {
    checkBoolean('on', on);
    checkKeepAlive('initialDelay', initialDelay);
    checkKeepAlive('interval', interval);
    checkInteger('probes', probes, 0, MAX_PROBES);
    return this.#set(
      keepAliveSettings({
        keepAlive: on,
        keepAliveInitialDelay: initialDelay,
        keepAliveInterval: interval,
        keepAliveProbes: probes,
      }),
    );
  }

  /** Closes at once with a reset (RST): the peer gets ECONNRESET, and what is on its way is lost. */
  resetAndDestroy(): this {
    if (this.fd >= 0) native.resetOnClose(this.fd);
    return this.destroy();
  }

  #connect(
    remotes: readonly EncodedEndpoint[],
    local: EncodedEndpoint | undefined,
    options: TcpConnectOptions,
  ): void {
    const open = ({ family }: EncodedEndpoint): number => {
      const settings = tcpSettings(options, family);
      if (local === undefined) return openSocket(family, STREAM, settings);
      const fd = openSocket(family, STREAM, [
        ...settings,
        // A port whose last connection is in TIME_WAIT may be used again.
        [SocketOption.reuseAddress, local.port > 0 ? true : undefined],
        // Else the port is chosen before the peer is known, and is used for one peer only (Linux 4.2).
        [SocketOption.bindAddressNoPort, local.port > 0 ? undefined : true, 'optional'],
      ]);
      return orClose(fd, () => {
        useEndpoint(native.bind, 'bind', fd, local);
        return fd;
      });
    };
    const targets: Target[] = remotes.map((remote) => ({
      slot: EncodedEndpoint.slotOf(remote),
      where: { address: remote.address, port: remote.port },
      open: () => open(remote),
    }));
    // Until it is known which: the first.
    this.#remote = remotes[0];
    const connected = (attempt: Attempt): void => {
      this.#remote = remotes[targets.indexOf(attempt.target)];
      this.takeOver(attempt);
      for (const setting of this.#later.splice(0)) this.#set([setting]);
      this.connected();
    };
    const failed = (error: Error): void => this.fail(error);
    this.connectBy(new Connector(this.exchange, targets, options, { connected, failed }));
  }

  /** @internal */
  protected whereTo(): object | undefined {
    const remote = this.#remoteEndpoint();
    return remote && { address: remote.address, port: remote.port };
  }

  #set(settings: OptionSetting[]): this {
    if (this.closed) return this;
    if (this.fd < 0) this.#later.push(...settings);
    for (const [option, value] of this.fd < 0 ? [] : settings) {
      if (value === undefined) continue;
      const result = native.setOption(this.fd, option, Number(value));
      // EINVAL: the connection is broken, where the system minds; reading tells.
      if (result < 0 && result !== EINVAL) throw systemError(result, 'setsockopt', { fd: this.fd });
    }
    return this;
  }

  #option(option: number): number | undefined {
    if (this.fd < 0) return undefined;
    const value = native.getOption(this.fd, option);
    return value < 0 ? undefined : value;
  }

  #remoteEndpoint(): EncodedEndpoint | undefined {
    if (this.#remote === undefined && this.#peer !== undefined) {
      this.#remote = decodeSlot(this.#peer, 0);
      this.#peer = undefined;
    }
    return this.#remote;
  }

  #localEndpoint(): EncodedEndpoint | undefined {
    if (this.#local === undefined && this.fd >= 0 && !this.connecting) {
      this.#local = localEndpoint(this.fd);
    }
    return this.#local;
  }
}

function isNotNoDelay([option]: OptionSetting): boolean {
  return option !== SocketOption.noDelay;
}

function remotesOf(options: TcpConnectOptions): readonly EncodedEndpoint[] {
  const { addresses, port } = options;
  if (addresses === undefined) {
    checkPort('options.port', port, 1);
    return [encodeEndpoint('options.address', options.address, port as number)];
  }
  if (!Array.isArray(addresses) || addresses.length === 0) {
    throw invalidType('options.addresses', 'an Array with an address in it', addresses);
  }
  return addresses.map((each: string | { address: string; port?: number }, i) => {
    const name = `options.addresses[${i}]`;
    const own = typeof each === 'object' && each !== null ? each : { address: each };
    checkPort(own.port === undefined ? 'options.port' : `${name}.port`, own.port ?? port, 1);
    return encodeEndpoint(name, own.address, (own.port ?? port) as number);
  });
}

function localOf(options: TcpConnectOptions): EncodedEndpoint | undefined {
  const { localAddress, localPort = 0 } = options;
  if (localAddress !== undefined) {
    return encodeEndpoint('options.localAddress', localAddress, localPort);
  }
  if (localPort === 0) return undefined;
  throw invalidValue('options.localPort', 'given beside "options.localAddress"', localPort);
}
