// What the tests of the adapters share: reactors that are closed after each test, what callbacks
// brought, the process's own descriptors, and a network to play in.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { Reactor } from '@pollux/core';
import koffi from 'koffi';
import { afterEach } from 'vitest';

export { backends } from '../support.js';

/** The environment for somebody else's program: without the sanitizer's runtime, which is ours. */
export const foreignEnvironment: NodeJS.ProcessEnv = { ...process.env };
delete foreignEnvironment.LD_PRELOAD;

const toClose = new Set<{ close(): void }>();
afterEach(() => {
  const closables = [...toClose].reverse();
  toClose.clear();
  for (const closable of closables) closable.close();
});

/** Closes it after the test, last come first served. */
export function closing<T extends { close(): void }>(closable: T): T {
  toClose.add(closable);
  return closable;
}

export function newReactor(backend: string): Reactor {
  return closing(new Reactor({ backend }));
}

/** What callbacks have brought so far, and a wait until it is enough. */
export class Inbox<T> {
  readonly items: T[] = [];
  #look = (): void => {};

  readonly add = (item: T): void => {
    this.items.push(item);
    this.#look();
  };

  until(enough: (items: readonly T[]) => boolean): Promise<readonly T[]> {
    return new Promise((resolve) => {
      this.#look = () => {
        if (enough(this.items)) resolve(this.items);
      };
      this.#look();
    });
  }
}

/** This process's descriptors of a kind, as /proc names it, with the flags each must have. */
export function descriptors(kind: RegExp): { nonblocking: boolean; cloexec: boolean }[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      if (!kind.test(readlinkSync(`/proc/self/fd/${fd}`))) return [];
      const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
      const flags = Number.parseInt(/^flags:\s*(\d+)$/m.exec(info)?.[1] ?? '', 8);
      return [{ nonblocking: (flags & 0o4000) !== 0, cloexec: (flags & 0o2000000) !== 0 }];
    } catch {
      return []; // the one that was open for reading the directory
    }
  });
}

/** Why a shared library cannot be used, or undefined if it can. */
export function lacksLibrary(name: string): string | undefined {
  try {
    koffi.load(name).unload();
    return undefined;
  } catch (error) {
    return `${name}: ${(error as Error).message}`;
  }
}

/** A network namespace of one's own: how to start a program in one, and how to join it. */
export interface OwnNetwork {
  start: string[];
  join(pid: number | undefined): string[];
}

const ways: OwnNetwork[] = [
  { start: ['unshare', '-n'], join: (pid) => ['nsenter', '-t', `${pid}`, '-n'] },
  {
    start: ['unshare', '-rn'],
    join: (pid) => ['nsenter', '-t', `${pid}`, '-U', '--preserve-credentials', '-n'],
  },
];

/** The first way in which a command works in a network of its own, or why there is none. */
export function ownNetwork(...probe: string[]): OwnNetwork | string {
  let reason = '';
  for (const way of ways) {
    const [command = '', ...args] = [...way.start, ...probe];
    const run = spawnSync(command, args, { env: foreignEnvironment, encoding: 'utf8' });
    if (run.status === 0) return way;
    reason = `${[command, ...args].join(' ')}: ${run.error?.message ?? run.stderr.trim()}`;
  }
  return reason;
}
