// What the tests of core share: child processes, and installations of Pollux in a temporary
// directory that can be broken at will.
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Instead of this process's POLLUX_* variables. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** The program, with node's path and arguments behind it: `['sh', '-c', 'ulimit ...']`. */
  readonly prefix?: readonly string[];
}

/** This process's environment without what chooses a backend. */
function plainEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('POLLUX_')),
  );
}

/** Runs node to its end; what hangs is killed, which `signal` tells. */
export function runNode(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const [program, ...rest] = [...(options.prefix ?? []), process.execPath, ...args] as [
    string,
    ...string[],
  ];
  const child = spawn(program, rest, {
    cwd: options.cwd,
    env: { ...plainEnvironment(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 18_000,
    killSignal: 'SIGKILL',
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, ...output }));
  });
}

/** Runs a module given as text, which prints one JSON value, and parses that. No warnings. */
export async function evaluate(text: string, options: RunOptions = {}): Promise<unknown> {
  const env = { ...options.env, NODE_NO_WARNINGS: '1' };
  const ended = await runNode(['--input-type=module', '--eval', text], { ...options, env });
  if (ended.code !== 0 || ended.stderr !== '') {
    throw new Error(`code ${ended.code}, signal ${ended.signal}: ${ended.stdout}${ended.stderr}`);
  }
  return JSON.parse(ended.stdout);
}

/** Turns the permission model on: Node 22.13 and later have dropped the `experimental`. */
export const permissionFlag: string = process.allowedNodeEnvironmentFlags.has('--permission')
  ? '--permission'
  : '--experimental-permission';

export const fixture = (name: string): string =>
  fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

/** Core with the backends as a user has them, copied to a directory of its own. */
export class Installation implements Disposable {
  readonly directory: string = realpathSync(mkdtempSync(join(tmpdir(), 'pollux-core-')));

  constructor(packages: readonly string[] = ['core', 'epoll', 'select']) {
    for (const name of packages) {
      const from = dirname(require.resolve(`@pollux/${name}/package.json`));
      const to = this.path(`@pollux/${name}`);
      mkdirSync(to, { recursive: true });
      for (const part of ['package.json', 'dist', 'prebuilds', 'bin']) {
        const source = join(from, part);
        if (existsSync(source)) cpSync(source, join(to, part), { recursive: true });
      }
    }
    const build = dirname(require.resolve('node-gyp-build/package.json'));
    cpSync(build, this.path('node-gyp-build'), { recursive: true });
    writeFileSync(join(this.directory, 'package.json'), '{}');
  }

  /** The sanitizer run sends the loader to binaries of its own (scripts/asan-env.cjs): not here. */
  static readonly env: NodeJS.ProcessEnv = {
    '@POLLUX/EPOLL_PREBUILD': '',
    '@POLLUX/SELECT_PREBUILD': '',
  };

  /** A path inside node_modules. */
  path(name: string): string {
    return join(this.directory, 'node_modules', name);
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
