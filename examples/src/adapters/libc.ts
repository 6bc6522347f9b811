// What the adapters have in common: the C library, called through koffi (a foreign function
// interface, so that no example needs a compiler), and its errors made into Node's.
//
// An adapter calls the C library only for what Node lacks, which is mostly to make a descriptor.
// node:fs reads, writes and closes any descriptor there is.
import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { getSystemErrorName } from 'node:util';
import koffi, { type LibraryHandle } from 'koffi';

/** What the process has loaded already, whichever C library that is: glibc, musl. */
export const libc: LibraryHandle = koffi.load(null);

/** Node's fs.constants lack it. The *_CLOEXEC of sockets, timerfd and inotify are the same bit. */
export const O_CLOEXEC = 0o2000000;

/** The error of a failed call, as Node's own look. */
export function systemError(errno: number, syscall: string): NodeJS.ErrnoException {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`${code}: ${syscall}`), { code, errno: -errno, syscall });
}

/** Gives the result back, or throws what errno says if it is -1. To be called at once. */
export function check(result: number, syscall: string): number {
  if (result === -1) throw systemError(koffi.errno(), syscall);
  return result;
}

/** Whether the module at this URL is the program itself, and not imported by another. */
export function isProgram(url: string): boolean {
  const program = process.argv[1];
  return program !== undefined && realpathSync(program) === fileURLToPath(url);
}
