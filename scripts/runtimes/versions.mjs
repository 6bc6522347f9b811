// The runtimes that the suites are run on, all from npm and pinned: how each is fetched, and how a
// program is started on it. They are kept in .runtimes/.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureInstalled, root, run } from '../lib.mjs';

export const home = join(root, '.runtimes');
const sysroot = '/usr/aarch64-linux-gnu';

/** `args` come before the program's path; `slow` is how much longer things may take. */
export const runtimes = [
  node('node20', 'x64', '20.20.2'),
  node('node22', 'x64', '22.23.3'),
  node('node24', 'x64', '24.21.0'),
  node('node26', 'x64', '26.10.0'),
  { ...node('arm64', 'arm64', '22.23.3'), title: 'Node 22.23.3 for arm64, under qemu', slow: 6 },
  {
    // The one that asks nothing of the processor that qemu or an old machine has not.
    ...from('bun', '@oven/bun-linux-x64-baseline', '1.4.5', 'bin/bun'),
    title: 'Bun 1.4.5',
    args: ['--no-install'],
  },
  {
    ...from('deno', '@deno/linux-x64-glibc', '2.9.6', 'deno'),
    title: 'Deno 2.9.6',
    args: ['run', '--allow-all', '--node-modules-dir=manual', '--no-lock'],
    env: { DENO_NO_UPDATE_CHECK: '1' },
  },
];

function node(name, arch, version) {
  const one = from(name, `node-linux-${arch}`, version, 'bin/node');
  return { ...one, title: `Node ${version}`, arch };
}

function from(name, npm, version, program) {
  return { name, npm, version, program, arch: 'x64', args: [], env: {}, slow: 1 };
}

/** Fetches a runtime that is not there yet. Returns `[command, args, env]`, to start a program with. */
export function fetchRuntime({ name, npm, version, program, arch, args, env }) {
  const directory = join(home, `${name}-${version}`);
  const file = join(directory, 'package', program);
  if (!existsSync(file)) {
    const half = `${directory}.part`;
    rmSync(half, { recursive: true, force: true });
    mkdirSync(half, { recursive: true });
    const quiet = { cwd: half, stdio: ['ignore', 'ignore', 'inherit'] };
    run('npm', ['pack', '--silent', `${npm}@${version}`], quiet);
    const tarball = `${npm.replace('@', '').replace('/', '-')}-${version}.tgz`;
    run('tar', ['xzf', tarball], quiet);
    rmSync(join(half, tarball));
    renameSync(half, directory);
  }
  if (name === 'deno')
    return [file, args, { ...env, RUNTIME_EXEC_PATH: startedAsNode(directory, file, args) }];
  return arch === 'arm64' ? underQemu(directory, file) : [file, args, env];
}

/**
 * A script for process.execPath of tests: Deno evaluates the text after --eval as CommonJS, whatever
 * --input-type says, and calls V8's flags otherwise. The text goes to a file beside the test.
 */
function startedAsNode(directory, file, args) {
  const script = join(directory, 'as-node');
  const start = `exec "${file}" ${args.join(' ')} $flags`;
  const lines = [
    '#!/bin/sh',
    'while :; do',
    '  case $1 in',
    '    --input-type=module) shift ;;',
    '    --expose-gc) flags=--v8-flags=--expose-gc; shift ;;',
    '    -e | --eval)',
    '      text=$(mktemp ./.eval-XXXXXX.mjs) || exit',
    `      printf '%s' "$2" >"$text"`,
    '      shift 2',
    `      ${start} "$text" "$@"`,
    '      ;;',
    `    *) ${start} "$@" ;;`,
    '  esac',
    'done',
  ];
  writeFileSync(script, `${lines.join('\n')}\n`, { mode: 0o755 });
  return script;
}

/**
 * By qemu's user mode, without binfmt_misc: what a test starts as process.execPath is a script that
 * calls qemu again.
 */
function underQemu(directory, file) {
  ensureInstalled('qemu-aarch64-static', ['qemu-user-static']);
  const library = join(sysroot, 'lib/libatomic.so.1');
  if (!existsSync(library))
    ensureInstalled(library, [
      ...['libc6-arm64-cross', 'libstdc++6-arm64-cross', 'libatomic1-arm64-cross'],
    ]);
  const script = join(directory, 'node');
  const preload = join(directory, 'exec-path.cjs');
  writeFileSync(script, `#!/bin/sh\nexec qemu-aarch64-static -L ${sysroot} "${file}" "$@"\n`, {
    mode: 0o755,
  });
  writeFileSync(preload, `process.execPath = ${JSON.stringify(script)};\n`);
  return [script, [], { NODE_OPTIONS: `--require "${preload}"` }];
}
