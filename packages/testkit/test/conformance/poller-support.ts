// What the poller suites share: refusals as patterns, a thread that wakes this one, child processes
// for what would end this one, and the time that a poller burns when it spins.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { getSystemErrorMap } from 'node:util';
import { Worker, type WorkerOptions } from 'node:worker_threads';
import type { Poller, Waker } from '@pollux/core';
import { openFds, passOnLacking, pipe, write } from '@pollux/testkit';
import type { Case, Scene } from '@pollux/testkit/conformance';
import { expect } from 'vitest';

/** Where nothing but a hang can take so long. */
export const HANG_MS = 2000;

const CHANGE_CALLS: Readonly<Record<string, string>> = {
  epoll: 'epoll_ctl',
  iocp: 'IOCTL_AFD_POLL',
  kqueue: 'kevent',
};

/** What a change of registrations is called in an error of this backend. */
export function changeCall(backend: string): string {
  return CHANGE_CALLS[backend] ?? backend;
}

/** The model of kqueue keeps its own descriptors from this number on. */
const MODEL_FDS = 500;

/** What was opened since `before`, but for the inner parts of the kqueue model. */
export function openedSince(before: readonly number[]): number[] {
  const model = process.env.POLLUX_KQUEUE_MODEL !== undefined;
  return openFds().filter((fd) => !before.includes(fd) && !(model && fd >= MODEL_FDS));
}

/** How many descriptors a poller opens, as far as `openFds` shows them: on Windows, sockets only. */
export function descriptorsOf({ backend, way }: Case): number {
  if (process.platform === 'win32') return backend === 'select' ? 1 : 0;
  // A kqueue is all in one, but for a pipe to wake it where EVFILT_USER does not work.
  if (backend === 'kqueue') return process.env.POLLUX_KQUEUE_MODEL === 'contrary' ? 3 : 1;
  // The set and the waker; a timer where Node's loop does the waiting.
  return way === 'uv' ? 3 : 2;
}

/** An error of the system or of Pollux, by its code. */
export function refused(code: string, more: object = {}): Error {
  return expect.objectContaining({ code, ...more });
}

/** `true` if the poller knows the descriptor; an empty modify of what it knows would show. */
export function expectUnknown(poller: Poller, fd: number): void {
  expect(() => poller.delete(fd)).toThrow(refused('ENOENT', { fd }));
}

/** Node's own number for an error of the system. */
export function errnoOf(code: string): number | undefined {
  for (const [number, [name]] of getSystemErrorMap()) if (name === code) return number;
  return undefined;
}

/** A pipe with a byte in it: [reader, writer]. */
export function readyPipe(scene: Scene): [reader: number, writer: number] {
  const ends = scene.fds.trackAll(pipe());
  write(ends[1], 'x');
  return ends;
}

/** How much processor time `action` took in this process: a wait takes none, a spin all there is. */
export async function cpuMs(action: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await action();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

export function startWorker(name: string, workerData: unknown, options?: WorkerOptions): Worker {
  return new Worker(fixture(name), { ...options, workerData });
}

/** The next message of a worker; its error, or that it ended, if that comes first. */
export async function message(worker: Worker): Promise<unknown> {
  const ended = once(worker, 'exit').then(([code]) => {
    throw new Error(`the worker ended with ${code} and said nothing`);
  });
  return (await Promise.race([once(worker, 'message'), ended]))[0];
}

/** Another thread that wakes a poller, while this thread is blocked and can do nothing. */
export class RemoteWaker implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #control = new Int32Array(new SharedArrayBuffer(12));

  private constructor(waker: Waker) {
    this.#worker = startWorker('poller-waker.mjs', { waker, control: this.#control });
  }

  static async start(waker: Waker): Promise<RemoteWaker> {
    const remote = new RemoteWaker(waker);
    await message(remote.#worker);
    return remote;
  }

  /** Begins to wake, so many times, after a delay. */
  wake(times: number, delayMs: number): void {
    this.#control[1] = delayMs;
    Atomics.store(this.#control, 2, 0);
    Atomics.store(this.#control, 0, times);
    Atomics.notify(this.#control, 0);
  }

  /** How many of them found a poller, once all are done. */
  answers(): number {
    while (Atomics.load(this.#control, 0) !== 0)
      Atomics.wait(this.#control, 0, this.#control[0]!, 5);
    return Atomics.load(this.#control, 2);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** From its first output to its end. */
  readonly afterOutputMs: number;
}

/** Runs test/fixtures/<name> to its end. One that hangs is killed, which its `signal` tells. */
export async function runFixture(
  name: string,
  args: readonly string[],
  onOutput?: (child: ChildProcess) => void,
): Promise<Ended> {
  const child = spawn(process.execPath, [fixture(name), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 15_000,
    killSignal: 'SIGKILL',
  });
  let [stdout, stderr] = ['', ''];
  let spoke: number | undefined;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    spoke ??= performance.now();
    onOutput?.(child);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  passOnLacking(stderr);
  return { code, signal, stdout, stderr, afterOutputMs: performance.now() - (spoke ?? 0) };
}
