// Which addon is prebuilt for which system, by which compiler, and where the file goes. The names are
// prebuildify's, which node-gyp-build looks for: prebuilds/<platform>-<arch>/<name>.<libc>.node, with a
// tag for the C library on Linux only. `npm run build:native` writes the file of its own machine by the
// same name, so of the two there is only ever one.
import { join } from 'node:path';
import { root } from '../lib.mjs';

/** The oldest that Node 20 (glibc, Windows) and Node 22 (macOS) run on; native.gypi has them too. */
export const GLIBC = '2.28';
export const MACOS = '11.0';

/** `needs` is what a user must have at least; `zig` and `lld` name the target to the tools. */
const targets = [
  ...[
    ['x64', 'x86_64'],
    ['arm64', 'aarch64'],
  ].flatMap(([arch, cpu]) => [
    linux(arch, 'glibc', `${cpu}-linux-gnu.${GLIBC}`, `glibc ${GLIBC}`),
    // Not the version of a symbol, for musl has none: what Alpine has had since 3.13.
    linux(arch, 'musl', `${cpu}-linux-musl`, 'musl 1.2'),
  ]),
  darwin('x64', 'x86_64', 'x86_64'),
  darwin('arm64', 'aarch64', 'arm64'),
  // Debian's mingw-w64, whose results run under Wine (npm run test:windows).
  windows('x64', { mingw: 'x86_64-w64-mingw32' }),
  windows('arm64', { zig: 'aarch64-windows-gnu' }),
];

/** `own` and `shared`: which sources of native/ and of packages/addon/src; 'all' goes by their names. */
const addons = [
  { name: 'epoll', platforms: ['linux'], own: ['epoll.cc'], shared: 'all' },
  { name: 'kqueue', platforms: ['darwin'], own: ['kqueue.cc'], shared: 'all' },
  {
    name: 'iocp',
    platforms: ['win32'],
    own: ['afd.cc', 'handle_watch.cc', 'iocp.cc', 'poll_set.cc'],
    shared: 'all',
  },
  { name: 'poll', platforms: ['linux', 'darwin'], own: ['poll.cc'], shared: 'all' },
  { name: 'select', platforms: ['linux', 'darwin'], own: ['select_posix.cc'], shared: 'all' },
  { name: 'select', platforms: ['win32'], own: ['select_windows.cc'], shared: 'all' },
  { name: 'net', platforms: ['linux', 'darwin', 'win32'], own: 'all', shared: ['runtime.cc'] },
  // Never published: for npm run test:windows and test:runtimes.
  {
    name: 'testkit',
    only: ['win32-x64', 'linux-arm64-glibc'],
    platforms: [],
    own: 'all',
    shared: ['runtime.cc'],
  },
];

/** The packages that are published with binaries. */
export const published = [
  ...new Set(addons.filter(({ only }) => only === undefined).map(({ name }) => name)),
];

/** What is built for a target. */
export function addonsFor(target) {
  return addons.filter(({ platforms, only }) =>
    only === undefined ? platforms.includes(target.platform) : only.includes(target.id),
  );
}

/** The targets of a published package. */
export function targetsOf(name) {
  return targets.filter((target) => addonsFor(target).some((addon) => addon.name === name));
}

/** The path of an addon inside its package. */
export function pathOf(name, { platform, arch, libc }) {
  const tag = libc === undefined ? '' : `.${libc}`;
  return `prebuilds/${platform}-${arch}/${name}${tag}.node`;
}

/** Where a package lists its binaries. */
export function manifestOf(name) {
  return join(root, 'packages', name, 'prebuilds/prebuilds.json');
}

/** The targets that `--only linux,darwin-arm64` means: those whose id begins so; without it all. */
export function select(only) {
  if (only === undefined) return targets;
  const wanted = only.split(',');
  for (const prefix of wanted)
    if (!targets.some(({ id }) => id.startsWith(prefix)))
      throw new Error(`no such target: ${prefix}; there are ${targets.map(({ id }) => id)}`);
  return targets.filter(({ id }) => wanted.some((prefix) => id.startsWith(prefix)));
}

function linux(arch, libc, zig, needs) {
  return { id: `linux-${arch}-${libc}`, platform: 'linux', arch, libc, zig, needs };
}

function darwin(arch, cpu, lld) {
  const zig = `${cpu}-macos.${MACOS}`;
  return { id: `darwin-${arch}`, platform: 'darwin', arch, zig, lld, needs: `macOS ${MACOS}` };
}

function windows(arch, compiler) {
  return { id: `win32-${arch}`, platform: 'win32', arch, ...compiler, needs: 'Windows 10' };
}
