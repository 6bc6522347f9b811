// npm run build:windows: builds the addons for Windows x64 on this machine, with mingw-w64, into
// prebuilds/win32-x64/ as prebuildify lays it out. On Windows itself `npm run build:native` does it with
// MSVC. The result needs nothing but what every Windows has: no C++ runtime, no import of "node.exe".
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { ensureInstalled, root, run } from './lib.mjs';

const compiler = 'x86_64-w64-mingw32-g++-posix';
const binutils = 'x86_64-w64-mingw32-';
/** What may be imported: the system's own libraries. */
const systemLibraries = /^(KERNEL32|WS2_32|IPHLPAPI|ntdll|msvcrt|ADVAPI32)\.dll$/i;

/** What is built: its own sources beside those of packages/addon, or a choice of these. */
const addons = [
  { name: 'iocp', sources: ['afd.cc', 'handle_watch.cc', 'iocp.cc', 'poll_set.cc'], addon: 'all' },
  { name: 'select', sources: ['select_windows.cc'], addon: 'all' },
  { name: 'net', sources: 'all', addon: ['runtime.cc'] },
  { name: 'testkit', sources: 'all', addon: ['runtime.cc'] },
];

const require = createRequire(import.meta.url);
const includes = [
  join(root, 'packages/addon/include'),
  require('node-api-headers').include_dir,
  dirname(createRequire(join(root, 'packages/select/package.json')).resolve('node-addon-api')),
];
const flags = [
  ...[
    '-O2',
    '-std=c++20',
    '-fno-exceptions',
    '-fno-rtti',
    '-ffunction-sections',
    '-fdata-sections',
  ],
  ...['-Wall', '-Wextra', '-Wshadow', '-Wvla', '-Wno-cast-function-type', '-Wno-unknown-pragmas'],
  ...['-Werror=return-type', '-Werror=uninitialized', '-Werror=format', '-Werror=switch'],
  ...['NAPI_VERSION=8', 'NAPI_DISABLE_CPP_EXCEPTIONS', 'NODE_ADDON_API_DISABLE_DEPRECATED'].map(
    define,
  ),
  ...['NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS', 'BUILDING_NODE_EXTENSION'].map(define),
  ...['POLLUX_OWN_CXX_RUNTIME', '_GLIBCXX_EXTERN_TEMPLATE=0', '_WIN32_WINNT=0x0A00'].map(define),
  // Node's headers are a system's for the compiler: their warnings are not ours to mend.
  ...includes.flatMap((directory, i) => [i === 0 ? '-I' : '-isystem', directory]),
];

ensureInstalled(compiler, ['g++-mingw-w64-x86-64-posix']);
const shared = join(root, 'packages/addon');
const sharedSources = sources(shared, 'src');
for (const { name, sources: own, addon } of addons) build(name, own, addon);

function build(name, own, addon) {
  const directory = join(root, 'packages', name, 'native');
  const objects = join(directory, 'build/win32-x64');
  const output = join(root, 'packages', name, 'prebuilds/win32-x64');
  mkdirSync(objects, { recursive: true });
  mkdirSync(output, { recursive: true });
  const files = [
    ...(own === 'all' ? sources(directory, '.') : own).map((file) => join(directory, file)),
    ...(addon === 'all' ? sharedSources : addon.map((file) => `src/${file}`)).map((file) =>
      join(shared, file),
    ),
  ];
  const compiled = files.map((file) => compile(file, objects, name));
  writeFileSync(join(objects, 'node_api_names.inc'), namesWanted(compiled));
  compiled.push(compile(join(shared, 'windows/node_api.cc'), objects, name, ['-I', objects]));
  const file = join(output, `${name}.node`);
  // As C, so that no C++ library is looked at. winpthread's stubs, if any, come from the archive.
  run(compiler.replace('g++', 'gcc'), [
    ...[
      '-shared',
      '-static',
      '-static-libgcc',
      '-s',
      '-Wl,--gc-sections',
      '-Wl,--no-insert-timestamp',
    ],
    ...['-Wl,--dynamicbase', '-Wl,--nxcompat', '-Wl,--high-entropy-va'],
    ...['-o', file, ...compiled, '-lws2_32', '-liphlpapi', '-lntdll'],
  ]);
  checkImports(file);
  console.log(`built ${file.slice(root.length)}`);
}

function compile(file, objects, name, more = []) {
  const object = join(objects, basename(file).replace(/\.cc$/, '.o'));
  run(compiler, [
    ...flags,
    define(`NODE_GYP_MODULE_NAME=${name}`),
    ...more,
    '-c',
    file,
    '-o',
    object,
  ]);
  return object;
}

/** The functions of Node-API that the objects import, as lines of node_api.cc. */
function namesWanted(objects) {
  const table = execFileSync(`${binutils}nm`, ['-u', ...objects], { encoding: 'utf8' });
  const names = [...table.matchAll(/\b__imp_((?:napi|node_api)_\w+)/g)].map(([, name]) => name);
  return [...new Set(names)]
    .sort()
    .map((name) => `NODE_API_NAME(${name})\n`)
    .join('');
}

function checkImports(file) {
  const headers = execFileSync(`${binutils}objdump`, ['-p', file], { encoding: 'utf8' });
  for (const [, library] of headers.matchAll(/DLL Name: (\S+)/g)) {
    if (systemLibraries.test(library)) continue;
    console.error(`${file} needs ${library}, which not every Windows has`);
    process.exit(1);
  }
}

function sources(directory, under) {
  const list = [join(shared, 'sources.mjs'), under, 'win32'];
  return execFileSync(process.execPath, list, { cwd: directory, encoding: 'utf8' })
    .trim()
    .split('\n');
}

function define(name) {
  return `-D${name}`;
}
