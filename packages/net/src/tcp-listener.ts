// A TCP listener on a reactor: hands out connections as streams.
import { EventEmitter } from 'node:events';
import {
  Interest,
  invalidType,
  invalidValue,
  PolluxError,
  type Reactor,
  type SystemError,
  systemError,
  type Timer,
  type Watcher,
} from '@pollux/core';
import { type Endpoint, encodeEndpoint } from './endpoint.js';
import { Exchange } from './exchange.js';
import { EINVAL, EMFILE, native, SLOT_SIZE, SocketOption, STREAM } from './native.js';
import { localEndpoint, openSocket, orClose, useEndpoint } from './socket.js';
import { checkStreamOptions, type TcpStreamOptions } from './tcp-options.js';
import { TcpStream } from './tcp-stream.js';
import {
  checkBoolean,
  checkDelay,
  checkInteger,
  checkOptions,
  checkPort,
  checkReactor,
} from './validate.js';

export interface TcpListenOptions extends TcpStreamOptions {
  /** The local address: `'0.0.0.0'` (every IPv4 address) if left out. No names, no resolving. */
  address?: string;
  /** The local port; 0, the default, lets the system choose. */
  port?: number;
  /** How many connections may wait to be accepted; 511 if left out, the system may allow fewer. */
  backlog?: number;
  /** SO_REUSEPORT: several listeners share the port, and the system spreads what comes. */
  reusePort?: boolean;
  /** IPV6_V6ONLY: whether a listener on `'::'` leaves IPv4 alone; the system's default if left out. */
  ipv6Only?: boolean;
  /**
   * In place of all of the above: the descriptor of a socket that listens already, another thread's
   * `listener.fd` say. It is duplicated, so each of those that share it closes its own.
   */
  fd?: number;
  /**
   * EPOLLEXCLUSIVE: of several threads that share a listening socket, a connection wakes one or a few
   * that wait, not all. ERR_POLLUX_UNSUPPORTED where the backend has none.
   */
  exclusive?: boolean;
}

export interface TcpListenerEvents {
  /** A connection was accepted. Without a listener for it, it is closed again. */
  connection: [stream: TcpStream];
  /**
   * Accepting failed, for want of descriptors or memory (EMFILE, ENFILE, ENOBUFS, ENOMEM). It is tried
   * again every 100 ms, while connections wait in the backlog, and told once until it succeeds.
   */
  error: [error: SystemError];
  close: [];
}

/** Connections of one native call. */
const ACCEPT_BATCH = 32;
/** Calls of one callback; a listener that has more is called again, after its neighbours. */
const MAX_BATCHES = 4;
const RETRY_MS = 100;
/** What `finish` leaves to connections that are being opened: some round trips. */
const FINISH_MS = 250;
const MAX_FINISH_MS = 0x7fff_ffff;

interface Accepted {
  readonly fd: number;
  readonly peer: Uint8Array;
}

export class TcpListener extends EventEmitter<TcpListenerEvents> {
  readonly #exchange: Exchange;
  readonly #options: TcpStreamOptions;
  readonly #fd: number;
  readonly #watcher: Watcher;
  readonly #local: Endpoint;
  readonly #fds: Int32Array;
  readonly #records = new Int32Array(ACCEPT_BATCH * 2);
  readonly #peers = new Uint8Array(ACCEPT_BATCH * SLOT_SIZE);
  #retry: Timer | undefined;
  #failing = false;
  #lastLook: Timer | undefined;
  #finishing = false;
  /** Accepted, and not handed out yet: a listener of one before them threw. */
  #held = 0;
  #closed = false;

  /**
   * Listens. Throws what the system refuses (EADDRINUSE, EACCES, EADDRNOTAVAIL), with `syscall`,
   * `address` and `port`. The stream options are those of each connection.
   */
  static listen(reactor: Reactor, options: TcpListenOptions = {}): TcpListener {
    checkReactor(reactor);
    checkOptions('options', options);
    checkStreamOptions(options);
    checkBoolean('options.exclusive', options.exclusive);
    if (options.fd !== undefined) return TcpListener.#adopt(reactor, options.fd, options);
    const { address = '0.0.0.0', port = 0, backlog = 511 } = options;
    checkPort('options.port', port, 0);
    checkInteger('options.backlog', backlog, 0, 0x7fff_ffff);
    checkBoolean('options.reusePort', options.reusePort);
    checkBoolean('options.ipv6Only', options.ipv6Only);
    const local = encodeEndpoint('options.address', address, port);
    const fd = openSocket(local.family, STREAM, [
      // A port whose last connections are in TIME_WAIT may be bound again.
      [SocketOption.reuseAddress, true],
      [SocketOption.reusePort, options.reusePort],
      [SocketOption.ipv6Only, local.family === 'IPv6' ? options.ipv6Only : undefined],
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
    const fd = native.adoptListener(theirs);
    if (fd === EINVAL) throw invalidValue('options.fd', 'a TCP socket that listens', theirs);
    if (fd === EMFILE) throw systemError(fd, 'dup', { fd: theirs });
    if (fd < 0) throw systemError(fd, 'getsockopt', { fd: theirs });
    return orClose(fd, () => new TcpListener(reactor, fd, options));
  }

  private constructor(reactor: Reactor, fd: number, options: TcpListenOptions) {
    super();
    this.#exchange = Exchange.of(reactor);
    this.#options = options;
    this.#fd = fd;
    this.#fds = Int32Array.of(fd);
    this.#local = localEndpoint(fd);
    const exclusive = options.exclusive ?? false;
    this.#watcher = reactor.watch(
      fd,
      Interest.readable,
      () => this.#exchange.run(() => void this.#accept()),
      { exclusive },
    );
  }

  /** True once `close` was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /** The descriptor, for `listen(reactor, { fd })` in another thread. Do not close it. */
  get fd(): number {
    if (this.#closed) throw new PolluxError('ERR_POLLUX_CLOSED', 'The listener is closed');
    return this.#fd;
  }

  /** The local endpoint, with the port that the system chose. */
  address(): Endpoint {
    if (this.#closed) throw new PolluxError('ERR_POLLUX_CLOSED', 'The listener is closed');
    return this.#local;
  }

  /** Stops listening; connections that were handed out live on. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#retry?.close();
    this.#lastLook?.close();
    this.#watcher.close();
    native.close(this.#fd);
    this.#exchange.later(() => this.emit('close'));
  }

  /**
   * Closes without losing a connection: no new ones begin, those that the system has accepted, or
   * accepts within `graceMs` (250), are handed out, then it closes. Idempotent; keeps the process
   * alive meanwhile, unless unref'd.
   *
   * A client that comes later is not answered, so it tries again after a second: it is refused then,
   * or finds another listener on the port. All that share the socket stop together.
   */
  finish(graceMs: number = FINISH_MS): void {
    checkDelay('graceMs', graceMs, MAX_FINISH_MS);
    if (!this.#accepts() || this.#finishing) return;
    this.#finishing = true;
    // Where there are no filters, one that comes in the very moment of the close is reset.
    native.stopInput(this.#fd);
    this.#finishIn(graceMs);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  ref(): this {
    this.#watcher.ref();
    this.#retry?.ref();
    this.#lastLook?.ref();
    return this;
  }

  /** The listener no longer keeps the process alive. */
  unref(): this {
    this.#watcher.unref();
    this.#retry?.unref();
    this.#lastLook?.unref();
    return this;
  }

  hasRef(): boolean {
    return this.#watcher.hasRef();
  }

  #accepts(): boolean {
    return !this.#closed && !this.#exchange.reactor.closed;
  }

  #finishIn(delayMs: number): void {
    this.#lastLook = this.#exchange.reactor.timer(delayMs, () =>
      this.#exchange.run(() => this.#finish()),
    );
    if (!this.#watcher.hasRef()) this.#lastLook.unref();
  }

  /** Closes when nothing is left. Until then again and again, after what a turn has to do. */
  #finish(): void {
    let empty = false;
    try {
      empty = this.#accept();
    } finally {
      if (empty && this.#held === 0) this.close();
      else if (this.#accepts()) this.#finishIn(this.#failing ? RETRY_MS : 0);
    }
  }

  /**
   * Whether there is nothing left to accept: as the last thing that was looked at, since whoever is
   * told of a connection takes time, in which the next may come.
   */
  #accept(): boolean {
    for (let batch = 0; batch < MAX_BATCHES && this.#accepts(); batch++) {
      const count = native.accept(this.#fds, 1, ACCEPT_BATCH, this.#records, this.#peers);
      if (count < 0) throw systemError(count, 'accept4', { fd: this.#fd });
      if (count === 0) return true;
      // A failure is the last record.
      const last = this.#records[2 * count - 1] as number;
      const accepted: Accepted[] = [];
      for (let i = 0; i < (last < 0 ? count - 1 : count); i++) {
        const at = i * SLOT_SIZE;
        const peer = this.#peers.slice(at, at + SLOT_SIZE);
        accepted.push({ fd: this.#records[2 * i + 1] as number, peer });
      }
      if (last < 0) this.#failed(last);
      else this.#failing = false;
      this.#held += accepted.length;
      this.#exchange.deliverEach(accepted, (connection) => this.#handOut(connection));
      if (last < 0 || count < ACCEPT_BATCH) break;
    }
    return false;
  }

  #handOut({ fd, peer }: Accepted): void {
    this.#held--;
    // A listener of a connection before this one may have closed us, or the reactor.
    if (!this.#accepts() || this.listenerCount('connection') === 0) {
      native.close(fd);
      return;
    }
    if (this.#options.noDelay ?? true) native.setOption(fd, SocketOption.noDelay, 1);
    this.emit('connection', new TcpStream(this.#exchange, { fd, peer }, this.#options));
  }

  /** The connection stays in the backlog, so the poller would report it for ever: a pause. */
  #failed(errno: number): void {
    const { reactor } = this.#exchange;
    this.#watcher.pause();
    this.#retry?.close(); // `finish` tries too
    this.#retry = reactor.timer(RETRY_MS, () => {
      if (!this.#watcher.closed) this.#watcher.resume();
    });
    if (!this.#watcher.hasRef()) this.#retry.unref();
    if (this.#failing) return;
    this.#failing = true;
    const { address, port } = this.#local;
    const error = systemError(errno, 'accept4', { address, port });
    this.#exchange.later(() => {
      if (!this.#closed) this.emit('error', error);
    });
  }
}
