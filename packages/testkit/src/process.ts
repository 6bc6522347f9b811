// What a test asks of, or does to, its own process.
import { fstatSync, readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { check, has, LackingHere, native } from './native.js';

/** How long a file may stay open before it counts, in steps of 2 ms. */
const PATIENCE = 250;
const still = new Int32Array(new SharedArrayBuffer(4));
/** Numbers that have counted before, while they stay open. */
let counted = new Set<number>();

/**
 * The numbers of all open descriptors, ascending. Not of a file that another thread of this process has
 * open for a moment, which is a matter of its runtime: malloc reads /proc/sys/vm/overcommit_memory when
 * it gives memory back, SQLite in Deno opens the folder of its database.
 */
export function openFds(): number[] {
  let open = listedFds();
  if (process.platform !== 'win32') {
    let files = open.filter((fd) => !counted.has(fd) && isFile(fd));
    for (let tries = 0; files.length > 0 && tries < PATIENCE; tries++) {
      Atomics.wait(still, 0, 0, 2);
      open = listedFds();
      files = files.filter((fd) => open.includes(fd));
    }
  }
  counted = new Set(open);
  return open;
}

function listedFds(): number[] {
  for (let room = 1024; ; room *= 4) {
    const out = new Int32Array(room);
    const count = check(native.openFds(out), 'opendir');
    if (count <= room) return Array.from(out.subarray(0, count)).sort((a, b) => a - b);
  }
}

function isFile(fd: number): boolean {
  try {
    const stat = fstatSync(fd);
    return stat.isFile() || stat.isDirectory();
  } catch (error) {
    // Closed since.
    if ((error as NodeJS.ErrnoException).code === 'EBADF') return true;
    throw error;
  }
}

/** How many descriptors this process has open; on Windows, handles of any kind. */
export function handleCount(): number {
  if (!has('handleCount')) return openFds().length;
  return check(native.handleCount(), 'NtQuerySystemInformation');
}

/** An event of Windows, the HANDLE as a number. `manual`: signalled until it is reset. */
export function createEvent(manual: boolean): number {
  return check(native.createEvent(manual), 'CreateEvent');
}

/** Signals an event. */
export function setEvent(event: number): void {
  check(native.setEvent(event), 'SetEvent');
}

/** Ends what `setEvent` began, of one that is reset by hand. */
export function resetEvent(event: number): void {
  check(native.resetEvent(event), 'ResetEvent');
}

/** The HANDLE of a process, as a number; signalled once it has ended. */
export function openProcess(pid: number): number {
  return check(native.openProcess(pid), 'OpenProcess');
}

/**
 * The HANDLE of a waitable timer, as a number: signalled after `delayMs`, and then every `periodMs` if
 * that is not 0, until somebody has waited for it.
 */
export function createTimer(delayMs: number, periodMs = 0): number {
  return check(native.createTimer(delayMs, periodMs), 'SetWaitableTimer');
}

/** Closes a handle that is no socket. */
export function closeHandle(handle: number): void {
  check(native.closeHandle(handle), 'CloseHandle');
}

/** Raises the soft limit of open descriptors to the hard one, and returns it. */
export function raiseNofile(): number {
  return check(native.raiseNofile(), 'setrlimit');
}

/**
 * How many threads the process has. Not those that are ending: Linux lists a thread until its last
 * moment, and whoever joins it is woken before that; the memory map, say, may be locked meanwhile.
 */
export function threadCount(): number {
  if (has('threadCount')) return check(native.threadCount(), 'CreateToolhelp32Snapshot');
  return readdirSync('/proc/self/task').filter((thread) => !isEnding(thread)).length;
}

/** PF_EXITING of include/linux/sched.h, which /proc/pid/stat shows in its ninth field. */
const EXITING = 0x4;

function isEnding(thread: string): boolean {
  const flags = statOf(`self/task/${thread}`)?.[6];
  return flags === undefined || (Number(flags) & EXITING) !== 0;
}

/** CLOCK_MONOTONIC in nanoseconds: the clock of the kernel's own timeouts. */
export function monotonicNs(): bigint {
  return process.hrtime.bigint();
}

export type DeniableSyscall =
  | 'epoll_pwait2'
  | 'epoll_create1'
  | 'eventfd2'
  | 'timerfd_create'
  | 'pselect6'
  | 'ppoll'
  | 'accept4'
  | 'recvmmsg'
  | 'sendmmsg'
  | 'sendmsg'
  | 'pidfd_open'
  | 'waitid';

/** Makes a system call fail in the whole process, for good: only for a child made for it. */
export function denySyscall(name: DeniableSyscall, errno: 'ENOSYS' | 'EPERM'): void {
  check(native.denySyscall(name, constants.errno[errno]), 'seccomp');
}

/**
 * Forks a child that Node does not know of, so that nobody reaps it. It exits at once with `code`;
 * left out, it waits to be killed. Returns its pid.
 */
export function forkChild(code = -1): number {
  return check(native.forkChild(code), 'fork');
}

/** The state of a process as ps shows it, `'Z'` for a zombie; undefined if there is no such one. */
export function processState(pid: number): string | undefined {
  if (process.platform === 'win32') throw new LackingHere('states of processes');
  return statOf(`${pid}`)?.[0];
}

/**
 * The fields of /proc/.../stat behind the name, of which the state is the first (proc(5)); undefined of
 * what has ended: its folder has gone, or its file has nobody to tell of any more.
 */
function statOf(folder: string): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${folder}/stat`, 'latin1');
    // The name is in brackets, whatever it has inside.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return undefined;
    throw error;
  }
}
