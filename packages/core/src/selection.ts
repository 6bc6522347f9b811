// Which backend: an ordered table, tried from the top, as libevent does.
//
// A candidate is passed over if the system is not its own, the caller avoids it, the environment
// forbids it, it lacks a required capability, or it is not to be had here: its package or prebuilt
// binary is missing, addons are forbidden, or the kernel refuses the primitive. Whether it can be
// had is learned by making one. Everything else that goes wrong (EMFILE, ENOMEM) is an error, not a
// reason to take a worse one; and a backend asked for by name is taken or refused, never replaced.
//
// This file and the doctor are the only places that know operating systems by name.
import { addonProblem, providedBackend } from './addons.js';
import {
  type BackendModule,
  CAPABILITY_NAMES,
  type Capabilities,
  type CapabilityName,
  type NativeBinding,
} from './backend.js';
import { createRequire, fs } from './builtins.js';
import { channels } from './channels.js';
import { invalidType, PolluxError } from './errors.js';
import type { DriverName, Poller, Waker } from './poller.js';
import { SystemPoller } from './system-poller.js';
import { checkBoolean, checkInteger, checkNames, checkOneOf, checkOptions } from './validate.js';

interface TableEntry {
  readonly name: string;
  /** As process.platform names them; undefined: anywhere. */
  readonly platforms?: readonly string[];
}

/** Best first. A package is `@pollux/` and the name. */
const TABLE: readonly TableEntry[] = [
  { name: 'kqueue', platforms: ['darwin', 'freebsd', 'openbsd', 'netbsd'] },
  { name: 'epoll', platforms: ['linux', 'android'] },
  { name: 'iocp', platforms: ['win32'] },
  {
    name: 'poll',
    platforms: ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'sunos'],
  },
  { name: 'select' },
];

/**
 * How a poller with a descriptor of its own may be waited for here, best first. Bun and Deno answer
 * for a libuv loop too, but run another; on macOS and the BSDs `uv` was not run yet, so it is there
 * for the asking only.
 */
const DRIVERS_HERE: readonly DriverName[] = (() => {
  if (process.versions.bun !== undefined || process.versions.deno !== undefined) return ['thread'];
  const seen = ['linux', 'android'].includes(process.platform);
  return seen ? ['uv', 'thread'] : ['thread', 'uv'];
})();

export const BACKEND_NAMES: readonly string[] = TABLE.map((entry) => entry.name);

/** Why a candidate was passed over. */
export type ReasonCode =
  /** It is another operating system's. */
  | 'platform'
  /** Another backend was asked for by name. */
  | 'not-asked-for'
  /** In `avoid`. */
  | 'avoided'
  /** POLLUX_NO_<NAME> is set. */
  | 'environment'
  /** It lacks a capability in `require`. */
  | 'capability'
  /** Its package is not installed. */
  | 'package-missing'
  /** Its package has no binary for this platform. */
  | 'prebuild-missing'
  /** Node was told not to load addons (permission model, --no-addons). */
  | 'addons-forbidden'
  /** The binary cannot be loaded here (another C library, a damaged file). */
  | 'load-failed'
  /** The kernel, or a sandbox, refuses the primitive. */
  | 'kernel'
  /** A better one was chosen. */
  | 'not-needed';

export interface Reason {
  readonly code: ReasonCode;
  readonly message: string;
}

/** One backend of the table and what became of it. */
export interface Candidate {
  readonly backend: string;
  /** Whether it works here, whatever the caller asked for; undefined if it was not tried. */
  readonly available: boolean | undefined;
  /** Why it was passed over; undefined for the chosen one. */
  readonly reason: Reason | undefined;
  readonly capabilities: Capabilities | undefined;
}

export interface SelectionOptions {
  /** This one or an error. POLLUX_BACKEND does the same for code that does not say. */
  backend?: string;
  /** Never these. */
  avoid?: readonly string[];
  /** Only one that can do all of these. */
  require?: readonly CapabilityName[];
  /** Do not look at POLLUX_BACKEND and POLLUX_NO_<NAME>. */
  ignoreEnvironment?: boolean;
}

/** What a selection came to. `pollux doctor` prints it. */
export interface Selection {
  readonly chosen: string | undefined;
  readonly candidates: readonly Candidate[];
}

const UNAVAILABLE: ReadonlySet<ReasonCode> = new Set([
  'package-missing',
  'prebuild-missing',
  'addons-forbidden',
  'load-failed',
  'kernel',
]);
let warned = false;
const loaded = new Map<string, { module: BackendModule; binding: NativeBinding }>();

/** Opens the best poller there is. Throws ERR_POLLUX_NO_BACKEND, which lists every candidate. */
export function createPoller(options?: SelectionOptions): Poller {
  const wishes = readWishes(options);
  const candidates: Candidate[] = [];
  let poller: Poller | undefined;
  for (const entry of TABLE) {
    const passed = passOver(entry, wishes);
    if (passed !== undefined || poller !== undefined) {
      const reason = passed ?? { code: 'not-needed' as const, message: 'a better one was chosen' };
      candidates.push({
        backend: entry.name,
        available: undefined,
        reason,
        capabilities: undefined,
      });
      continue;
    }
    const tried = tryOne(entry, wishes);
    poller = tried.poller;
    candidates.push(tried.candidate);
  }
  if (poller === undefined) throw noBackend(candidates, wishes);
  warnOfFallback(poller.backend, candidates);
  if (channels.pollerCreate.hasSubscribers) {
    channels.pollerCreate.publish({ backend: poller.backend, candidates });
  }
  if (process.env.POLLUX_SHOW_BACKEND) process.stderr.write(`pollux: using ${poller.backend}\n`);
  return poller;
}

/**
 * Tries every backend of this system, opens none for good, and tells which would be chosen and why
 * the others would not. Throws only for wrong options.
 */
export function explainSelection(options?: SelectionOptions): Selection {
  const wishes = readWishes(options);
  let chosen: string | undefined;
  const candidates = TABLE.map((entry): Candidate => {
    const passed = passOver(entry, wishes);
    if (passed?.code === 'platform') {
      return { backend: entry.name, available: false, reason: passed, capabilities: undefined };
    }
    const { poller, candidate } = tryOne(entry, wishes, true);
    poller?.close();
    const reason = candidate.available ? (passed ?? candidate.reason) : candidate.reason;
    if (reason !== undefined) return { ...candidate, reason };
    if (chosen === undefined) {
      chosen = entry.name;
      return candidate;
    }
    return { ...candidate, reason: { code: 'not-needed', message: 'a better one was chosen' } };
  });
  return { chosen, candidates };
}

/**
 * Ends the wait of the poller that `waker` belongs to, in whatever thread of this process. False
 * if there is no such poller any more.
 */
export function wake(waker: Waker): boolean {
  checkOptions('waker', waker);
  if (waker === undefined || typeof waker.backend !== 'string') {
    throw invalidType('waker', 'a Waker', waker);
  }
  checkInteger('waker.id', waker.id, 0, 0xffff_ffff);
  if (!BACKEND_NAMES.includes(waker.backend)) return false;
  try {
    return load(waker.backend).binding.wake(waker.id);
  } catch (error) {
    // Not to be had here, so no poller of it is open here.
    if (unavailable(error, waker.backend) !== undefined) return false;
    throw error;
  }
}

/** The native binding behind an open poller, for what only native code can do. */
export function bindingOf(backend: string): NativeBinding | undefined {
  return loaded.get(backend)?.binding;
}

interface Wishes {
  readonly backend: string | undefined;
  readonly from: string;
  readonly avoid: readonly string[];
  readonly require: readonly CapabilityName[];
  readonly environment: boolean;
}

function readWishes(options: SelectionOptions | undefined): Wishes {
  checkOptions('options', options);
  const { backend, avoid = [], require = [], ignoreEnvironment = false } = options ?? {};
  checkOneOf('options.backend', backend, BACKEND_NAMES);
  checkBoolean('options.ignoreEnvironment', ignoreEnvironment);
  checkNames('options.avoid', avoid, BACKEND_NAMES);
  checkNames('options.require', require, CAPABILITY_NAMES);
  const fromEnvironment = ignoreEnvironment ? undefined : process.env.POLLUX_BACKEND || undefined;
  if (backend === undefined) {
    checkOneOf('POLLUX_BACKEND', fromEnvironment, BACKEND_NAMES);
  }
  return {
    backend: backend ?? fromEnvironment,
    from: backend === undefined ? 'POLLUX_BACKEND' : 'options.backend',
    avoid,
    require,
    environment: !ignoreEnvironment,
  };
}

/**
 * What can be said without touching the backend. POLLUX_FOREIGN names one that is another system's
 * and is tried all the same: where something stands in for its primitive, as in our tests.
 */
function passOver(entry: TableEntry, wishes: Wishes): Reason | undefined {
  const here = entry.platforms?.includes(process.platform) ?? true;
  if (!here && process.env.POLLUX_FOREIGN !== entry.name) {
    return { code: 'platform', message: `not on ${process.platform}` };
  }
  if (wishes.backend !== undefined && wishes.backend !== entry.name) {
    return { code: 'not-asked-for', message: `${wishes.from} asks for ${wishes.backend}` };
  }
  if (wishes.avoid.includes(entry.name)) return { code: 'avoided', message: 'in options.avoid' };
  const variable = `POLLUX_NO_${entry.name.toUpperCase()}`;
  if (wishes.environment && process.env[variable]) {
    return { code: 'environment', message: `${variable} is set` };
  }
  return undefined;
}

interface Tried {
  readonly poller: Poller | undefined;
  readonly candidate: Candidate;
}

/** Loads and opens one; with `explain`, what is an error to createPoller is a reason too. */
function tryOne(entry: TableEntry, wishes: Wishes, explain = false): Tried {
  const failed = (reason: Reason, capabilities?: Capabilities): Tried => ({
    poller: undefined,
    candidate: {
      backend: entry.name,
      available: capabilities !== undefined,
      reason,
      capabilities,
    },
  });
  let poller: SystemPoller;
  try {
    const { module, binding } = load(entry.name);
    poller = new SystemPoller(module, binding, DRIVERS_HERE);
  } catch (error) {
    const reason = unavailable(error, entry.name) ?? (explain ? brokenReason(error) : undefined);
    if (reason === undefined) throw error;
    return failed(reason);
  }
  const { capabilities } = poller;
  const missing = wishes.require.filter((name) => !capabilities[name]);
  if (missing.length > 0) {
    poller.close();
    return failed({ code: 'capability', message: `lacks ${missing.join(', ')}` }, capabilities);
  }
  return {
    poller,
    candidate: { backend: entry.name, available: true, reason: undefined, capabilities },
  };
}

function load(name: string): { module: BackendModule; binding: NativeBinding } {
  let entry = loaded.get(name);
  if (entry === undefined) {
    const module = providedBackend(name) ?? findBackend(name);
    entry = { module, binding: module.load() };
    loaded.set(name, entry);
  }
  return entry;
}

/** As node finds a package. In a bundle that is no ES module, there is nowhere to look for it from. */
function findBackend(name: string): BackendModule {
  assertDescriptorsLeft();
  const from: string | undefined = import.meta.url;
  if (from === undefined) {
    const error = new Error(`Cannot find module '@pollux/${name}'`);
    throw Object.assign(error, { code: 'MODULE_NOT_FOUND' });
  }
  return (createRequire(from)(`@pollux/${name}`) as { backend: BackendModule }).backend;
}

/**
 * Without a descriptor to read it, any file looks missing to require(), which remembers that. So
 * EMFILE is thrown before it is asked.
 */
function assertDescriptorsLeft(): void {
  try {
    const { closeSync, openSync } = fs();
    closeSync(openSync(new URL(import.meta.url), 'r'));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EMFILE' || code === 'ENFILE') throw error;
  }
}

/** The reason, if the error means "not available here"; undefined for a real error. */
function unavailable(error: unknown, name: string): Reason | undefined {
  if (!(error instanceof Error)) return undefined;
  const { message } = error;
  const code = 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'ENOSYS':
    case 'EPERM':
    case 'EINVAL':
      return { code: 'kernel', message };
  }
  return addonProblem(error, name);
}

function brokenReason(error: unknown): Reason {
  return { code: 'kernel', message: error instanceof Error ? error.message : String(error) };
}

/** Something better should be there on this system, and cannot be had: worth a word, once. */
function warnOfFallback(chosen: string, candidates: readonly Candidate[]): void {
  if (warned) return;
  const lost = candidates.find(({ reason }) => reason && UNAVAILABLE.has(reason.code));
  if (lost === undefined) return;
  warned = true;
  process.emitWarning(`${lost.backend} cannot be used here, ${chosen} is used instead`, {
    type: 'PolluxWarning',
    code: 'POLLUX_FALLBACK',
    detail: `${lost.reason?.code}: ${lost.reason?.message}`,
  });
}

function noBackend(candidates: readonly Candidate[], wishes: Wishes): PolluxError {
  const lines = candidates.map(
    ({ backend, reason }) => `  ${backend}: ${reason?.code} (${reason?.message})`,
  );
  const asked = wishes.backend === undefined ? '' : ` for ${wishes.from}=${wishes.backend}`;
  const error = new PolluxError(
    'ERR_POLLUX_NO_BACKEND',
    `No backend could be chosen${asked}:\n${lines.join('\n')}`,
  );
  return Object.assign(error, { candidates });
}
