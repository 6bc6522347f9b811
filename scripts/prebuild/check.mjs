// What must hold of every prebuilt addon, read from the file itself; nothing of it is run.
//
// It is a library for its processor and for a system as old as it says, needs libc (Windows: the
// system's DLLs) and the Node-API of version 8 alone, shows Node's two entry points alone, is stripped,
// protected as its format allows, of reasonable size, and says nothing of the machine that built it.
// What it takes from the system is listed by name in imports/: a new name there is a change to be looked
// at (did the oldest system have it?), so it is a fault until `--update` has written it down.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { root } from '../lib.mjs';
import { readElf } from './elf.mjs';
import { ENTRY_POINTS, readMachO } from './macho.mjs';
import { readPe } from './pe.mjs';
import { GLIBC, MACOS } from './targets.mjs';

const { symbols } = createRequire(import.meta.url)('node-api-headers');
const NODE_API = new Set([...symbols.v8.js_native_api_symbols, ...symbols.v8.node_api_symbols]);
const entryPoints = ENTRY_POINTS.map((name) => name.slice(1));
/** Of the compiler's own machine, or of any: none of these is to be found in a binary. */
const PATHS = ['/home/', '/root/', '/Users/', '/tmp/', '/work/', 'node_modules', root, homedir()];
/**
 * Bytes at most. macOS on Apple processors has pages of 16 kB, of which a library has three kinds.
 * Windows wants tables for unwinding.
 */
const LARGEST = { linux: 48 * 1024, darwin: 96 * 1024, win32: 64 * 1024 };
const LIBSYSTEM = '/usr/lib/libSystem.B.dylib';
const LIBRARIES = {
  glibc: /^(lib(c|pthread|dl)\.so\.\d|ld-linux-aarch64\.so\.1)$/,
  // musl knows itself by this name and by that of Alpine, and loads nothing for it.
  musl: /^libc\.so$/,
  win32: /^(kernel32|ws2_32|iphlpapi|ntdll|msvcrt)\.dll$/,
};

/** The name of the list in imports/ that holds for a target. */
export function listOf({ platform, libc }) {
  return libc === undefined ? platform : `${platform}-${libc}`;
}

export function listPath(list) {
  return join(root, 'scripts/prebuild/imports', `${list}.txt`);
}

/** What a list allows. */
export function readList(list) {
  return new Set(readFileSync(listPath(list), 'utf8').trim().split('\n'));
}

/**
 * Looks at the bytes of the addon `name` for `target`. Returns the faults, as texts, and what it takes
 * from the system; `allowed` is what it may (`undefined`: anything, for `--update`).
 */
export function checkAddon(name, target, bytes, allowed) {
  const report = { faults: [], imports: [] };
  const fault = (text) => report.faults.push(text);
  const expect = (what, is, shall) => {
    if (JSON.stringify(is) !== JSON.stringify(shall))
      fault(`${what} is ${`${is}`.slice(0, 500)}, not ${shall}`);
  };
  const take = (symbol) => {
    report.imports.push(symbol);
    if (allowed !== undefined && !allowed.has(symbol))
      fault(`${symbol} is not in scripts/prebuild/imports/${listOf(target)}.txt`);
  };
  if (bytes.length > LARGEST[target.platform])
    fault(`${bytes.length} bytes are more than ${LARGEST[target.platform]}`);
  for (const text of new Set(PATHS)) if (bytes.includes(text)) fault(`"${text}" is in it`);
  try {
    checks[target.platform]({ name, target, bytes, fault, expect, take });
  } catch (error) {
    fault(`it cannot be read: ${error.message}`);
  }
  return report;
}

const checks = { linux: checkElf, darwin: checkMachO, win32: checkPe };

function checkElf({ target, bytes, fault, expect, take }) {
  const file = readElf(bytes);
  expect('the processor', file.arch, target.arch);
  for (const library of file.needed)
    if (!LIBRARIES[target.libc].test(library)) fault(`it needs ${library}`);
  expect('the list of run paths', file.runPaths, []);
  expect('the list of exports', file.exports.toSorted(), entryPoints.toSorted());
  expect('-z relro', file.relro, true);
  expect('-z now', file.now, true);
  expect('an executable stack', file.executableStack, false);
  expect('code that can be written', file.writableCode, false);
  expect('a relocation in the code', file.textRelocations, false);
  // We have none, so it is another library's that got in: an errno of its own, say.
  expect('thread-local data', file.threadLocal, false);
  expect('a table of local symbols', file.symbolTable, false);
  expect('debug information', file.debug, false);
  let guarded = false;
  for (const { name, version, weak } of file.imports) {
    if (name === '__stack_chk_fail') guarded = true;
    if (/^(napi|node_api)_/.test(name)) nodeApi(name, fault);
    // Of the profiler, from crti.o: absent from libc, and then null.
    else if (!(weak && name === '__gmon_start__')) take(name);
    if (version === undefined) continue;
    const floor = /^GLIBC_(\d+\.\d+)(\.\d+)?$/.exec(version)?.[1];
    if (target.libc === 'musl') fault(`${name}@${version}: musl has no versions`);
    else if (floor === undefined || newer(floor, GLIBC)) fault(`${name} needs ${version}`);
  }
  expect('a stack protector', guarded, true);
}

function checkMachO({ name, target, bytes, fault, expect, take }) {
  const file = readMachO(bytes);
  expect('the processor', file.arch, target.arch);
  expect('being a library', file.library, true);
  expect('the oldest macOS', file.oldest, MACOS);
  expect('the install name', file.name, `@rpath/${name}.node`);
  expect('the list of libraries', file.libraries, [LIBSYSTEM]);
  expect('the list of run paths', file.runPaths, []);
  expect('the list of exports', file.exports.toSorted(), ENTRY_POINTS);
  expect('an executable stack', file.executableStack, false);
  expect('code that can be written', file.writableCode, false);
  expect('the number of local names', file.locals, 0);
  // The kernel of an Apple processor runs nothing without; an ad hoc one will do.
  if (target.arch === 'arm64') expect('being signed', file.signed, true);
  for (const { name: symbol, library } of file.imports) {
    if (library === LIBSYSTEM) take(symbol);
    else if (library !== undefined) fault(`${symbol} comes from ${library}`);
    else if (/^_(napi|node_api)_/.test(symbol)) nodeApi(symbol.slice(1), fault);
    else fault(`${symbol} is looked for wherever it may be`);
  }
  const has = (symbol) => file.imports.some((each) => each.name === symbol);
  expect('a stack protector', has('___stack_chk_fail'), true);
  for (const primitive of name === 'kqueue' ? ['_kqueue', '_kevent'] : [])
    if (!has(primitive)) fault(`no ${primitive}`);
}

function checkPe({ target, bytes, fault, expect, take }) {
  const file = readPe(bytes);
  expect('the processor', file.arch, target.arch);
  expect('being a library', file.library, true);
  expect('the time of linking', file.time, 0);
  expect('a table of symbols', file.symbols, false);
  expect('debug information', file.debug, false);
  expect('DYNAMIC_BASE', file.dynamicBase, true);
  expect('NX_COMPAT', file.nxCompat, true);
  expect('HIGH_ENTROPY_VA', file.highEntropyVa, true);
  expect('a table of relocations', file.relocatable, true);
  expect('code that can be written', file.writableCode, false);
  expect('an import that is delayed', file.delayed, false);
  expect('the list of exports', file.exports.toSorted(), entryPoints);
  for (const { library, name } of file.imports) {
    if (!LIBRARIES.win32.test(library)) fault(`it needs ${library}, which not every Windows has`);
    take(`${library}!${name}`);
  }
  // By name at run time: packages/addon/windows/node_api.cc.
  const asked = bytes.toString('latin1').matchAll(/\0((?:napi|node_api)_\w+)(?=\0)/g);
  const names = new Set(Array.from(asked, ([, name]) => name));
  for (const name of names) if (!entryPoints.includes(name)) nodeApi(name, fault);
  expect('asking for Node-API', names.size > entryPoints.length, true);
}

function nodeApi(name, fault) {
  if (!NODE_API.has(name)) fault(`${name} is not in Node-API 8`);
}

function newer(version, floor) {
  const [a, b] = [version, floor].map((text) => text.split('.').map(Number));
  return a[0] !== b[0] ? a[0] > b[0] : a[1] > b[1];
}
