// The descriptor that a Unix socket begins with: made, one of a pair, or somebody else's duplicated.
import { systemError } from '@pollux/core';
import { adoptSocket } from './descriptor.js';
import { EAFNOSUPPORT, EOPNOTSUPP, native, STREAM, UNIX } from './native.js';
import { checkDescriptor, type Descriptor } from './owned-fd.js';
import { lacks } from './validate.js';

export function openUnix(type: number): number {
  const fd = native.open(UNIX, type);
  if (fd === EAFNOSUPPORT) throw lacks(`Unix ${kindOf(type)} sockets`);
  if (fd < 0) throw systemError(fd, 'socket');
  return fd;
}

function kindOf(type: number): string {
  return type === STREAM ? 'stream' : 'datagram';
}

/** socketpair(2). */
export function pairUnix(type: number): [number, number] {
  const out = new Int32Array(2);
  const result = native.unixPair(type, out);
  if (result === EOPNOTSUPP) throw lacks('pairs of Unix sockets');
  if (result < 0) throw systemError(result, 'socketpair');
  return [out[0] as number, out[1] as number];
}

/** A duplicate of a Unix socket of this type; the original stays its owner's. */
export function adoptUnix(
  name: string,
  descriptor: Descriptor,
  type: number,
  listens: boolean,
): number {
  const theirs = checkDescriptor(name, descriptor);
  const state = listens ? ' that listens' : type === STREAM ? ' that is connected' : '';
  return adoptSocket(name, theirs, `a Unix ${kindOf(type)} socket${state}`, (fd) =>
    native.adoptUnix(fd, type, Number(listens)),
  );
}
