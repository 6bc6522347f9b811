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
  /**
   * Most bytes that may wait once the system takes no more; beyond it the stream fails with
   * ERR_POLLUX_QUEUE_FULL. A bound on the memory that a peer who does not read can cost, for writers
   * who do not heed what `write` answers. No bound if left out.
   */
  maxQueuedBytes?: number;
  /** See `setTimeout`; milliseconds, none if left out. */
  timeoutMs?: number;
}

/** How a connection is tried. */
export interface ConnectTiming {
  /** Milliseconds until it fails with ETIMEDOUT; if left out, when the system gives up. */
  connectTimeoutMs?: number;
  /** Milliseconds until the next address is tried beside the last; 250 if left out (RFC 8305). */
  attemptDelayMs?: number;
}

export interface AbortOptions {
  /**
   * Closes it when aborted, without an `'error'`: promises that wait are rejected with its `reason`.
   * One that is aborted already is thrown, as its reason.
   */
  signal?: AbortSignal;
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
  /** No byte was read or written for as long as `setTimeout` was told. */
  timeout: [];
  /** Something broke, or was given to `destroy`; `'close'` follows. */
  error: [error: Error];
  /** The last event. */
  close: [hadError: boolean];
}

/** Checks the options that streams made in any way share. */
export function checkStreamOptions(options: StreamOptions): void {
  checkOptions('options', options);
  checkBoolean('options.allowHalfOpen', options.allowHalfOpen);
  for (const name of ['highWaterMark', 'maxQueuedBytes'] as const) {
    const value = options[name];
    if (value !== undefined) checkInteger(`options.${name}`, value, 0, Number.MAX_SAFE_INTEGER);
  }
  if (options.timeoutMs !== undefined) {
    checkDelay('options.timeoutMs', options.timeoutMs, MAX_DELAY);
  }
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
