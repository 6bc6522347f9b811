// What a socket for datagrams may be told at its birth, UDP or Unix, and what it tells in its life.
import { checkSignal, type SystemError } from '@pollux/core';
import type { DatagramInfo } from './datagram-inbox.js';
import type { AbortOptions } from './stream-options.js';
import { checkInteger } from './validate.js';

export interface DatagramEvents<P> {
  /**
   * A datagram came. `data` is the listener's own; `info` tells more with `packetInfo`, or if it was
   * cut, and is undefined otherwise. Without a listener, datagrams are dropped.
   */
  message: [data: Buffer, peer: P, info: DatagramInfo | undefined];
  /** A datagram was refused, or a network error arrived. The socket stays open. */
  error: [error: SystemError];
  /** After a `send` returned false: everything that waited is sent. */
  drain: [];
  close: [];
}

/** A datagram as a loop gets it. */
export interface Datagram<P> {
  /** The receiver's own. */
  readonly data: Buffer;
  readonly peer: P;
  /** Undefined if there is nothing to say: see `packetInfo`. */
  readonly info: DatagramInfo | undefined;
}

/**
 * A datagram came, where it lies; see `receive`. `info` is the same object in every call, and tells
 * of the datagram at hand.
 */
export type DatagramCallback<P, S> = (
  buffer: Buffer,
  offset: number,
  length: number,
  peer: P,
  socket: S,
  info: DatagramInfo,
) => void;

/** Of UDP and Unix sockets. */
export interface DatagramOptions extends AbortOptions {
  /** How many bytes may wait in a socket that the system finds full; 1 MiB if left out. */
  maxQueuedBytes?: number;
}

/** An aborted signal is thrown, as the last check. */
export function checkDatagramOptions(options: DatagramOptions): void {
  const { maxQueuedBytes } = options;
  if (maxQueuedBytes !== undefined) {
    checkInteger('options.maxQueuedBytes', maxQueuedBytes, 0, Number.MAX_SAFE_INTEGER);
  }
  checkSignal(options.signal);
}
