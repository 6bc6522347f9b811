// node scripts/check-darwin.mjs <arch>...: looks at the addons that build-darwin.mjs has made, for they
// cannot be run on Linux. Each must be a library for its processor and for macOS 11.0, under its own
// name, that needs libSystem alone, takes Node-API from the host and nothing else, shows Node's two
// entry points and nothing else, and tells nothing of the machine that built it. What it takes from
// libSystem is listed in scripts/darwin/imports.txt: a new name there is a change to be looked at
// (was it in macOS 11?), so it fails until `--update` has written it down.
import { readFileSync, writeFileSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import { root } from './lib.mjs';
import { ENTRY_POINTS, readMachO } from './macho.mjs';

const OLDEST = '11.0';
const LIBSYSTEM = '/usr/lib/libSystem.B.dylib';
/** Of the compiler's own machine, or of any: none of these is to be found in a binary. */
const PATHS = [root, homedir(), '/home/', '/Users/', '/tmp/', 'node_modules', userInfo().homedir];
const listFile = join(root, 'scripts/darwin/imports.txt');

const args = process.argv.slice(2);
const update = args.includes('--update');
const archs = args.filter((arg) => !arg.startsWith('--'));
const known = new Set(update ? [] : readFileSync(listFile, 'utf8').trim().split('\n'));
const seen = new Set();
const faults = [];

for (const arch of archs) for (const name of ['kqueue', 'select', 'net']) check(name, arch);
if (update) writeFileSync(listFile, `${[...seen].sort().join('\n')}\n`);
for (const fault of faults) console.error(fault);
console.log(`${archs.length * 3} addons for macOS checked, not run: ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;

function check(name, arch) {
  const path = `packages/${name}/prebuilds/darwin-${arch}/${name}.node`;
  const fault = (text) => faults.push(`${path}: ${text}`);
  const bytes = readFileSync(join(root, path));
  const file = readMachO(bytes);
  const expect = (what, is, shall) => {
    if (JSON.stringify(is) !== JSON.stringify(shall))
      fault(`${what} is ${`${is}`.slice(0, 500)}, not ${shall}`);
  };
  expect('the processor', file.arch, arch);
  expect('the oldest macOS', file.oldest, OLDEST);
  expect('the install name', file.name, `@rpath/${name}.node`);
  expect('the list of libraries', file.libraries, [LIBSYSTEM]);
  expect('the list of run paths', file.runPaths, []);
  expect('the list of exports', file.exports.toSorted(), ENTRY_POINTS);
  // The kernel of an Apple processor runs nothing without; an ad hoc one will do.
  if (arch === 'arm64') expect('being signed', file.signed, true);

  for (const { name: symbol, library } of file.imports) {
    if (library === undefined) {
      if (!/^_napi_/.test(symbol)) fault(`${symbol} is looked for wherever it may be`);
    } else if (library === LIBSYSTEM) {
      seen.add(symbol);
      if (!update && !known.has(symbol)) fault(`${symbol} is not in scripts/darwin/imports.txt`);
    } else {
      fault(`${symbol} comes from ${library}`);
    }
  }
  for (const primitive of name === 'kqueue' ? ['_kqueue', '_kevent'] : [])
    if (!file.imports.some(({ name: symbol }) => symbol === primitive)) fault(`no ${primitive}`);
  for (const text of new Set(PATHS)) if (bytes.includes(text)) fault(`"${text}" is in it`);
}
