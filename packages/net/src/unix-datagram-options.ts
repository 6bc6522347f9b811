// What a Unix socket for datagrams may be told at its birth.
import type { Reactor } from '@pollux/core';
import { checkDatagramOptions, type DatagramOptions } from './datagram-options.js';
import { checkBoolean, checkOptions, checkReactor } from './validate.js';

export interface UnixDatagramOptions extends DatagramOptions {
  /**
   * Takes descriptors that come with datagrams: `info.fds`. Otherwise the system drops them. Ask for
   * it only where you look: those that nobody asks for are closed.
   */
  receiveFds?: boolean;
}

export interface UnixBindOptions extends UnixDatagramOptions {
  /**
   * The name to receive at, text or bytes: a path of at most 107 bytes, or on Linux an abstract name,
   * with a leading NUL. Left out, the system chooses an abstract one (autobind; Linux).
   */
  path?: string | Uint8Array;
  /** Permissions of the socket's file, `0o600` say; who may write may send. */
  mode?: number;
  /** Removes a file that was left behind, as `UnixListener.listen` does. */
  unlink?: boolean;
}

export interface UnixDatagramConnectOptions extends UnixDatagramOptions {
  /** Where to send, and from whom alone to receive. */
  path: string | Uint8Array;
  /** The name to receive answers at. */
  localPath?: string | Uint8Array;
  /** Has the system choose an abstract name to receive answers at (Linux). */
  autobind?: boolean;
}

/** An aborted signal is thrown, as the last check. */
export function checkUnixDatagramOptions(reactor: Reactor, options: UnixDatagramOptions): void {
  checkReactor(reactor);
  checkOptions('options', options);
  checkBoolean('options.receiveFds', options.receiveFds);
  checkDatagramOptions(options);
}
