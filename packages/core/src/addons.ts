// Where native code comes from, and what is told when there is none: what was looked for, where, and
// what to do. A package finds its own addon, by node-gyp-build in its folder; in a bundle or in a single
// executable there is no such folder, and the program hands it over (provideAddon).
import { type BackendModule, isBackendModule, type NativeBinding } from './backend.js';
import { fs } from './builtins.js';
import { invalidType, invalidValue, PolluxError } from './errors.js';

/** Why code cannot be had. `code` is one of the reasons of a selection. */
interface AddonProblem {
  readonly code: 'package-missing' | 'prebuild-missing' | 'addons-forbidden' | 'load-failed';
  readonly message: string;
}

const NET = 'net';
const HAND_OVER = 'in a bundle, hand it over with provideAddon()';
const backends = new Map<string, BackendModule>();
let net: (() => unknown) | undefined;

/**
 * Hands over the addon of a package that cannot find its own: in a bundle, in a single executable. To be
 * called before anything of that package is used; for `'net'`, before `@pollux/net` is imported.
 *
 * `of` is what a backend package exports as `backend`, or `'net'`. `addon` is the path of its `.node`
 * file, absolute, or what loading the file has given. A path is loaded when it is needed; that it is
 * of another package is told then. Throws ERR_INVALID_ARG_TYPE and ERR_INVALID_ARG_VALUE.
 */
export function provideAddon(of: BackendModule | 'net', addon: string | object): void {
  if (of !== NET && !isBackendModule(of)) {
    throw invalidType('of', "a backend (what a backend package exports) or 'net'", of);
  }
  if (typeof addon !== 'string' && (typeof addon !== 'object' || addon === null)) {
    throw invalidType('addon', 'the path of an addon, or its exports', addon);
  }
  const name = of === NET ? NET : of.name;
  if (addon === '' || (typeof addon === 'object' && !isAddonOf(name, addon))) {
    throw invalidValue('addon', `the path of the addon of @pollux/${name}, or its exports`, addon);
  }
  const load = () => (typeof addon === 'string' ? open(name, addon) : addon);
  if (of === NET) net = load;
  else backends.set(of.name, { ...of, load: load as () => NativeBinding });
}

/** The backend that was handed over. */
export function providedBackend(name: string): BackendModule | undefined {
  return backends.get(name);
}

/**
 * For `@pollux/net`: loads its addon, the one handed over or the one that `find` finds. Throws
 * ERR_POLLUX_NO_ADDON.
 */
export function loadNetAddon(find: () => unknown): unknown {
  try {
    return (net ?? find)();
  } catch (error) {
    const problem = addonProblem(error, NET);
    if (problem === undefined) throw error;
    throw new PolluxError('ERR_POLLUX_NO_ADDON', problem.message, { cause: error });
  }
}

/** Not by `require`, which a bundle has not. */
function open(name: string, path: string): unknown {
  const module = { exports: {} };
  process.dlopen(module, path);
  if (isAddonOf(name, module.exports)) return module.exports;
  throw new PolluxError('ERR_POLLUX_NO_ADDON', `${path} is not the addon of @pollux/${name}`);
}

/** Told from that of another package, which would load just as well. */
function isAddonOf(name: string, exports: object): boolean {
  if (name === NET) return 'encodeAddress' in exports;
  return 'NativePoller' in exports && (exports as NativeBinding).name === name;
}

/** What the error of a loader means, in words that help; undefined for an error of another kind. */
export function addonProblem(error: unknown, name: string): AddonProblem | undefined {
  if (!(error instanceof Error)) return undefined;
  const { message } = error;
  switch ((error as NodeJS.ErrnoException).code) {
    case 'MODULE_NOT_FOUND':
      return { code: 'package-missing', message: missingPackage(error, name) };
    case 'ERR_DLOPEN_DISABLED':
      return { code: 'addons-forbidden', message: `${message} ${permissionAdvice()}` };
    case 'ERR_ACCESS_DENIED':
      return { code: 'addons-forbidden', message: unreadable(error, name) };
    case 'ERR_DLOPEN_FAILED':
    case 'ERR_POLLUX_NO_ADDON':
      return { code: 'load-failed', message };
  }
  // Deno's own error, which names the flag (--allow-ffi).
  if (error.name === 'NotCapable') return { code: 'addons-forbidden', message };
  // And of dlopen, a TypeError without a code: "<what dlerror says>\n  path: <path>".
  if (error.name === 'TypeError' && /\n +path: /.test(message)) {
    return { code: 'load-failed', message: message.split('\n', 1)[0] ?? '' };
  }
  // node-gyp-build gives its error no code.
  return message.startsWith('No native build was found')
    ? missingPrebuild(message, name)
    : undefined;
}

function missingPackage(error: Error, name: string): string {
  const [first = ''] = error.message.split('\n');
  const itself = first.includes(`'@pollux/${name}'`);
  const what = itself ? `@pollux/${name} is not installed` : `@pollux/${name} lacks a package`;
  // A file of its own, by its path.
  if (!itself && /module '(\/|\w:)/.test(first))
    return `@pollux/${name} is damaged (${first}). Remove it and install it again`;
  const [from] = (error as { requireStack?: string[] }).requireStack ?? [];
  const where = from === undefined ? '' : `; it was looked for from ${from}`;
  return `${what}${itself ? '' : ` (${first})`}${where}. npm install --include=optional brings it; ${HAND_OVER}`;
}

/** Of `No native build was found for platform=linux arch=x64 ... libc=glibc ...\n loaded from: <dir>`. */
function missingPrebuild(text: string, name: string): AddonProblem {
  const of = (key: string) => new RegExp(` ${key}=(\\S+)`).exec(text)?.[1] ?? '?';
  const target = `${of('platform')}-${of('arch')}${of('platform') === 'linux' ? ` with ${of('libc')}` : ''}`;
  const directory = `${/loaded from: (.*)/.exec(text)?.[1]}/prebuilds`;
  let files: string[];
  try {
    files = fs().readdirSync(directory, { recursive: true }) as string[];
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ERR_ACCESS_DENIED')
      return { code: 'addons-forbidden', message: unreadable(error as Error, name) };
    if (code !== 'ENOENT') return { code: 'load-failed', message };
    files = [];
  }
  const there = files.filter((file) => file.endsWith('.node')).sort();
  const found = there.length === 0 ? 'has no binary' : `has ${there.join(', ')}`;
  return {
    code: 'prebuild-missing',
    message: `@pollux/${name} has no binary for ${target}: ${directory} ${found}. npm run build:native in a checkout makes one; ${HAND_OVER}`,
  };
}

/** What would let Node load addons: they are forbidden by --no-addons, or not allowed by the other. */
function permissionAdvice(): string {
  const { permission } = process as { permission?: unknown };
  return permission === undefined
    ? 'Start node without --no-addons.'
    : 'The permission model is on: start node with --allow-addons.';
}

function unreadable(error: Error, name: string): string {
  const { resource } = error as { resource?: string };
  const which = resource ?? 'one of its files';
  return `@pollux/${name} cannot be loaded, for ${which} may not be read. The permission model is on: start node with --allow-fs-read for that, or for the folder, and with --allow-addons.`;
}
