// A pidfd on a reactor: told when a process ends, whoever's child it is.
//
//   node examples/dist/adapters/pidfd.js 1234 5678      waits until both have ended
//
// node:child_process tells of its own children. For any other process there was only asking again
// and again, of a number that may be another process by then. A pidfd (Linux 5.3) stays with its
// process: it becomes readable when that ends, and a signal sent through it can hit no other.
import { constants } from 'node:os';
import { Reactor } from '@pollux/core';
import koffi from 'koffi';
import { Descriptor } from './descriptor.js';
import { check, isProgram, libc, systemError } from './libc.js';

// Not every C library has functions for these; the numbers are those of every architecture.
const PIDFD_SEND_SIGNAL = 424;
const PIDFD_OPEN = 434;
const syscall: (number: number, ...typesAndValues: unknown[]) => number = libc.func(
  'long syscall(long number, ...)',
);

export class ProcessWatch {
  readonly pid: number;
  /** Settles when the process has ended; never, if this is closed before. */
  readonly ended: Promise<void>;
  readonly #source: Descriptor;

  /** Throws ESRCH if there is no such process. */
  constructor(reactor: Reactor, pid: number) {
    this.pid = pid;
    // Close-on-exec unasked. There is no read that could block, so O_NONBLOCK has no meaning here.
    const fd = check(syscall(PIDFD_OPEN, 'int', pid, 'unsigned int', 0), 'pidfd_open');
    const { promise, resolve } = withResolvers();
    this.ended = promise;
    this.#source = new Descriptor(reactor, fd, () => {
      this.close(); // nothing can be read from it: it would be reported for ever
      resolve();
    });
  }

  /** False if the process has ended. */
  kill(signal: NodeJS.Signals): boolean {
    if (this.#source.closed) return false;
    const number = constants.signals[signal];
    const none = ['void *', null, 'unsigned int', 0];
    const result = syscall(PIDFD_SEND_SIGNAL, 'int', this.#source.fd, 'int', number, ...none);
    if (result !== -1) return true;
    const errno = koffi.errno();
    if (errno !== constants.errno.ESRCH) throw systemError(errno, 'pidfd_send_signal');
    return false;
  }

  close(): void {
    this.#source.close();
  }
}

// Promise.withResolvers comes with Node 22.
function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

if (isProgram(import.meta.url)) {
  const reactor = new Reactor();
  for (const pid of process.argv.slice(2)) {
    const watch = new ProcessWatch(reactor, Number(pid));
    watch.ended.then(() => console.log(`${pid} has ended`));
  }
  console.log('waiting');
}
