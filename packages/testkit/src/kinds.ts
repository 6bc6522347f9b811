// Descriptors of every other kind. What the kernel lacks or a container forbids throws the system's
// error (ENOSYS, EPERM, ENODEV ...); a test skips that row.
import { constants as fsConstants } from 'node:fs';
import { constants } from 'node:os';
import { openFile } from './descriptors.js';
import { check, native } from './native.js';

export interface Pty {
  readonly master: number;
  readonly slave: number;
  /** The path of the slave, for openTty. */
  readonly name: string;
}

/** A pseudoterminal; 'raw' passes bytes as they are, 'cooked' echoes and gives whole lines. */
export function pty(mode: 'raw' | 'cooked' = 'raw'): Pty {
  const out = new Int32Array(2);
  const name = Buffer.alloc(256);
  const length = check(native.pty(mode === 'raw', out, name), 'openpt');
  return { master: out[0]!, slave: out[1]!, name: name.toString('utf8', 0, length) };
}

/** An event counter, read and written 8 bytes at a time: full at 2^64 - 2, and fill cannot do it. */
export function eventfd(initial = 0): number {
  return check(native.eventfd(initial), 'eventfd');
}

/** A timer that becomes readable once, after `ms` (fractions allowed); 0 never fires. */
export function timerfd(ms: number): number {
  return check(native.timerfd(ms), 'timerfd_create');
}

/** Readable when the signal is pending; blocks it in the calling thread only. */
export function signalfd(signal: NodeJS.Signals): number {
  return check(native.signalfd(constants.signals[signal]), 'signalfd');
}

/** Undoes what signalfd did to the calling thread's signal mask. */
export function unblockSignal(signal: NodeJS.Signals): void {
  check(native.blockSignal(constants.signals[signal], false), 'pthread_sigmask');
}

/** Sends a signal to the calling thread, and to no other of the process. */
export function raiseSignal(signal: NodeJS.Signals): void {
  check(native.raiseSignal(constants.signals[signal]), 'pthread_kill');
}

/** Readable when something at a path, or in that directory, changes. */
export function inotify(path: string): number {
  return check(native.inotify(path), 'inotify_add_watch');
}

/** Readable when the process has ended. */
export function pidfd(pid: number): number {
  return check(native.pidfd(pid), 'pidfd_open');
}

/** An anonymous file in memory. */
export function memfd(): number {
  return check(native.memfd(), 'memfd_create');
}

/** Handles page faults of this process (user mode only); idle it polls as an error. */
export function userfaultfd(): number {
  return check(native.userfaultfd(), 'userfaultfd');
}

/** A NETLINK_ROUTE socket. */
export function netlinkSocket(): number {
  return check(native.netlinkSocket(), 'socket');
}

/** An AF_PACKET socket that receives nothing; EPERM without CAP_NET_RAW. */
export function packetSocket(): number {
  return check(native.packetSocket(), 'socket');
}

/** An AF_VSOCK stream socket, not connected. */
export function vsockSocket(): number {
  return check(native.vsockSocket(), 'socket');
}

/** A raw epoll descriptor: a poller within a poller. */
export function nestedEpoll(): number {
  return check(native.nestedEpoll(), 'epoll_create1');
}

/** Makes the epoll descriptor readable while `fd` is. */
export function nestedEpollAdd(epoll: number, fd: number): void {
  check(native.nestedEpollAdd(epoll, fd), 'epoll_ctl');
}

/** A TUN interface that lives as long as the descriptor; EPERM or EACCES without rights. */
export function tun(): number {
  return check(native.tun(), 'tun');
}

/** A pressure stall file, without a trigger; null where the kernel has none. */
export function psi(path = '/proc/pressure/cpu'): number | null {
  try {
    return openFile(path, fsConstants.O_RDWR);
  } catch (error) {
    // EOPNOTSUPP: built in, but off.
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EOPNOTSUPP') return null;
    if (code !== 'EACCES') throw error;
    return openFile(path);
  }
}
