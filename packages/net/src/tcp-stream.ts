// A TCP connection on a reactor.
//
// Three things go on at once and end apart. Reading goes on while somebody listens for `'data'`, and
// ends with the peer's FIN. Writing goes on while the queue has something, and ends with ours, sent
// when `end` was called and the queue is empty. The connection closes when both have ended, or at
// once when something breaks or `destroy` is called.
import { EventEmitter } from 'node:events';
import {
  Interest,
  invalidType,
  invalidValue,
  PolluxError,
  type Reactor,
  type SystemError,
  systemError,
  type Watcher,
} from '@pollux/core';
import { decodeSlot, EncodedEndpoint, encodeEndpoint } from './endpoint.js';
import { Exchange } from './exchange.js';
import {
  EAGAIN,
  EINPROGRESS,
  ENOTCONN,
  native,
  SLOT_SIZE,
  SocketOption,
  STREAM,
} from './native.js';
import { localEndpoint, openSocket } from './socket.js';
import { READ_SIZE } from './stream-inbox.js';
import type { StreamWriter } from './stream-outbox.js';
import {
  checkStreamOptions,
  type TcpConnectOptions,
  type TcpStreamEvents,
  type TcpStreamOptions,
} from './tcp-options.js';
import { checkData, checkOptions, checkPort, checkReactor } from './validate.js';
import { WriteQueue } from './write-queue.js';

const HIGH_WATER_MARK = 65_536;
/** Reads of one callback; a stream that has more is called again, after its neighbours. */
const MAX_READS = 16;

/** @internal What a stream is made from. */
export interface StreamOrigin {
  /** -1 if there is none: the socket could not be made. */
  fd: number;
  /** The slot of the peer, if it is not asked for by connect. */
  peer?: Uint8Array;
  connectingTo?: EncodedEndpoint;
}

export class TcpStream extends EventEmitter<TcpStreamEvents> {
  readonly #exchange: Exchange;
  readonly #allowHalfOpen: boolean;
  readonly #highWaterMark: number;
  readonly #writer: StreamWriter;
  #fd: number;
  #watcher: Watcher | undefined;
  #interest = 0;
  #refd = true;
  #peer: Uint8Array | undefined;
  #remote: EncodedEndpoint | undefined;
  #local: EncodedEndpoint | undefined;

  #connecting: boolean;
  #destroyed = false;
  #bytesRead = 0;
  #bytesWritten = 0;

  // Reading.
  #listening = false; // somebody listens for 'data'
  #resumed = false;
  #paused = false;
  #readEnded = false;

  // Writing.
  #ending = false; // a FIN follows what is queued
  #endedByUser = false;
  #writeEnded = false;
  #full = false; // the system took less than was offered
  #needsDrain = false;

  /**
   * Starts a connection. `'connect'` tells that it is made, `'error'` that it is refused; what is
   * written before waits.
   */
  static connect(reactor: Reactor, options: TcpConnectOptions): TcpStream {
    checkReactor(reactor);
    checkOptions('options', options);
    checkStreamOptions(options);
    checkPort('options.port', options.port, 1);
    const remote = encodeEndpoint('options.address', options.address, options.port);
    const exchange = Exchange.of(reactor);
    let fd: number;
    try {
      fd = openSocket(remote.family, STREAM, [[SocketOption.noDelay, options.noDelay ?? true]]);
    } catch (error) {
      // Refusals of the system all come the same way, whichever step meets them.
      const stream = new TcpStream(exchange, { fd: -1, connectingTo: remote }, options);
      stream.#close(error as Error);
      return stream;
    }
    const stream = new TcpStream(exchange, { fd, connectingTo: remote }, options);
    stream.#connect(remote);
    return stream;
  }

  /** @internal Made by `connect` and by a listener. */
  constructor(exchange: Exchange, origin: StreamOrigin, options: TcpStreamOptions) {
    super();
    this.#exchange = exchange;
    this.#fd = origin.fd;
    this.#peer = origin.peer;
    this.#remote = origin.connectingTo;
    this.#connecting = origin.connectingTo !== undefined;
    this.#allowHalfOpen = options.allowHalfOpen ?? false;
    this.#highWaterMark = options.highWaterMark ?? HIGH_WATER_MARK;
    this.#writer = {
      fd: origin.fd,
      queue: new WriteQueue(),
      wrote: (result, offered) => this.#wrote(result, offered),
      spoiled: () => {
        const error = invalidValue(
          'data',
          'left alone until it is written',
          'a transferred buffer',
        );
        this.destroy(error);
      },
    };
    this.#followListeners();
  }

  /** True from `connect` to `'connect'`. */
  get connecting(): boolean {
    return this.#connecting && !this.#destroyed;
  }

  /** True once the stream is closed, for whatever reason. */
  get destroyed(): boolean {
    return this.#destroyed;
  }

  /** Bytes that `write` was given and the system has not taken yet. */
  get queuedBytes(): number {
    return this.#writer.queue.bytes;
  }

  get bytesRead(): number {
    return this.#bytesRead;
  }

  get bytesWritten(): number {
    return this.#bytesWritten;
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

  /**
   * Queues bytes; a Buffer must be left alone until they are written. What one callback writes is
   * sent together when it is over.
   *
   * Returns false when as much waits as should (`highWaterMark`): `'drain'` tells when to go on.
   * After the peer or the network has ended the stream, bytes are dropped and the answer is false;
   * after one's own `end` or `destroy`, ERR_POLLUX_CLOSED is thrown.
   */
  write(data: string | Uint8Array): boolean {
    const length = checkData('data', data);
    if (this.#endedByUser) {
      const message = 'The stream was ended; nothing can be written any more';
      throw new PolluxError('ERR_POLLUX_CLOSED', message);
    }
    if (this.#destroyed || this.#ending) return false;
    const { queue } = this.#writer;
    if (length > 0) {
      this.#exchange.schedule();
      queue.push(typeof data === 'string' ? Buffer.from(data) : data);
      if (!this.#full && !this.#connecting) this.#exchange.streamOutbox.add(this.#writer);
    }
    if (queue.bytes < this.#highWaterMark) return true;
    this.#needsDrain = queue.bytes > 0;
    return !this.#needsDrain;
  }

  /**
   * Writes a last piece, if one is given, and ends our direction when everything is written. The
   * peer may go on sending; if nobody listens for `'data'`, that is read and dropped.
   */
  end(data?: string | Uint8Array): this {
    if (data !== undefined) this.write(data);
    this.#endedByUser = true;
    this.#endWriting();
    return this;
  }

  /**
   * Closes at once and drops what was not written; `'error'`, if there is one, and `'close'` follow.
   * Idempotent.
   */
  destroy(error?: Error | null): this {
    if (error != null && !(error instanceof Error)) throw invalidType('error', 'an Error', error);
    this.#endedByUser = true;
    this.#close(error ?? undefined);
    return this;
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  /** Stops reading until `resume`; the peer is slowed down when the system's buffers are full. */
  pause(): this {
    this.#paused = true;
    this.#resumed = false;
    this.#settle();
    return this;
  }

  /** Reads on, even if nobody listens for `'data'`: that is dropped then. */
  resume(): this {
    this.#paused = false;
    this.#resumed = true;
    this.#settle();
    return this;
  }

  isPaused(): boolean {
    return this.#paused;
  }

  ref(): this {
    this.#refd = true;
    this.#watcher?.ref();
    return this;
  }

  /** The stream no longer keeps the process alive. */
  unref(): this {
    this.#refd = false;
    this.#watcher?.unref();
    return this;
  }

  hasRef(): boolean {
    return this.#refd;
  }

  // Connecting.

  #connect(remote: EncodedEndpoint): void {
    const result = native.connect(this.#fd, EncodedEndpoint.slotOf(remote), 0);
    if (result < 0 && result !== EINPROGRESS) {
      const { address, port } = remote;
      this.#close(systemError(result, 'connect', { address, port }));
    }
    this.#settle();
  }

  #finishConnect(): void {
    const { address, port } = this.#remote as EncodedEndpoint;
    const error = native.takeError(this.#fd);
    if (error < 0) {
      this.#close(systemError(error, 'connect', { address, port }));
      return;
    }
    // A spurious report: not refused, and not connected either.
    if (native.peerAddress(this.#fd, new Uint8Array(SLOT_SIZE), 0) === ENOTCONN) return;
    this.#connecting = false;
    if (this.queuedBytes > 0) this.#exchange.streamOutbox.add(this.#writer);
    else if (this.#ending) this.#shutdown();
    this.#settle();
    this.emit('connect');
  }

  // Readiness.

  #onReady(events: number): void {
    if (this.#connecting) {
      this.#finishConnect();
      return;
    }
    if (this.#full && (events & Interest.writable) !== 0) {
      this.#full = false;
      this.#exchange.streamOutbox.add(this.#writer);
    }
    if ((events & Interest.readable) !== 0) this.#read();
  }

  /** Has the poller report what we can use now, and nothing else: a level-triggered one would spin. */
  #settle(): void {
    if (this.#destroyed || this.#exchange.reactor.closed) return;
    const reads = this.#reads() ? Interest.readable : 0;
    const writes = this.#full || this.#connecting ? Interest.writable : 0;
    const wanted = reads | writes;
    if (wanted === this.#interest) return;
    try {
      if (this.#watcher === undefined) this.#watch(wanted);
      else if (wanted === 0) this.#watcher.pause();
      else this.#watcher.update(wanted);
      this.#interest = wanted;
    } catch (error) {
      this.#close(error as Error);
    }
  }

  #watch(interest: number): void {
    const { reactor } = this.#exchange;
    this.#watcher = reactor.watch(this.#fd, interest, (events) =>
      this.#exchange.run(() => this.#onReady(events)),
    );
    if (!this.#refd) this.#watcher.unref();
  }

  // Reading.

  #reads(): boolean {
    if (this.#connecting || this.#readEnded || this.#paused || this.#destroyed) return false;
    return this.#listening || this.#resumed || this.#ending;
  }

  /** Reading begins with the first listener for 'data'; that the last is gone is seen by #read. */
  #followListeners(): void {
    const on = EventEmitter.prototype.on as (
      event: string,
      listener: (name: string) => void,
    ) => void;
    on.call(this, 'newListener', (name) => {
      if (name !== 'data' || this.#listening) return;
      this.#listening = true;
      this.#settle();
    });
  }

  override removeAllListeners(event?: keyof TcpStreamEvents | 'newListener'): this {
    super.removeAllListeners(event);
    if (event === undefined || event === 'newListener') this.#followListeners();
    return this;
  }

  #read(): void {
    const { reactor, streamInbox } = this.#exchange;
    for (let i = 0; i < MAX_READS && !reactor.closed; i++) {
      this.#listening = this.listenerCount('data') > 0;
      if (!this.#reads()) break;
      const length = streamInbox.read(this.#fd);
      if (length > 0) {
        this.#bytesRead += length;
        if (this.#listening) this.emit('data', streamInbox.copy(length));
        if (length < READ_SIZE) break;
      } else {
        if (length === 0) this.#onEnd();
        else if (length !== EAGAIN) this.#close(this.#brokenBy(length, 'recv'));
        return;
      }
    }
    if (!reactor.closed) this.#settle();
  }

  #onEnd(): void {
    this.#readEnded = true;
    this.#settle();
    try {
      this.emit('end'); // which may still write
    } finally {
      if (!this.#allowHalfOpen) this.#endWriting();
      this.#closeIfDone();
    }
  }

  // Writing.

  #endWriting(): void {
    if (this.#ending || this.#destroyed) return;
    this.#ending = true;
    if (this.queuedBytes === 0 && !this.#connecting) this.#shutdown();
    this.#settle();
  }

  #wrote(result: number, offered: number): void {
    if (this.#destroyed) return;
    if (result < 0 && result !== EAGAIN) {
      this.#close(this.#brokenBy(result, 'sendmsg'));
      return;
    }
    const { queue } = this.#writer;
    if (result > 0) {
      queue.shift(result);
      this.#bytesWritten += result;
    }
    this.#full = result < offered;
    if (queue.bytes === 0) {
      if (this.#ending) this.#shutdown();
      if (this.#needsDrain && !this.#destroyed) {
        this.#needsDrain = false;
        this.#exchange.later(() => {
          if (!this.#destroyed) this.emit('drain');
        });
      }
    }
    this.#settle();
  }

  #shutdown(): void {
    if (this.#writeEnded) return;
    this.#writeEnded = true;
    const result = native.shutdownWrite(this.#fd);
    // Not connected any more: reading tells why, if there is anything to tell.
    if (result < 0 && result !== ENOTCONN) this.#close(this.#brokenBy(result, 'shutdown'));
    else this.#closeIfDone();
  }

  // The end.

  #closeIfDone(): void {
    if (this.#readEnded && this.#writeEnded) this.#close(undefined);
  }

  #close(error: Error | undefined): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#exchange.streamOutbox.remove(this.#writer);
    this.#writer.queue.clear();
    this.#watcher?.close();
    if (this.#fd >= 0) native.close(this.#fd);
    this.#fd = -1;
    if (error !== undefined) this.#exchange.later(() => this.emit('error', error));
    this.#exchange.later(() => this.emit('close', error !== undefined));
  }

  #brokenBy(errno: number, syscall: string): SystemError {
    const remote = this.#remoteEndpoint();
    const where = remote && { address: remote.address, port: remote.port };
    return systemError(errno, syscall, where);
  }

  #remoteEndpoint(): EncodedEndpoint | undefined {
    if (this.#remote === undefined && this.#peer !== undefined) {
      this.#remote = decodeSlot(this.#peer, 0);
      this.#peer = undefined;
    }
    return this.#remote;
  }

  #localEndpoint(): EncodedEndpoint | undefined {
    if (this.#local === undefined && this.#fd >= 0 && !this.#connecting) {
      this.#local = localEndpoint(this.#fd);
    }
    return this.#local;
  }
}
