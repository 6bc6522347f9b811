// A pseudoterminal on a reactor: a program that believes it runs on a terminal, and is driven by
// this one. What script(1), sshd and terminal emulators do.
//
//   node examples/dist/adapters/pty.js [command [argument ...]]      sh, if nothing is said
//
// net.Socket refuses a terminal's descriptor, and tty.ReadStream knows no master side. The master
// reads EIO once the last process has closed the slave: that is the end of the output, no error.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { Reactor } from '@pollux/core';
import { Descriptor } from './descriptor.js';
import { check, isProgram, libc, O_CLOEXEC, systemError } from './libc.js';

const posix_openpt: (flags: number) => number = libc.func('int posix_openpt(int flags)');
const grantpt: (fd: number) => number = libc.func('int grantpt(int fd)');
const unlockpt: (fd: number) => number = libc.func('int unlockpt(int fd)');
const ptsname_r: (fd: number, name: Buffer, size: number) => number = libc.func(
  'int ptsname_r(int fd, void *name, size_t size)',
);
const ioctl: (fd: number, request: number, type: string, size: Uint16Array) => number = libc.func(
  'int ioctl(int fd, unsigned long request, ...)',
);
const TIOCSWINSZ = 0x5414;

export interface PtySettings {
  columns?: number | undefined;
  rows?: number | undefined;
  env?: NodeJS.ProcessEnv;
  onOutput: (data: Buffer) => void;
}

export class PtyProcess {
  readonly child: ChildProcess;
  /** The exit code, or null after a signal; when the last process has left the terminal, too. */
  readonly ended: Promise<number | null>;
  readonly #master: Descriptor;
  readonly #buffer = Buffer.alloc(65_536);
  readonly #onOutput: (data: Buffer) => void;
  #input: Buffer = Buffer.alloc(0);
  #onHangup = (): void => {};

  constructor(reactor: Reactor, command: readonly string[], settings: PtySettings) {
    this.#onOutput = settings.onOutput;
    const { O_RDWR, O_NOCTTY, O_NONBLOCK } = constants;
    const master = check(posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC), 'posix_openpt');
    this.#master = new Descriptor(reactor, master, () => {
      this.#flush();
      this.#read();
    });
    this.resize(settings.columns ?? 80, settings.rows ?? 24);
    const slave = openSync(slavePath(master), O_RDWR | O_NOCTTY); // and O_CLOEXEC
    // setsid -c makes it the controlling terminal: Ctrl-C becomes SIGINT, and so on.
    this.child = spawn('setsid', ['-c', ...command], {
      stdio: [slave, slave, slave],
      env: settings.env ?? process.env,
    });
    closeSync(slave);
    const hungUp = new Promise<void>((resolve) => {
      this.#onHangup = resolve;
    });
    this.ended = Promise.all([once(this.child, 'exit'), hungUp]).then(([[code]]) => code);
  }

  /** Types this. What the terminal has no room for goes out as it gets room. */
  write(text: string | Uint8Array): void {
    if (this.#master.closed) return;
    this.#input = Buffer.concat([this.#input, Buffer.from(text as string)]);
    this.#flush();
  }

  /** Tells the programs in it that their window has another size. */
  resize(columns: number, rows: number): void {
    const size = Uint16Array.of(rows, columns, 0, 0);
    check(ioctl(this.#master.fd, TIOCSWINSZ, 'void *', size), 'ioctl TIOCSWINSZ');
  }

  /** Hangs up: what still runs in the terminal gets a SIGHUP. */
  close(): void {
    this.#master.close();
    this.#onHangup();
  }

  #read(): void {
    try {
      const length = this.#master.read(this.#buffer);
      if (length === undefined) return;
      this.#onOutput(Buffer.from(this.#buffer.subarray(0, length)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EIO') throw error;
      this.close();
    }
  }

  #flush(): void {
    if (this.#input.length === 0) return;
    try {
      while (this.#input.length > 0) {
        this.#input = this.#input.subarray(writeSync(this.#master.fd, this.#input));
      }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EIO')
        this.#input = Buffer.alloc(0); // nobody is there any more
      else if (code !== 'EAGAIN') throw error;
    }
    this.#master.waitWritable(this.#input.length > 0);
  }
}

/** Makes the other side usable, and tells its path. */
function slavePath(master: number): string {
  check(grantpt(master), 'grantpt');
  check(unlockpt(master), 'unlockpt');
  const name = Buffer.alloc(128);
  const errno = ptsname_r(master, name, name.length);
  if (errno !== 0) throw systemError(errno, 'ptsname_r');
  return name.toString('utf8', 0, name.indexOf(0));
}

if (isProgram(import.meta.url)) {
  const { stdin, stdout } = process;
  const command = process.argv.length > 2 ? process.argv.slice(2) : ['sh'];
  const pty = new PtyProcess(new Reactor(), command, {
    columns: stdout.columns,
    rows: stdout.rows,
    onOutput: (data) => stdout.write(data),
  });
  if (stdin.isTTY) stdin.setRawMode(true); // Ctrl-C is for the program in there
  stdin.on('data', (data) => pty.write(data));
  stdin.on('end', () => pty.write('\x04'));
  stdout.on('resize', () => pty.resize(stdout.columns, stdout.rows));
  process.exitCode = (await pty.ended) ?? 1;
  if (stdin.isTTY) stdin.setRawMode(false);
  stdin.destroy();
}
