// The file of a Unix socket: made by bind(2), and in the way of the next bind until somebody removes
// it. Who bound it does so, but never another's that has taken its place.
import { type BigIntStats, chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { systemError } from '@pollux/core';
import { orClose } from './descriptor.js';
import { ECONNREFUSED, native, UNIX } from './native.js';
import { EncodedPath, where } from './unix-address.js';

export class SocketFile {
  readonly #path: Buffer;
  readonly #identity: BigIntStats;

  private constructor(path: Buffer, identity: BigIntStats) {
    this.#path = path;
    this.#identity = identity;
  }

  /** Removes it, if it is still the one that was bound. */
  remove(): void {
    try {
      const now = lookAt(this.#path);
      if (now?.dev === this.#identity.dev && now.ino === this.#identity.ino) unlinkSync(this.#path);
    } catch {
      // Somebody was quicker, or the directory is not ours any more: nothing that a close could mend.
    }
  }

  /** @internal That of a path just bound; undefined if it is no path. */
  static of(address: EncodedPath): SocketFile | undefined {
    const path = fileOf(address);
    const identity = path && lookAt(path);
    return path && identity && new SocketFile(path, identity);
  }
}

export interface BindOptions {
  readonly mode?: number | undefined;
  readonly unlink?: boolean | undefined;
}

/** Binds a socket of this type; removes the file again if a later step throws. */
export function bindPath(
  fd: number,
  type: number,
  address: EncodedPath,
  options: BindOptions,
): SocketFile | undefined {
  const path = fileOf(address);
  if (options.unlink === true && path !== undefined) removeStale(type, address, path);
  const result = native.bind(fd, EncodedPath.slotOf(address), 0);
  if (result < 0) throw systemError(result, 'bind', where(address));
  const file = SocketFile.of(address);
  if (options.mode !== undefined && path !== undefined) {
    try {
      chmodSync(path, options.mode);
    } catch (error) {
      file?.remove();
      throw error;
    }
  }
  return file;
}

/** Removes a socket to which nobody listens any more: a connection to it is refused. */
function removeStale(type: number, address: EncodedPath, path: Buffer): void {
  if (lookAt(path)?.isSocket() !== true) return;
  const probe = native.open(UNIX, type);
  if (probe < 0) throw systemError(probe, 'socket');
  const result = orClose(probe, () => native.connect(probe, EncodedPath.slotOf(address), 0));
  native.close(probe);
  if (result === ECONNREFUSED) unlinkSync(path);
}

/** Absolute, for the working directory may be another by the time it is removed. */
function fileOf(address: EncodedPath): Buffer | undefined {
  const slot = EncodedPath.slotOf(address);
  const room = Buffer.alloc(slot.length);
  const length = native.decodePath(slot, 0, room);
  if (length <= 0 || room[0] === 0) return undefined;
  const path = room.subarray(0, length);
  if (path[0] === 0x2f) return path;
  return Buffer.concat([Buffer.from(`${process.cwd()}/`), path]);
}

function lookAt(path: Buffer): BigIntStats | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false });
}
