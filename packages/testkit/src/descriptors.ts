// Reading, writing and questioning any descriptor.
import { constants } from 'node:fs';
import { check, checkUnlessAgain, native, toBytes } from './native.js';
import { forget } from './scope.js';

/** Reads at most `max` bytes: null when there is nothing yet, an empty Buffer at the end of file. */
export function read(fd: number, max = 65_536): Buffer | null {
  const buffer = Buffer.alloc(max);
  const count = checkUnlessAgain(native.read(fd, buffer), 'read');
  return count === null ? null : buffer.subarray(0, count);
}

/** One write(2): returns how many bytes were taken; a full descriptor throws EAGAIN. */
export function write(fd: number, bytes: Uint8Array | string): number {
  return check(native.write(fd, toBytes(bytes)), 'write');
}

/** Writes until not one more byte fits and returns how many did. EFBIG where that never happens. */
export function fill(fd: number): number {
  return check(native.fill(fd), 'write');
}

/** Reads and drops everything there is now, and returns how many bytes that was. */
export function drain(fd: number): number {
  return check(native.drain(fd), 'read');
}

/** close(2); every FdScope forgets the number. */
export function close(fd: number): void {
  forget(fd);
  check(native.close(fd), 'close');
}

/** A second descriptor of the same open file, close-on-exec. */
export function dup(fd: number): number {
  return dupTo(fd, 0);
}

/** A second descriptor of the same open file: the lowest free number from `atLeast` on. */
export function dupTo(fd: number, atLeast: number): number {
  return check(native.dupTo(fd, atLeast), 'fcntl');
}

/** Makes `to` another descriptor of what `from` is, close-on-exec, and returns `to`. */
export function dup2(from: number, to: number): number {
  return check(native.dup2(from, to), 'dup2');
}

/** Whether FD_CLOEXEC is set. */
export function isCloexec(fd: number): boolean {
  return check(native.isCloexec(fd), 'fcntl') === 1;
}

/** Whether O_NONBLOCK is set. */
export function isNonblocking(fd: number): boolean {
  return check(native.isNonblocking(fd), 'fcntl') === 1;
}

/** Sets or clears O_NONBLOCK. */
export function setNonblocking(fd: number, on: boolean): void {
  check(native.setNonblocking(fd, on), 'fcntl');
}

/** Opens any file with the flags of fs.constants; O_CLOEXEC, O_NONBLOCK and O_NOCTTY are added. */
export function openFile(path: string, flags: number = constants.O_RDONLY): number {
  return check(native.open(path, flags), 'open');
}

/** Opens a terminal by its path for reading and writing, not as the controlling one. */
export function openTty(path: string): number {
  return openFile(path, constants.O_RDWR);
}

/** /dev/null, for reading and writing. */
export function devNull(): number {
  return openFile('/dev/null', constants.O_RDWR);
}

/** Makes a named pipe. */
export function mkfifo(path: string): void {
  check(native.mkfifo(path), 'mkfifo');
}

/** Makes a named pipe and opens both its ends. */
export function fifo(path: string): { reader: number; writer: number } {
  mkfifo(path);
  const reader = openFile(path);
  return { reader, writer: openFile(path, constants.O_WRONLY) };
}

const pollNames = ['in', 'out', 'pri', 'err', 'hup', 'nval', 'rdhup'] as const;

/** A bit of poll(2), POLLIN as 'in' and so on; 'rdhup' exists on Linux. */
export type PollName = (typeof pollNames)[number];

/** poll(2), the oracle: what each descriptor has of `events`; err, hup and nval come unasked. */
export function kernelPoll(
  fds: readonly number[],
  events: readonly PollName[],
  timeoutMs = 0,
): PollName[][] {
  const revents = new Int32Array(fds.length);
  const wanted = events.reduce((bits, name) => bits | (1 << pollNames.indexOf(name)), 0);
  check(native.poll(Int32Array.from(fds), wanted, revents, timeoutMs), 'poll');
  return Array.from(revents, (bits) => pollNames.filter((_, bit) => bits & (1 << bit)));
}
