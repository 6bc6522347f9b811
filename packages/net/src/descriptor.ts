// The descriptor that every socket here begins with: of the right family, its options set, bound or
// not, and closed again if any step is refused.
import { invalidValue, systemError } from '@pollux/core';
import { decodeSlot, EncodedEndpoint } from './endpoint.js';
import { EINVAL, EMFILE, ENOTCONN, native, SLOT_SIZE } from './native.js';

/**
 * An option to set: its number (SocketOption) and value; undefined leaves the system's default. What
 * is optional may be refused.
 */
export type OptionSetting = readonly [
  option: number,
  value: number | boolean | undefined,
  optional?: 'optional',
];

/** Makes a socket and sets its options. */
export function openSocket(
  family: 'IPv4' | 'IPv6',
  type: number,
  options: readonly OptionSetting[],
): number {
  const fd = native.open(family === 'IPv6' ? 6 : 4, type);
  if (fd < 0) throw systemError(fd, 'socket');
  orClose(fd, () => setOptions(fd, options));
  return fd;
}

/** Throws what the system refuses. */
export function setOptions(fd: number, options: readonly OptionSetting[]): void {
  for (const [option, value, optional] of options) {
    if (value === undefined) continue;
    const result = native.setOption(fd, option, Number(value));
    if (result < 0 && optional === undefined) throw systemError(result, 'setsockopt', { fd });
  }
}

/** Runs a step in the making of a socket; if it throws, the descriptor is closed. */
export function orClose<T>(fd: number, step: () => T): T {
  try {
    return step();
  } catch (error) {
    native.close(fd);
    throw error;
  }
}

/** What refused to adopt, by errno; else it was not found out what the socket is. */
const ADOPTING: Readonly<Record<number, string>> = { [EMFILE]: 'dup', [ENOTCONN]: 'getpeername' };

/**
 * A nonblocking duplicate of somebody else's socket, which stays theirs. `adopt` finds out whether it
 * is what is expected, for which EINVAL stands.
 */
export function adoptSocket(
  name: string,
  theirs: number,
  expected: string,
  adopt: (fd: number) => number,
): number {
  const fd = adopt(theirs);
  if (fd === EINVAL) throw invalidValue(name, expected, theirs);
  if (fd < 0) throw systemError(fd, ADOPTING[fd] ?? 'getsockopt', { fd: theirs });
  return fd;
}

type AddressCall = (fd: number, slots: Uint8Array, offset: number) => number;

/** bind or connect; a refusal names the endpoint. */
export function useEndpoint(
  call: AddressCall,
  syscall: string,
  fd: number,
  endpoint: EncodedEndpoint,
): number {
  const result = call(fd, EncodedEndpoint.slotOf(endpoint), 0);
  if (result < 0) {
    const { address, port } = endpoint;
    throw systemError(result, syscall, { address, port });
  }
  return result;
}

const slot = new Uint8Array(SLOT_SIZE);

/** getsockname: what the socket is bound to. */
export function localEndpoint(fd: number): EncodedEndpoint {
  const result = native.localAddress(fd, slot, 0);
  if (result < 0) throw systemError(result, 'getsockname', { fd });
  const endpoint = decodeSlot(slot, 0);
  if (endpoint === undefined) throw new TypeError('The socket has no IP address');
  return endpoint;
}

/** getpeername: what the socket is connected to, if it is. */
export function remoteEndpoint(fd: number): EncodedEndpoint | undefined {
  const result = native.peerAddress(fd, slot, 0);
  if (result === ENOTCONN) return undefined;
  if (result < 0) throw systemError(result, 'getpeername', { fd });
  return decodeSlot(slot, 0);
}
