// What a stream may be told at its birth, and what it tells in its life.
import { checkBoolean, checkDelay, checkInteger, checkOptions, MAX_DELAY } from './validate.js';

/** Of TCP and Unix streams. */
export interface StreamOptions {
  /**
   * Whether the stream may go on writing after the peer has ended. If not (the default), it ends by
   * itself after the listeners of `'end'` have run.
   */
  allowHalfOpen?: boolean;
  /** `write` returns false when so many bytes wait; 64 KiB if left out. */
  highWaterMark?: number;
}

export interface TcpStreamOptions extends StreamOptions {
  /** TCP_NODELAY; true if left out, since writes of one callback are sent together anyway. */
  noDelay?: boolean;
}

/** How a connection is tried. */
export interface ConnectTiming {
  /** Milliseconds until it fails with ETIMEDOUT; if left out, when the system gives up. */
  connectTimeoutMs?: number;
  /** Milliseconds until the next address is tried beside the last; 250 if left out (RFC 8305). */
  attemptDelayMs?: number;
}

/** Bytes came, where they lie; see `receive`. */
export type ReceiveCallback<S> = (
  buffer: Buffer,
  offset: number,
  length: number,
  stream: S,
) => void;

export interface StreamEvents {
  /** The connection that `connect` asked for is made. */
  connect: [];
  /** Bytes came; the Buffer is the listener's own. The stream reads while there is a listener. */
  data: [data: Buffer];
  /** The peer will send no more. */
  end: [];
  /** After `write` returned false: everything is written. */
  drain: [];
  /** Something broke, or was given to `destroy`; `'close'` follows. */
  error: [error: Error];
  /** The last event. */
  close: [hadError: boolean];
}

/** Checks the options that streams made in any way share. */
export function checkStreamOptions(options: StreamOptions): void {
  checkOptions('options', options);
  checkBoolean('options.allowHalfOpen', options.allowHalfOpen);
  if (options.highWaterMark !== undefined) {
    checkInteger('options.highWaterMark', options.highWaterMark, 0, Number.MAX_SAFE_INTEGER);
  }
}

export function checkTcpStreamOptions(options: TcpStreamOptions): void {
  checkStreamOptions(options);
  checkBoolean('options.noDelay', options.noDelay);
}

export function checkConnectTiming(options: ConnectTiming): void {
  const { connectTimeoutMs, attemptDelayMs } = options;
  if (connectTimeoutMs !== undefined) {
    checkDelay('options.connectTimeoutMs', connectTimeoutMs, MAX_DELAY);
  }
  if (attemptDelayMs !== undefined) {
    checkDelay('options.attemptDelayMs', attemptDelayMs, MAX_DELAY);
  }
}
