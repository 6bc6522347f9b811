// What a listener may be told at its birth, TCP or Unix, beside what is told to each of its streams.
import { checkSignal } from '@pollux/core';
import type { AbortOptions } from './stream-options.js';
import { checkBoolean, checkInteger } from './validate.js';

export interface ListenOptions extends AbortOptions {
  /** How many connections may wait to be accepted; 511 if left out, the system may allow fewer. */
  backlog?: number;
  /**
   * EPOLLEXCLUSIVE: of several threads that share a listening socket, a connection wakes one or a few
   * that wait, not all. ERR_POLLUX_UNSUPPORTED where the backend has none.
   */
  exclusive?: boolean;
  /** While so many streams of this listener are open, others wait in the backlog. No bound if left out. */
  maxConnections?: number;
}

export const BACKLOG = 511;

/** An aborted signal is thrown, as the last check. */
export function checkListenOptions(options: ListenOptions): void {
  const { backlog, maxConnections } = options;
  checkBoolean('options.exclusive', options.exclusive);
  if (backlog !== undefined) checkInteger('options.backlog', backlog, 0, 0x7fff_ffff);
  if (maxConnections !== undefined) {
    checkInteger('options.maxConnections', maxConnections, 1, Number.MAX_SAFE_INTEGER);
  }
  checkSignal(options.signal);
}
