// A stream of ours as a Duplex of node:stream, with what http, tls and ws want of a net.Socket.
//
// The stream's own queue holds one write at a time: it is over when the system has all its bytes, and
// only then does Node's Writable hand over the next, all that has gathered meanwhile in one piece
// (`_writev`). So a write's callback means what it says, a buffer may be used again after it, and what
// waits is counted in one place, `writableLength`.
//
// A write is offered to the system when the batch under way is over, with those of other streams. The
// stream's high-water mark is 0, which asks for 'drain' when the system has taken it all.
//
// Reading is Readable's: `_read` resumes the stream, a full buffer pauses it.
import { isIP } from 'node:net';
import { Duplex } from 'node:stream';
import { invalidType, PolluxError } from '@pollux/core';
import { checkBoolean, checkDelay, checkInteger, checkOptions } from './validate.js';

/** What `toDuplex` wants of a stream: a TcpStream has it, and a UnixStream. */
export interface DuplexSource {
  readonly connecting: boolean;
  readonly destroyed: boolean;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly queuedBytes: number;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly remoteFamily?: string | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  allowHalfOpen: boolean;
  highWaterMark: number;
  write(data: string | Uint8Array): boolean;
  flush(): unknown;
  end(): unknown;
  destroy(): unknown;
  pause(): unknown;
  resume(): unknown;
  ref(): unknown;
  unref(): unknown;
  setNoDelay?(on: boolean): unknown;
  setKeepAlive?(on: boolean, initialDelayMs: number): unknown;
  on(event: 'connect' | 'end' | 'drain', listener: () => void): unknown;
  on(event: 'data', listener: (data: Buffer) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'close', listener: (hadError: boolean) => void): unknown;
}

export interface SocketDuplexOptions {
  /** Whether writing may go on after the peer has ended; the stream's own `allowHalfOpen` if left out. */
  allowHalfOpen?: boolean;
  /** Bytes that are read ahead of the reader; 64 KiB if left out. */
  readableHighWaterMark?: number;
  /** `write` returns false when so many bytes wait; 64 KiB if left out. */
  writableHighWaterMark?: number;
}

type Callback = (error?: Error | null) => void;

/** What Writable has for us; the encoding is that of a text. */
interface Piece {
  readonly chunk: string | Uint8Array;
  readonly encoding: BufferEncoding;
}

const HIGH_WATER_MARK = 65_536;
/** setTimeout takes no more. */
export const MAX_TIMEOUT_MS = 0x7fff_ffff;

/**
 * Makes a Duplex of a stream, for everything that takes a net.Socket: `http.Server`, `tls.connect`,
 * `pipeline`. The stream is the Duplex's from then on: do not write to it, listen or end it yourself.
 */
export function toDuplex(stream: DuplexSource, options: SocketDuplexOptions = {}): SocketDuplex {
  for (const method of ['write', 'flush', 'end', 'destroy', 'pause', 'on'] as const) {
    if (typeof stream?.[method] !== 'function') throw invalidType('stream', 'a TcpStream', stream);
  }
  const duplex = new SocketDuplex({ allowHalfOpen: stream.allowHalfOpen, ...options });
  const over = stream.destroyed;
  duplex._attach(stream);
  // Its 'close' was perhaps told before, and will not come again.
  if (over) setImmediate(() => duplex.destroy());
  return duplex;
}

export class SocketDuplex extends Duplex {
  #stream: DuplexSource | undefined;
  #connecting = true;
  #refd = true;
  #reads = false;
  #peerEnded = false;
  #weEnded = false;
  /** The callback of the write that the system has not taken yet. */
  #writing: Callback | undefined;
  /** Called when nothing waits in the stream any more. */
  #drained: (() => void) | undefined;
  /** Called when there is a connection. */
  #connected: (() => void)[] = [];

  #idleTimer: NodeJS.Timeout | undefined;
  #writtenWhenArmed = 0;
  /** What `setTimeout` was given; Node's Agent looks at it. */
  timeout: number | undefined;

  /** @internal Made by `toDuplex` and `createConnection`. */
  constructor(options: SocketDuplexOptions) {
    checkOptions('options', options);
    checkBoolean('options.allowHalfOpen', options.allowHalfOpen);
    for (const name of ['readableHighWaterMark', 'writableHighWaterMark'] as const) {
      const value = options[name];
      if (value === undefined) continue;
      checkInteger(`options.${name}`, value, 0, Number.MAX_SAFE_INTEGER);
    }
    super({
      allowHalfOpen: options.allowHalfOpen ?? false,
      // A text is written into the memory that it is sent from, not into a Buffer before.
      decodeStrings: false,
      readableHighWaterMark: options.readableHighWaterMark ?? HIGH_WATER_MARK,
      writableHighWaterMark: options.writableHighWaterMark ?? HIGH_WATER_MARK,
    });
  }

  /** @internal The stream to read and write, from now on. */
  _attach(stream: DuplexSource): void {
    this.#stream = stream;
    // Both are ours to decide: the peer's end is seen by the reader later, after what was read ahead.
    stream.allowHalfOpen = true;
    stream.highWaterMark = 0;
    if (!this.#refd) stream.unref();
    if (!this.#reads) stream.pause(); // a listener for 'data' would have it read
    stream.on('connect', () => {
      this.#onConnect();
      this.emit('connect');
      this.emit('ready');
    });
    stream.on('error', (error) => this.destroy(error));
    stream.on('close', () => {
      // By itself it closes when both directions have ended; then the reader has perhaps not read all.
      if (!this.#peerEnded || !this.#weEnded) this.destroy();
    });
    stream.on('data', (data) => {
      this.#active();
      if (this.push(data)) return;
      this.#reads = false;
      stream.pause();
    });
    stream.on('end', () => {
      this.#active();
      this.#peerEnded = true;
      this.push(null);
      this.read(0); // 'end', even if nobody reads
    });
    stream.on('drain', () => this.#onDrain());
    if (!stream.connecting && !stream.destroyed) this.#onConnect();
  }

  #onConnect(): void {
    this.#connecting = false;
    this.#active();
    for (const connected of this.#connected.splice(0)) connected();
    // Begins to read ahead, so that an end or a reset is noticed even if nobody reads.
    this.read(0);
  }

  /** True until there is a connection. */
  get connecting(): boolean {
    return this.#connecting && !this.destroyed;
  }

  /** As `connecting`. */
  get pending(): boolean {
    return this.connecting;
  }

  get readyState(): 'opening' | 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.connecting) return 'opening';
    if (this.readable) return this.writable ? 'open' : 'readOnly';
    return this.writable ? 'writeOnly' : 'closed';
  }

  get bytesRead(): number {
    return this.#stream?.bytesRead ?? 0;
  }

  /** Bytes that the system has taken. */
  get bytesWritten(): number {
    return this.#stream?.bytesWritten ?? 0;
  }

  get remoteAddress(): string | undefined {
    return this.#stream?.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.#stream?.remotePort;
  }

  get remoteFamily(): string | undefined {
    return this.#stream?.remoteFamily;
  }

  get localAddress(): string | undefined {
    return this.#stream?.localAddress;
  }

  get localPort(): number | undefined {
    return this.#stream?.localPort;
  }

  get localFamily(): 'IPv4' | 'IPv6' | undefined {
    const family = isIP(this.localAddress ?? '');
    return family === 0 ? undefined : `IPv${family as 4 | 6}`;
  }

  /** The local end, as net.Socket's: nothing in it while there is none. */
  address(): { address?: string; family?: string; port?: number } {
    const { localAddress: address, localFamily: family, localPort: port } = this;
    if (address === undefined || family === undefined || port === undefined) return {};
    return { address, family, port };
  }

  /**
   * TCP_NODELAY, if the stream can change it; a TcpStream has the option `noDelay`. Off matters
   * little: what one callback writes is sent together.
   */
  setNoDelay(on = true): this {
    this.#whenConnected(() => this.#stream?.setNoDelay?.(on));
    return this;
  }

  /** SO_KEEPALIVE, if the stream can: else nothing happens. */
  setKeepAlive(on = false, initialDelayMs = 0): this {
    this.#whenConnected(() => this.#stream?.setKeepAlive?.(on, initialDelayMs));
    return this;
  }

  ref(): this {
    this.#refd = true;
    this.#stream?.ref();
    return this;
  }

  /** The connection no longer keeps the process alive. */
  unref(): this {
    this.#refd = false;
    this.#stream?.unref();
    return this;
  }

  /**
   * Emits `'timeout'` after so many milliseconds without a byte read or written; 0 is never. Nothing
   * else happens then. The timer is Node's: it needs Node's loop.
   */
  setTimeout(ms: number, callback?: () => void): this {
    checkDelay('ms', ms, MAX_TIMEOUT_MS);
    if (callback !== undefined && typeof callback !== 'function') {
      throw invalidType('callback', 'of type function', callback);
    }
    if (this.destroyed) return this;
    this.timeout = ms;
    clearTimeout(this.#idleTimer);
    this.#idleTimer = undefined;
    if (ms > 0) {
      this.#writtenWhenArmed = this.bytesWritten;
      this.#idleTimer = setTimeout(() => this.#onIdle(), ms).unref();
      if (callback !== undefined) this.once('timeout', callback);
    } else if (callback !== undefined) {
      this.removeListener('timeout', callback);
    }
    return this;
  }

  /** Destroys it when everything is written. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  #active(): void {
    this.#idleTimer?.refresh();
  }

  #onIdle(): void {
    const { bytesWritten } = this;
    // A long write goes on: the peer takes it piece by piece.
    const idle = bytesWritten === this.#writtenWhenArmed;
    this.#writtenWhenArmed = bytesWritten;
    if (idle) this.emit('timeout');
    else this.#active();
  }

  #whenConnected(action: () => void): void {
    if (this.#connecting) this.#connected.push(action);
    else action();
  }

  override _read(): void {
    this.#reads = true;
    this.#stream?.resume();
  }

  override _write(
    chunk: string | Uint8Array,
    encoding: BufferEncoding,
    callback: (error?: Error | null) => void,
  ): void {
    this.#write([{ chunk, encoding }], callback);
  }

  override _writev(chunks: Piece[], callback: (error?: Error | null) => void): void {
    this.#write(chunks, callback);
  }

  override _final(callback: Callback): void {
    this.#whenConnected(() =>
      this.#whenDrained(() => {
        this.#weEnded = true;
        this.#stream?.end();
        callback();
      }),
    );
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    clearTimeout(this.#idleTimer);
    this.#connected = [];
    this.#drained = undefined;
    // As net.Socket, which writes at once: http writes a refusal and destroys the socket.
    this.#stream?.flush();
    this.#stream?.destroy();
    const message = 'The stream was destroyed before the bytes were written';
    this.#wrote(error ?? new PolluxError('ERR_POLLUX_CLOSED', message));
    callback(error);
  }

  #write(pieces: readonly Piece[], callback: Callback): void {
    this.#writing = callback;
    this.#whenConnected(() => {
      this.#active();
      try {
        for (const piece of pieces) this.#stream?.write(writable(piece));
      } catch (error) {
        this.#wrote(error as Error); // its buffer was transferred away
        return;
      }
      this.#whenDrained(() => this.#wrote());
    });
  }

  #wrote(error?: Error): void {
    const callback = this.#writing;
    this.#writing = undefined;
    callback?.(error);
  }

  /** Calls back when the system has what the stream had; never, if the stream breaks. */
  #whenDrained(action: () => void): void {
    const stream = this.#stream as DuplexSource;
    if (stream.destroyed) return; // its 'error' or 'close' is on its way
    if (stream.queuedBytes === 0) {
      action();
      return;
    }
    this.#drained = action;
  }

  #onDrain(): void {
    if ((this.#stream as DuplexSource).queuedBytes > 0) return; // another comes
    this.#active();
    const drained = this.#drained;
    this.#drained = undefined;
    drained?.();
  }
}

/** What a stream writes: bytes, or a text, as UTF-8. */
function writable({ chunk, encoding }: Piece): string | Uint8Array {
  if (typeof chunk !== 'string' || encoding === 'utf8' || encoding === 'utf-8') return chunk;
  return Buffer.from(chunk, encoding);
}
