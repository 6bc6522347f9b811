// What a TCP stream may be told at its birth, and what it tells in its life.
import { checkBoolean, checkInteger } from './validate.js';

export interface TcpStreamOptions {
  /**
   * Whether the stream may go on writing after the peer has ended. If not (the default), it ends by
   * itself after the listeners of `'end'` have run.
   */
  allowHalfOpen?: boolean;
  /** TCP_NODELAY; true if left out, since writes of one callback are sent together anyway. */
  noDelay?: boolean;
  /** `write` returns false when so many bytes wait; 64 KiB if left out. */
  highWaterMark?: number;
}

export interface TcpConnectOptions extends TcpStreamOptions {
  /** An IPv4 or IPv6 address; no name. */
  address: string;
  port: number;
}

export interface TcpStreamEvents {
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

/** Checks the options that streams made in either way share. */
export function checkStreamOptions(options: TcpStreamOptions): void {
  checkBoolean('options.allowHalfOpen', options.allowHalfOpen);
  checkBoolean('options.noDelay', options.noDelay);
  if (options.highWaterMark !== undefined) {
    checkInteger('options.highWaterMark', options.highWaterMark, 0, Number.MAX_SAFE_INTEGER);
  }
}
