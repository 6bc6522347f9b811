// A TCP connection on a reactor: what stream.ts says, and what is TCP's own.
import type { Reactor } from '@pollux/core';
import { type Attempt, Connector, type Target } from './connector.js';
import { localEndpoint, openSocket } from './descriptor.js';
import { decodeSlot, EncodedEndpoint, encodeEndpoint } from './endpoint.js';
import { Exchange } from './exchange.js';
import { SocketOption, STREAM } from './native.js';
import { Stream } from './stream.js';
import {
  type ConnectTiming,
  checkConnectTiming,
  checkTcpStreamOptions,
  type StreamEvents,
  type TcpStreamOptions,
} from './stream-options.js';
import { checkPort, checkReactor } from './validate.js';

export interface TcpConnectOptions extends TcpStreamOptions, ConnectTiming {
  /** An IPv4 or IPv6 address; no name. */
  address: string;
  port: number;
}

export type TcpStreamEvents = StreamEvents;

export class TcpStream extends Stream<TcpStreamEvents> {
  #peer: Uint8Array | undefined;
  #remote: EncodedEndpoint | undefined;
  #local: EncodedEndpoint | undefined;

  /**
   * Starts a connection. `'connect'` tells that it is made, `'error'` that it is refused; what is
   * written before waits.
   */
  static connect(reactor: Reactor, options: TcpConnectOptions): TcpStream {
    checkReactor(reactor);
    checkTcpStreamOptions(options);
    checkConnectTiming(options);
    checkPort('options.port', options.port, 1);
    const remote = encodeEndpoint('options.address', options.address, options.port);
    const stream = new TcpStream(Exchange.of(reactor), -1, undefined, options);
    stream.#connect([remote], options);
    return stream;
  }

  /** @internal Made by `connect` and by a listener, which knows the slot of the peer. */
  constructor(
    exchange: Exchange,
    fd: number,
    peer: Uint8Array | undefined,
    options: TcpStreamOptions,
  ) {
    super(exchange, fd, 'POLLUXTCP', options);
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

  #connect(remotes: readonly EncodedEndpoint[], options: TcpConnectOptions): void {
    const settings = [[SocketOption.noDelay, options.noDelay ?? true]] as const;
    const targets: Target[] = remotes.map((remote) => ({
      slot: EncodedEndpoint.slotOf(remote),
      where: { address: remote.address, port: remote.port },
      open: () => openSocket(remote.family, STREAM, settings),
    }));
    // Until it is known which: the first.
    this.#remote = remotes[0];
    const connected = (attempt: Attempt): void => {
      this.#remote = remotes[targets.indexOf(attempt.target)];
      this.takeOver(attempt);
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
