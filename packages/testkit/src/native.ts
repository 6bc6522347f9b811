// Loads the addon and turns what its functions return, a count or a negative errno, into a value or
// an Error. The addon knows nothing of Errors, strings of flags or optional arguments; the other
// files of this package do.
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { getSystemErrorName } from 'node:util';

/** What the addon exports; on a system without some kind of descriptor its function is missing. */
interface Native {
  read(fd: number, into: Uint8Array): number;
  write(fd: number, bytes: Uint8Array): number;
  fill(fd: number): number;
  drain(fd: number): number;
  close(fd: number): number;
  dupTo(fd: number, atLeast: number): number;
  dup2(from: number, to: number): number;
  isCloexec(fd: number): number;
  isNonblocking(fd: number): number;
  setNonblocking(fd: number, on: boolean): number;
  open(path: string, flags: number): number;
  mkfifo(path: string): number;
  poll(fds: Int32Array, events: number, revents: Int32Array, timeoutMs: number): number;
  raiseNofile(): number;
  openFds(out: Int32Array): number;
  threadCount(): number;
  handleCount(): number;
  createEvent(manual: boolean): number;
  setEvent(event: number): number;
  resetEvent(event: number): number;
  openProcess(pid: number): number;
  createTimer(delayMs: number, periodMs: number): number;
  closeHandle(handle: number): number;
  denySyscall(name: string, errno: number): number;
  forkChild(code: number): number;

  pipe(out: Int32Array): number;
  socketpair(type: number, out: Int32Array): number;
  /** Where a pipe, or a Unix socket, is nothing that can be polled. */
  pipeByTcp(out: Int32Array): number;
  pairByLoopback(type: number, out: Int32Array): number;
  tcpSocket(): number;
  tcpListener(port: Int32Array): number;
  tcpConnect(port: number): number;
  tcpConnectNarrow(port: number): number;
  tcpPair(out: Int32Array): number;
  refusedConnect(): number;
  accept(fd: number): number;
  udpSocket(port: Int32Array): number;
  udpConnect(fd: number, port: number): number;
  udpSendTo(fd: number, port: number, bytes: Uint8Array): number;
  unixBind(path: string, type: number): number;
  unixConnect(path: string, type: number): number;
  unixDgram(): number;
  shutdown(fd: number, how: number): number;
  send(fd: number, bytes: Uint8Array): number;
  recv(fd: number, into: Uint8Array): number;
  sendUrgent(fd: number, byte: number): number;
  recvUrgent(fd: number): number;
  resetOnClose(fd: number): number;
  socketError(fd: number): number;

  pty(raw: boolean, out: Int32Array, name: Uint8Array): number;
  eventfd(initial: number): number;
  timerfd(ms: number): number;
  signalfd(signal: number): number;
  blockSignal(signal: number, block: boolean): number;
  raiseSignal(signal: number): number;
  inotify(path: string): number;
  pidfd(pid: number): number;
  memfd(): number;
  userfaultfd(): number;
  netlinkSocket(): number;
  packetSocket(): number;
  vsockSocket(): number;
  nestedEpoll(): number;
  nestedEpollAdd(epoll: number, fd: number): number;
  tun(): number;

  startInterrupter(periodMs: number, count: number): number;
  stopInterrupter(): number;
  writeLater(fd: number, bytes: Uint8Array, delayMs: number): number;
  closeLater(fd: number, delayMs: number): number;
  pendingLater(): number;
}

const load = createRequire(import.meta.url)('node-gyp-build') as (directory: string) => Native;

/**
 * This system has no such descriptor, or no such call. A test that meets it is skipped, with this as
 * its reason (scripts/lacking-runner.mjs).
 */
export class LackingHere extends Error {
  readonly code = 'ENOSYS';
  readonly lackingHere: string;

  constructor(what: string) {
    super(`${process.platform} has no ${what}`);
    this.lackingHere = this.message;
  }
}

/** Throws LackingHere if this system has not got a helper. */
export function requires(name: keyof Native): void {
  if (!has(name)) throw new LackingHere(name);
}

/** Throws LackingHere, if that is what a child process has died of, or why it could not be started. */
export function passOnLacking(stderr: string): void {
  const lacking =
    /lackingHere: '\w+ has no ([^']+)'/.exec(stderr)?.[1] ??
    /PolluxError: This system has no ([^\n]+)/.exec(stderr)?.[1] ??
    /spawn (\w+) ENOENT/.exec(stderr)?.[1] ??
    /ENOSYS.*(pidfd)_open/.exec(stderr)?.[1];
  if (lacking !== undefined) throw new LackingHere(lacking);
}

const addon = load(fileURLToPath(new URL('..', import.meta.url)));

/** Whether this system has a helper; calling one that it has not throws LackingHere. */
export function has(name: keyof Native): boolean {
  return name in addon;
}

export const native: Native = new Proxy(addon, {
  get(helpers, name) {
    const helper: unknown = Reflect.get(helpers, name);
    if (helper !== undefined || typeof name !== 'string') return helper;
    return () => {
      throw new LackingHere(name);
    };
  },
});

const EAGAIN = -constants.errno.EAGAIN;
const ENOSYS = -constants.errno.ENOSYS;

/** The name of a negative errno of the C library, whose numbers are not Node's on Windows. */
export function errnoName(errno: number): string {
  const nodes = getSystemErrorName(errno);
  if (nodes.startsWith('E')) return nodes;
  return Object.entries(constants.errno).find(([, number]) => number === -errno)?.[0] ?? nodes;
}

/** The Error of a failed system call, as Node's own look. */
function systemError(errno: number, syscall: string): NodeJS.ErrnoException {
  const code = errnoName(errno);
  return Object.assign(new Error(`${syscall}: ${code}`), { code, errno, syscall });
}

/** Gives the result back, or throws it if it is a negative errno. */
export function check(result: number, syscall: string): number {
  if (result === ENOSYS && process.platform === 'win32') throw new LackingHere(syscall);
  if (result < 0) throw systemError(result, syscall);
  return result;
}

/** The same, with null for a call that would have to block. */
export function checkUnlessAgain(result: number, syscall: string): number | null {
  return result === EAGAIN ? null : check(result, syscall);
}

/** Calls what writes two descriptors, and gives them back. */
export function checkPair(
  call: (out: Int32Array) => number,
  syscall: string,
): [first: number, second: number] {
  const out = new Int32Array(2);
  check(call(out), syscall);
  return [out[0]!, out[1]!];
}

/** Bytes as the addon takes them: strings are UTF-8. */
export function toBytes(bytes: Uint8Array | string): Uint8Array {
  return typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
}
