// What the reactor suites share: descriptors that are closed and counted, callbacks that are
// certainly of one batch, and child processes for what would end this one.
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { FdScope, macrotask, openFds, passOnLacking, pipe, write } from '@pollux/testkit';
import { type DrivenReactor, expectOpenFds } from '@pollux/testkit/conformance';
import { afterEach, beforeEach } from 'vitest';

export { macrotask };

/** In a describe: what is tracked is closed after each test, which must leave nothing open. */
export function countedFds(): FdScope {
  const fds = new FdScope();
  let before: number[] = [];
  beforeEach(() => {
    before = openFds();
  });
  afterEach(() => {
    fds.closeAll();
    expectOpenFds(before);
  });
  return fds;
}

/** The reading ends of `count` pipes with a byte in each. */
export function readyPipes(fds: FdScope, count: number): number[] {
  return Array.from({ length: count }, () => {
    const [reader, writer] = fds.trackAll(pipe());
    write(writer, 'x');
    return reader;
  });
}

/**
 * Runs `body` inside a turn, in a timer's callback: the wait thread is at rest then, so what is
 * watched there and ready comes in one batch.
 */
export async function insideTurn(driven: DrivenReactor, body: () => void): Promise<void> {
  let done = false;
  let failure: unknown;
  driven.reactor.timer(0, () => {
    try {
      body();
    } catch (error) {
      failure = error;
    }
    done = true;
  });
  await driven.until(() => done);
  if (failure !== undefined) throw failure;
}

/** What `action` throws, as an object to look into. */
export function thrownBy(action: () => unknown): Error & { code?: string } {
  try {
    action();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The lines it wrote, each one a JSON value. */
  readonly said: unknown[];
  readonly stderr: string;
}

interface FixtureOptions {
  /** Called with each line as it comes. */
  onSaid?: (value: unknown, pid: number) => void;
  nodeArguments?: readonly string[];
  env?: NodeJS.ProcessEnv;
  /** When to take it for hung; 15 s if left out. */
  timeoutMs?: number;
}

/**
 * Runs test/fixtures/<name>.mjs to its end. One that hangs is killed, which its `signal` tells.
 */
export function runFixture(
  name: string,
  fixtureArguments: readonly string[],
  { onSaid, nodeArguments = [], env = {}, timeoutMs = 15_000 }: FixtureOptions = {},
): Promise<Ended> {
  const file = fileURLToPath(new URL(`../fixtures/${name}.mjs`, import.meta.url));
  const child = spawn(process.execPath, [...nodeArguments, file, ...fixtureArguments], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  const said: unknown[] = [];
  let rest = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const value: unknown = JSON.parse(line);
      said.push(value);
      onSaid?.(value, child.pid as number);
    }
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      try {
        passOnLacking(stderr);
        resolve({ code, signal, said, stderr });
      } catch (error) {
        reject(error);
      }
    });
  });
}

/** How many turns a reactor takes in so long, left alone: one or two if nothing happens. */
export async function turnsIn(driven: DrivenReactor, ms: number): Promise<number> {
  const { reactor } = driven;
  const before = reactor.stats().turns;
  if (reactor.mode === 'attached') await sleep(ms);
  else await macrotask(() => reactor.turn(ms));
  return reactor.stats().turns - before;
}

/** What `promise` gives, or `late`; nothing of it keeps Node's loop awake, as a busy test would. */
export async function within<T, L>(promise: Promise<T>, late: L, ms = 5000): Promise<T | L> {
  const clock = new AbortController();
  try {
    return await Promise.race([promise, sleep(ms, late, { signal: clock.signal })]);
  } finally {
    clock.abort();
  }
}
