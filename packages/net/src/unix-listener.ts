// A Unix listener on a reactor: what listener.ts says, and what is its own: a path, which is a file
// that has to be made, and removed.
import { Interest, invalidType, type Reactor, systemError } from '@pollux/core';
import { orClose } from './descriptor.js';
import { Exchange } from './exchange.js';
import { Listener, type ListenerEvents } from './listener.js';
import { BACKLOG, checkListenOptions, type ListenOptions } from './listener-options.js';
import { native, STREAM } from './native.js';
import type { Descriptor } from './owned-fd.js';
import { checkStreamOptions, type StreamOptions } from './stream-options.js';
import { decodePath, type EncodedPath, encodePath, nameOf, where } from './unix-address.js';
import { adoptUnix, openUnix } from './unix-descriptor.js';
import { bindPath, type SocketFile } from './unix-file.js';
import { UnixStream } from './unix-stream.js';
import { checkBoolean, checkInteger, checkOptions, checkReactor } from './validate.js';

export interface UnixListenOptions extends StreamOptions, ListenOptions {
  /**
   * Where to listen, text or bytes: a path of at most 107 bytes, or on Linux an abstract name, with a
   * leading NUL, which needs no file.
   */
  path?: string | Uint8Array;
  /** Permissions of the socket's file, `0o600` say; who may write may connect. As umask leaves them. */
  mode?: number;
  /**
   * Removes a socket file that was left behind: one to which a connection is refused. Two that begin
   * at the same moment may both find it stale, and the later one then removes the earlier one's.
   */
  unlink?: boolean;
  /**
   * In place of all of the above and `backlog`: a socket that listens already. It is duplicated; no
   * file is removed.
   */
  fd?: Descriptor;
}

export type UnixListenerEvents = ListenerEvents<UnixStream>;

export class UnixListener extends Listener<UnixStream> {
  readonly #options: StreamOptions;
  readonly #local: EncodedPath;
  readonly #file: SocketFile | undefined;

  /**
   * Listens. Throws what the system refuses (EADDRINUSE, EACCES, ENOENT), with `syscall` and the path
   * as `address`. The file is removed when the listener closes, if it is still its own.
   */
  static listen(reactor: Reactor, given: UnixListenOptions): UnixListener {
    checkReactor(reactor);
    checkOptions('options', given);
    // Each stream is made by them: they may change, and were checked only once.
    const options = { ...given };
    checkStreamOptions(options);
    checkListenOptions(options);
    if (options.fd !== undefined) return UnixListener.#adopt(reactor, options.fd, options);
    const { backlog = BACKLOG, mode, unlink } = options;
    if (mode !== undefined) checkInteger('options.mode', mode, 0, 0o777);
    checkBoolean('options.unlink', unlink);
    const address = encodePath('options.path', options.path);
    const fd = openUnix(STREAM);
    return orClose(fd, () => {
      // Nobody can connect between the two, so nobody does before the mode is set.
      const file = bindPath(fd, STREAM, address, { mode, unlink });
      try {
        const result = native.listen(fd, backlog);
        if (result < 0) throw systemError(result, 'listen', where(address));
        return new UnixListener(reactor, fd, options, address, file);
      } catch (error) {
        file?.remove();
        throw error;
      }
    });
  }

  static #adopt(reactor: Reactor, theirs: Descriptor, options: UnixListenOptions): UnixListener {
    for (const name of ['path', 'backlog', 'mode', 'unlink'] as const) {
      if (options[name] === undefined) continue;
      throw invalidType(`options.${name}`, 'left out beside "options.fd"', options[name]);
    }
    const fd = adoptUnix('options.fd', theirs, STREAM, true);
    const address = nameOf(native.localAddress, fd);
    return orClose(fd, () => new UnixListener(reactor, fd, options, address, undefined));
  }

  private constructor(
    reactor: Reactor,
    fd: number,
    options: UnixListenOptions,
    local: EncodedPath,
    file: SocketFile | undefined,
  ) {
    super(Exchange.of(reactor), fd, 'POLLUXUNIXLISTENER', options);
    this.#options = options;
    this.#local = local;
    this.#file = file;
    this.begin(Interest.readable, options.exclusive ?? false);
  }

  /** Where it listens. */
  get path(): string {
    return this.#local.path;
  }

  /**
   * Closes without losing a connection: who comes from here on is refused, those that the system has
   * accepted are handed out, then it closes. All that share the socket stop together.
   */
  override finish(): void {
    if (this.listens) {
      this.#file?.remove();
      native.stopListening(this.fd);
    }
    super.finish(0);
  }

  /** @internal */
  protected override streamFor(fd: number, peer: Uint8Array): UnixStream {
    return new UnixStream(this.exchange, fd, this.#options, decodePath(peer, 0));
  }

  /** @internal */
  protected override where(): object {
    return where(this.#local);
  }

  /** @internal The file first: who finds it is not refused by a socket that is just gone. */
  protected override closeDescriptor(): boolean {
    if (!this.closed) this.#file?.remove();
    return super.closeDescriptor();
  }
}
