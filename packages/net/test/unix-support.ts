// What the tests of Unix sockets have in common: a directory for their paths, and descriptors that
// tell which one is which.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type OwnedFd, UnixStream as Unix, type UnixStream } from '@pollux/net';
import { close, openFds, pipe, read } from '@pollux/testkit';
import { afterAll } from 'vitest';
import type { Bench } from './support.js';

const directory = mkdtempSync(join(tmpdir(), 'pollux-unix-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
let made = 0;

/** A path that nobody has used. */
export function newPath(): string {
  return join(directory, `${made++}`);
}

/** An abstract name that nobody has used. */
export function newName(): string {
  return `\0pollux-${process.pid}-${made++}`;
}

export function pairOf(bench: Bench): [UnixStream, UnixStream] {
  const [first, second] = Unix.pair(bench.reactor);
  return [bench.track(first), bench.track(second)];
}

/** A descriptor that is closed when the test is over, unless it was by then. */
export function tracked(bench: Bench, fd: number): number {
  bench.track({
    [Symbol.dispose]: () => {
      if (openFds().includes(fd)) close(fd);
    },
  });
  return fd;
}

/** What a stream brings, in order: bytes as text, and for each pipe's end that arrives its text. */
export function collect(stream: UnixStream): { text: string; fds: number; order: string[] } {
  const got = { text: '', fds: 0, order: [] as string[] };
  stream.on('fds', (fds) => {
    got.fds += fds.length;
    for (const fd of fds) got.order.push(`<${readAndClose(fd)}>`);
  });
  stream.on('data', (data) => {
    got.text += data.toString('latin1');
    got.order.push(data.toString('latin1'));
  });
  return got;
}

function readAndClose(fd: OwnedFd): string {
  const text = read(fd.fd)?.toString() ?? '';
  fd.close();
  return text;
}

/** The reading end of a pipe that has this text in it. */
export function labelled(write: (fd: number, text: string) => unknown, text: string): number {
  const [reader, writer] = pipe();
  write(writer, text);
  close(writer);
  return reader;
}
