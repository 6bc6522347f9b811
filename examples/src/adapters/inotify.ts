// inotify on a reactor: what happens in a directory or to a file, as the kernel tells it.
//
//   node examples/dist/adapters/inotify.js [path ...]      Ctrl-C ends it
//
// node:fs has watch(), on inotify too, but it tells only 'change' or 'rename'. Here is all of it:
// that a writer has closed its file, which name became which, and that the kernel lost count.
import { constants } from 'node:fs';
import { join } from 'node:path';
import { Reactor } from '@pollux/core';
import koffi from 'koffi';
import { Descriptor } from './descriptor.js';
import { check, isProgram, libc, O_CLOEXEC } from './libc.js';

const inotify_event = koffi.struct({
  wd: 'int',
  mask: 'uint32_t',
  cookie: 'uint32_t',
  len: 'uint32_t',
});
const inotify_init1: (flags: number) => number = libc.func('int inotify_init1(int flags)');
const inotify_add_watch: (fd: number, path: string, mask: number) => number = libc.func(
  'int inotify_add_watch(int fd, const char *path, uint32_t mask)',
);
const inotify_rm_watch: (fd: number, wd: number) => number = libc.func(
  'int inotify_rm_watch(int fd, int wd)',
);

/** The names of the bits, as in inotify(7): IN_CLOSE_WRITE is 'close-write'. */
const BITS: Record<string, number> = {
  access: 0x1,
  modify: 0x2,
  attrib: 0x4,
  'close-write': 0x8,
  'close-nowrite': 0x10,
  open: 0x20,
  'moved-from': 0x40,
  'moved-to': 0x80,
  create: 0x100,
  delete: 0x200,
  'delete-self': 0x400,
  'move-self': 0x800,
  unmount: 0x2000,
  overflow: 0x4000,
  ignored: 0x8000,
};
const IN_IGNORED = 0x8000;
const CHANGES = ['modify', 'attrib', 'close-write', 'moved-from', 'moved-to', 'create', 'delete'];

export interface Change {
  /** What changed: the path given to watch(), and the name in it. Empty for an overflow. */
  readonly path: string;
  /** Usually one; 'ignored' is the last of a path, 'overflow' says that changes were lost. */
  readonly kinds: readonly string[];
  /** Joins a 'moved-from' and its 'moved-to'; otherwise 0. */
  readonly cookie: number;
}

export class Inotify {
  readonly #source: Descriptor;
  readonly #paths = new Map<number, string>();
  readonly #buffer = Buffer.alloc(16_384);
  readonly #onChange: (change: Change) => void;

  constructor(reactor: Reactor, onChange: (change: Change) => void) {
    this.#onChange = onChange;
    const fd = check(inotify_init1(constants.O_NONBLOCK | O_CLOEXEC), 'inotify_init1');
    this.#source = new Descriptor(reactor, fd, () => this.#read());
  }

  /** Watches a path from here on, for these kinds of change instead of those it was watched for. */
  watch(path: string, kinds: readonly string[] = CHANGES): void {
    const mask = kinds.reduce((bits, kind) => bits | (BITS[kind] ?? 0), 0);
    const wd = check(inotify_add_watch(this.#source.fd, path, mask), `inotify_add_watch '${path}'`);
    this.#paths.set(wd, path);
  }

  /** What was found until now is still told, and then 'ignored'. */
  unwatch(path: string): void {
    for (const [wd, watched] of this.#paths) {
      if (watched === path) check(inotify_rm_watch(this.#source.fd, wd), 'inotify_rm_watch');
    }
  }

  close(): void {
    this.#source.close();
  }

  // One read per report: it gives whole events only, and what is left is reported again.
  #read(): void {
    const end = this.#source.read(this.#buffer) ?? 0;
    for (let at = 0; at < end && !this.#source.closed; ) {
      const { wd, mask, cookie, len } = koffi.decode(this.#buffer, at, inotify_event);
      at += koffi.sizeof(inotify_event);
      const name = this.#buffer.toString('utf8', at, at + len).replace(/\0+$/, '');
      at += len;
      const path = join(this.#paths.get(wd) ?? '', name);
      if (mask & IN_IGNORED) this.#paths.delete(wd);
      const kinds = Object.keys(BITS).filter((kind) => mask & (BITS[kind] ?? 0));
      this.#onChange({ path: wd === -1 ? '' : path, kinds, cookie });
    }
  }
}

if (isProgram(import.meta.url)) {
  const inotify = new Inotify(new Reactor(), ({ path, kinds }) => console.log(path, ...kinds));
  const paths = process.argv.length > 2 ? process.argv.slice(2) : ['.'];
  for (const path of paths) inotify.watch(path);
  process.once('SIGINT', () => inotify.close());
  console.log(`watching ${paths.join(' ')}; Ctrl-C stops`);
}
