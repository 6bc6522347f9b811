// Compiles and links one addon for one target (targets.mjs) with the tools of tools.mjs.
//
// The flags are those of packages/addon/native.gypi, some that harden, and -Os: the time of an addon is
// the kernel's and Node's, but whoever installs one has it for every processor. As in the build of one's
// own machine, packages/addon/src/runtime.cc stands in for the C++ library, so that the addon needs libc
// alone: it is linked as C, and so no C++ library is even looked at.
//
// The same sources and tools give the same bytes: no time is written, and no path of this machine.
// Sources are named relative to native/, and what is named in full otherwise (the headers of
// node-addon-api) loses what is before node_modules.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { root } from '../lib.mjs';
import { ENTRY_POINTS } from './macho.mjs';
import { MACOS, pathOf } from './targets.mjs';
import { home, LD64, tool, zig, zigHome } from './tools.mjs';

const require = createRequire(import.meta.url);
const addonPackage = join(root, 'packages/addon');
const headers = [
  resolve(
    root,
    createRequire(join(root, 'packages/net/package.json'))('node-addon-api').include_dir,
  ),
  require('node-api-headers').include_dir,
];

const flags = [
  ...['-std=c++20', '-Os', '-fno-exceptions', '-fno-rtti'],
  ...['-ffunction-sections', '-fdata-sections', '-Wall', '-Wextra', '-Wshadow', '-Wvla'],
  ...define('NAPI_VERSION=8', 'NAPI_DISABLE_CPP_EXCEPTIONS', 'NODE_ADDON_API_DISABLE_DEPRECATED'),
  ...define('NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS', 'BUILDING_NODE_EXTENSION'),
  ...define('POLLUX_OWN_CXX_RUNTIME', '_GLIBCXX_EXTERN_TEMPLATE=0', 'NODE_GYP_MODULE_NAME=pollux'),
  // The compiler's name and version is not for users' disks.
  '-fno-ident',
  ...[`-ffile-prefix-map=${root}=`, `-ffile-prefix-map=${home}=`],
  // Node's headers are a system's for the compiler: their warnings are not ours to mend.
  ...['-I', join(addonPackage, 'include'), ...headers.flatMap((path) => ['-isystem', path])],
];
const posixFlags = [
  ...['-Werror', '-pthread', '-fPIC', '-fvisibility=hidden', '-fvisibility-inlines-hidden'],
  '-fstack-protector-strong',
  // Nothing is thrown through our frames, and no thread of ours is cancelled.
  ...['-fno-asynchronous-unwind-tables', '-fno-unwind-tables'],
];
const windowsFlags = [
  ...['-U_WIN32_WINNT', ...define('_WIN32_WINNT=0x0A00'), '-Wno-cast-function-type'],
  ...['-Wno-unknown-pragmas', '-Werror=return-type', '-Werror=uninitialized', '-Werror=format'],
  '-Werror=switch',
];
const windowsLibraries = ['-lws2_32', '-liphlpapi', '-lntdll'];

/** Builds `addon` for `target`; `queue` bounds how many compilers run. Resolves when it is in place. */
export async function build(addon, target, queue) {
  const native = join(root, 'packages', addon.name, 'native');
  const objects = join(home, target.id, addon.name);
  mkdirSync(objects, { recursive: true });
  const own = sources(addon.own, '.', native, target).map((file) =>
    queue(() => compile(file, { target, native, objects })),
  );
  const compiled = await Promise.all([...own, ...sharedObjects(addon.shared, target, queue)]);
  if (target.platform === 'win32') {
    writeFileSync(join(objects, 'node_api_names.inc'), nodeApiNames(compiled));
    const table = { target, native: addonPackage, objects };
    compiled.push(await queue(() => compile('windows/node_api.cc', table)));
  }
  const linked = join(objects, `${addon.name}.node`);
  await queue(() => link[target.platform](linked, compiled, { addon, target, objects }));
  // By another name first: whoever has the old file loaded shall keep it.
  const file = join(root, 'packages', addon.name, pathOf(addon.name, target));
  mkdirSync(dirname(file), { recursive: true });
  copyFileSync(linked, `${file}.new`);
  chmodSync(`${file}.new`, 0o755);
  renameSync(`${file}.new`, file);
}

const shared = new Map();

/** The objects of packages/addon/src, made once for a target, whatever addons they go into. */
function sharedObjects(choice, target, queue) {
  const objects = join(home, target.id, 'addon');
  mkdirSync(objects, { recursive: true });
  return sources(choice, 'src', addonPackage, target).map((file) => {
    const key = `${target.id} ${basename(file)}`;
    if (!shared.has(key)) {
      const where = { target, native: addonPackage, objects };
      shared.set(
        key,
        queue(() => compile(file, where)),
      );
    }
    return shared.get(key);
  });
}

/** Paths relative to `native`, for they are in the code (assert's __FILE__). */
function sources(choice, directory, native, { platform }) {
  if (choice !== 'all') return choice.map((file) => join(directory, file));
  const command = [join(addonPackage, 'sources.mjs'), directory, platform];
  const text = execFileSync(process.execPath, command, { cwd: native, encoding: 'utf8' });
  return text.trim().split('\n');
}

async function compile(file, { target, native, objects }) {
  const object = join(objects, basename(file).replace(/\.cc$/, '.o'));
  const what = [
    ...flags,
    ...(target.platform === 'win32' ? windowsFlags : posixFlags),
    // As common.gypi. fstat is fstat64 then, which runtime.cc answers; zig's own fstat for an old glibc
    // is a static one, with an errno of its own that nobody reads.
    ...(target.libc === 'glibc' ? define('_FILE_OFFSET_BITS=64') : []),
    // musl's own CMSG_NXTHDR compares what -Wextra would not have compared.
    ...(target.libc === 'musl' ? ['-Wno-sign-compare'] : []),
    // For node_api_names.inc.
    ...(target.platform === 'win32' ? ['-I', objects] : []),
    ...['-c', file, '-o', object],
  ];
  if (target.mingw) await tool(`${target.mingw}-g++-posix`, what, native);
  else await zig(['c++', '-target', target.zig, ...what], native);
  return object;
}

/** How the objects become a library: it shows Node's entry points, and nothing else. */
const link = {
  linux: (file, objects, { target, objects: directory }) =>
    zig(
      [
        ...['cc', '-target', target.zig, '-shared', '-s', '-pthread'],
        `-Wl,--version-script=${join(addonPackage, 'exports.map')}`,
        ...['-Wl,--gc-sections', '-Wl,-z,relro', '-Wl,-z,now', '-Wl,-z,noexecstack'],
        ...['-o', file, ...objects],
      ],
      directory,
    ),
  darwin: (file, objects, { addon, target }) =>
    tool(LD64, [
      ...['-arch', target.lld, '-platform_version', 'macos', MACOS, MACOS, '-dylib'],
      // Node-API is the host's: node's, or that of whatever has loaded us.
      ...['-undefined', 'dynamic_lookup', '-install_name', `@rpath/${addon.name}.node`],
      ...ENTRY_POINTS.flatMap((symbol) => ['-exported_symbol', symbol]),
      ...['-dead_strip', '-S', '-x', '-o', file],
      ...[...objects, join(zigHome, 'lib/libc/darwin/libSystem.tbd')],
    ]),
  win32: async (file, objects, { target, objects: directory }) => {
    const what = [
      ...['-shared', '-s', '-Wl,--gc-sections', '-Wl,--dynamicbase', '-Wl,--nxcompat'],
      '-Wl,--high-entropy-va',
      ...(target.mingw ? ['-Wl,--no-insert-timestamp'] : []),
    ];
    // Relative, for mingw's ld takes the address to load at from the very name.
    const rest = ['-o', basename(file), ...objects, ...windowsLibraries];
    // winpthread's stubs, if any, come from the archive.
    const archives = ['-static', '-static-libgcc'];
    if (target.mingw)
      await tool(`${target.mingw}-gcc-posix`, [...what, ...archives, ...rest], directory);
    else await zig(['cc', '-target', target.zig, ...what, ...rest], directory);
    // zig takes no option for that: the time of linking, in the file's header (winnt.h).
    const bytes = readFileSync(file);
    bytes.writeUInt32LE(0, bytes.readUInt32LE(0x3c) + 8);
    writeFileSync(file, bytes);
  },
};

/**
 * The functions of Node-API that the objects import, as lines of node_api.cc. A name of more than eight
 * characters is in the table of strings at the end of an object, whatever the processor.
 */
function nodeApiNames(objects) {
  const texts = objects.map((object) => readFileSync(object, 'latin1'));
  const names = texts.flatMap((text) =>
    [...text.matchAll(/\b__imp_((?:napi|node_api)_\w+)/g)].map(([, name]) => name),
  );
  return [...new Set(names)]
    .sort()
    .map((name) => `NODE_API_NAME(${name})\n`)
    .join('');
}

function define(...names) {
  return names.map((name) => `-D${name}`);
}
