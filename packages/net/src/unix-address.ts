// The addresses of Unix sockets: a path in the file system, or on Linux an abstract name, which
// begins with a NUL, or none at all. Kept with their slots, as IP endpoints are (endpoint.ts).
import { isUint8Array } from 'node:util/types';
import { invalidType, invalidValue, outOfRange } from '@pollux/core';
import { Addressed } from './endpoint.js';
import { ENAMETOOLONG, EOPNOTSUPP, native, SLOT_SIZE } from './native.js';
import { lacks } from './validate.js';

/** The name of a Unix socket. */
export interface UnixAddress {
  /**
   * A path; an abstract name, with a leading `'\0'`; `''` for a socket without a name. Bytes that are
   * no UTF-8 are shown as U+FFFD: to answer such a peer, pass the object, not its path.
   */
  readonly path: string;
}

/** An address that knows its slot. */
export class EncodedPath extends Addressed implements UnixAddress {
  static {
    // As it is printed.
    Object.defineProperty(EncodedPath, 'name', { value: 'UnixAddress' });
  }

  readonly path: string;
  readonly #unix = true;

  constructor(path: string, slot: Uint8Array) {
    super(slot);
    this.path = path;
    Object.freeze(this);
  }

  /** Whether it is one of these, not merely like one. */
  static is(address: object): address is EncodedPath {
    return #unix in address;
  }
}

/** sun_path without its NUL. */
const MOST_BYTES = 107;
const MAX_ENCODED = 1024;
const encoded = new Map<string, EncodedPath>();

/** A path as a caller gives it, text (as UTF-8) or bytes. Throws what is wrong with it. */
export function encodePath(name: string, path: unknown): EncodedPath {
  if (typeof path === 'string') {
    const known = encoded.get(path);
    if (known !== undefined) return known;
  } else if (!isUint8Array(path)) {
    throw invalidType(name, 'a string, a Buffer or a Uint8Array', path);
  }
  const bytes = typeof path === 'string' ? Buffer.from(path) : Buffer.from(path);
  if (bytes.length === 0) throw invalidValue(name, 'a path that is not empty', path);
  const address = encodeBytes(name, bytes);
  if (typeof path === 'string') {
    if (encoded.size === MAX_ENCODED) encoded.clear();
    encoded.set(path, address);
  }
  return address;
}

/** The address of a bind that lets the system choose an abstract name. */
export function autobindAddress(name: string): EncodedPath {
  return encodeBytes(name, Buffer.alloc(0));
}

function encodeBytes(name: string, bytes: Buffer): EncodedPath {
  const slot = new Uint8Array(SLOT_SIZE);
  const result = native.encodePath(bytes, slot, 0);
  if (result === ENAMETOOLONG) throw outOfRange(name, `at most ${MOST_BYTES} bytes`, bytes.length);
  if (result === EOPNOTSUPP) throw lacks(`abstract names, as "${name}" is`);
  if (result < 0) throw invalidValue(name, 'a path without a NUL in it', bytes.toString());
  return new EncodedPath(bytes.toString(), slot);
}

/** A peer as a caller gives it: a path, one of ours, or any object with a path. */
export function toEncodedPath(name: string, peer: unknown): EncodedPath {
  if (typeof peer !== 'object' || peer === null || isUint8Array(peer)) {
    return encodePath(name, peer);
  }
  if (!EncodedPath.is(peer)) return encodePath(`${name}.path`, (peer as Partial<UnixAddress>).path);
  if (peer.path === '') throw invalidValue(name, 'a socket with a name', peer.path);
  return peer;
}

const bytes = Buffer.alloc(SLOT_SIZE);

/** The address in a slot, unnamed for an empty one; undefined for another family's. */
export function decodePath(slots: Uint8Array, offset: number): EncodedPath | undefined {
  const length = native.decodePath(slots, offset, bytes);
  if (length < 0) return undefined;
  const slot = new Uint8Array(slots.subarray(offset, offset + SLOT_SIZE));
  return new EncodedPath(bytes.toString('utf8', 0, length), slot);
}

type NameCall = (fd: number, slots: Uint8Array, offset: number) => number;

/** getsockname or getpeername; unnamed if it is refused. */
export function nameOf(call: NameCall, fd: number): EncodedPath {
  const slot = new Uint8Array(SLOT_SIZE);
  call(fd, slot, 0);
  return decodePath(slot, 0) ?? new EncodedPath('', slot);
}

/** For errors, as `address`; an abstract name is shown with the @ of ss and netstat. */
export function where(address: UnixAddress): { address?: string } {
  return address.path === '' ? {} : { address: address.path.replace(/^\0/, '@') };
}
