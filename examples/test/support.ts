// Runs an example as a user would: `node examples/dist/<name>.js`, and watches what it prints.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { explainSelection } from '@pollux/core';
import { afterEach, expect, test } from 'vitest';

/** The backends under test: POLLUX_BACKEND, or all that work on this system. */
export const backends: readonly string[] = explainSelection({ ignoreEnvironment: true })
  .candidates.filter(({ available }) => available)
  .map(({ backend }) => backend)
  .filter((name) => !process.env.POLLUX_BACKEND || name === process.env.POLLUX_BACKEND);

const directory = fileURLToPath(new URL('../dist/', import.meta.url));

export interface Running {
  readonly child: ChildProcess;
  /** What it has printed so far. */
  readonly output: { stdout: string; stderr: string };
  /** Waits for what it prints to match. */
  until(pattern: RegExp): Promise<RegExpExecArray>;
  /** Waits for its end. */
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

const running = new Set<ChildProcess>();
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
});

/** The command that runs an example. */
export function commandFor(name: string, ...args: string[]): string[] {
  return [process.execPath, `${directory}${name}.js`, ...args];
}

export function start(
  command: readonly string[],
  options: { env?: NodeJS.ProcessEnv; stdin?: 'pipe' | 'ignore' | number } = {},
): Running {
  const child = spawn(command[0] as string, command.slice(1), {
    env: { ...process.env, ...options.env },
    stdio: [options.stdin ?? 'ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const output = { stdout: '', stderr: '' };
  let look = () => {};
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
      look();
    });
  }
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.on('close', (code, signal) => {
      running.delete(child);
      resolve({ code, signal });
      look();
    });
  });
  const until = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      look = () => {
        const found = pattern.exec(output.stdout);
        if (found !== null) resolve(found);
        else if (!running.has(child)) {
          reject(new Error(`ended without ${pattern}: ${output.stdout}${output.stderr}`));
        }
      };
      look();
    });
  return { child, output, until, ended };
}

/**
 * Sends a signal to a program, which ends well by it. Where programs cannot be sent one (Windows), it is
 * merely killed.
 */
export async function interrupt(
  { child, ended }: Running,
  signal: 'SIGINT' | 'SIGTERM' = 'SIGINT',
) {
  child.kill(signal);
  const killed = process.platform === 'win32';
  expect(await ended).toEqual(killed ? { code: null, signal } : { code: 0, signal: null });
}

/** A test that needs these commands: skipped on a machine where one of them is not installed. */
export function testWith(...commands: string[]) {
  const missing = commands.filter((command) => !installed(command));
  return test.skipIf(missing.length > 0);
}

/** Whether a command is installed. */
export function installed(command: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;
}

/**
 * Runs a shell command to its end without stopping this thread. What is run is somebody else's
 * program: the sanitizer's runtime is for ours (curl hangs under a preloaded AddressSanitizer).
 */
export async function shell(command: string): Promise<string> {
  const run = start(['env', '-u', 'LD_PRELOAD', 'sh', '-c', command]);
  await run.ended;
  return run.output.stdout;
}
