// Descriptors that are nobody's socket: those that arrived over a Unix socket, until somebody makes
// something of them. The addon knows each, so that a worker that is terminated leaves none open.
import { invalidType, outOfRange, PolluxError, systemError } from '@pollux/core';
import { EOPNOTSUPP, MAX_FDS, native } from './native.js';
import { checkInteger, lacks } from './validate.js';

/** A descriptor: its number, or what has one, such as a socket, an OwnedFd or a FileHandle. */
export type Descriptor = number | { readonly fd: number };

/** A descriptor that closes itself when it is disposed of, and when its thread ends. */
export class OwnedFd {
  #fd: number;

  /**
   * Another descriptor of the same open file (dup(2), close-on-exec). Throws EBADF, EMFILE; and
   * ERR_POLLUX_UNSUPPORTED on Windows.
   */
  static dup(fd: Descriptor): OwnedFd {
    const [copy] = duplicateFds(Int32Array.of(checkDescriptor('fd', fd)));
    return new OwnedFd(copy as number);
  }

  /** @internal For one that the addon owns. */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Its number; -1 once it is closed or released. */
  get fd(): number {
    return this.#fd;
  }

  /** True once it is closed or released. */
  get closed(): boolean {
    return this.#fd < 0;
  }

  /** Closes it. Idempotent. */
  close(): void {
    if (this.#fd < 0) return;
    native.close(this.#fd);
    this.#fd = -1;
  }

  /** Its number, which is the caller's to close from here on: `new net.Socket({ fd })` does. */
  release(): number {
    if (this.#fd < 0) throw new PolluxError('ERR_POLLUX_CLOSED', 'The descriptor is closed');
    const fd = native.releaseFd(this.#fd);
    this.#fd = -1;
    return fd;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The number of a descriptor; of one that is closed, the error names the argument. */
export function checkDescriptor(name: string, value: unknown): number {
  const fd = typeof value === 'object' && value !== null ? (value as { fd: unknown }).fd : value;
  if (typeof fd !== 'number') throw invalidType(name, 'a descriptor, or an object with one', value);
  checkInteger(name, fd, 0, 0x7fff_ffff);
  return fd;
}

/** The numbers of at most 253, as many as one message carries. */
export function checkDescriptors(name: string, values: unknown): Int32Array {
  if (!Array.isArray(values)) throw invalidType(name, 'an Array', values);
  const { length } = values;
  if (length === 0 || length > MAX_FDS) {
    throw outOfRange(name, `1 to ${MAX_FDS} descriptors`, length);
  }
  return Int32Array.from(values, (value, i) => checkDescriptor(`${name}[${i}]`, value));
}

/** Duplicates all, or none. */
export function duplicateFds(fds: Int32Array): Int32Array {
  const copies = new Int32Array(fds.length);
  const result = native.duplicateFds(fds, fds.length, copies);
  if (result === EOPNOTSUPP) throw lacks('descriptors that can be passed on');
  if (result < 0)
    throw systemError(result, 'dup', fds.length === 1 ? { fd: fds[0] as number } : {});
  return copies;
}

export function closeFds(fds: Int32Array): void {
  for (const fd of fds) native.close(fd);
}
