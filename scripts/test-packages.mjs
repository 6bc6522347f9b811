// npm run test:packages [-- --ci] [--tarballs DIRECTORY]: installs the very tarballs that would be published
// as a user would, from a registry on this machine, by the npms and pnpms that are about, with and without
// optional packages and scripts, and for other systems; looks what is there then, and runs the doctor
// and a server with it. After that TypeScript 5.9 and 7 compile a program against them.
//
// For Linux, after `npm run build` and `npm run build:all` (as much of it as is for Linux). `--ci` is what
// .ci/run has time for. What is installed with is pinned in packages/tools.
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './lib.mjs';
import { ensurePackageTools, Installation } from './packages/installation.mjs';
import { packAll } from './packages/pack.mjs';
import { manifestsOf } from './packages/published.mjs';
import { registryOf } from './packages/registry.mjs';
import { readRelease } from './packages/release.mjs';
import { expectedPackages, scenarios } from './packages/scenarios.mjs';
import { typeFaults } from './packages/types.mjs';

/** What `npm install @pollux/core` may take on a disk, in kB: each, and together; one not here, nothing. */
const limits = {
  together: 1000,
  'node-gyp-build': 20,
  '@pollux/core': 210,
  '@pollux/epoll': 170,
  '@pollux/iocp': 110,
  '@pollux/kqueue': 130,
  '@pollux/poll': 280,
  '@pollux/select': 370,
};

const { values: options } = parseArgs({
  options: { ci: { type: 'boolean', default: false }, tarballs: { type: 'string' } },
});
if (process.platform !== 'linux') {
  console.error('test:packages is for Linux');
  process.exit(1);
}
const tools = ensurePackageTools();
const temporary = mkdtempSync(join(tmpdir(), 'pollux-packages-'));
const manifests = manifestsOf(root);
const started = Date.now();
let passed = 0;
let failed = 0;
let registry;
try {
  const packages = options.tarballs
    ? readRelease(options.tarballs)
    : packAll(root, join(temporary, 'tarballs'));
  registry = await registryOf(packages);

  for (const scenario of scenarios.filter(({ ci }) => ci || !options.ci)) {
    await told(title(scenario), (place) => install(scenario, place));
  }
  await told('npm 11 ci of a lock from Linux, for macOS', cleanInstall);
  await told('npm 11, a backend of another system', refused);
  // The old compiler takes its time over Node's declarations.
  for (const [each, only] of [
    ['typescript-5.9', options.ci ? ['node'] : undefined],
    ['typescript-7', undefined],
  ])
    await told(`types, ${each}`, (place) => typeFaults(packages, join(tools, each), place, only));
} finally {
  await registry?.close();
  rmSync(temporary, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed, 0 skipped`);
process.exitCode = failed === 0 ? 0 : 1;

/** Runs one test in a new directory, and tells how it went: it returns what is wrong. */
async function told(title, test) {
  const place = join(temporary, `${passed + failed}`);
  mkdirSync(place);
  const faults = await test(place).catch((error) => [error.stack]);
  if (faults.length === 0) passed++;
  else failed++;
  const seconds = ((Date.now() - started) / 1000).toFixed(0).padStart(3);
  console.log(`${seconds} s  ${faults.length === 0 ? 'ok  ' : 'FAIL'}  ${title}`);
  for (const fault of faults) console.error(fault);
  rmSync(place, { recursive: true, force: true });
}

async function install(scenario, place) {
  const core = await add(scenario, join(place, 'core'), ['core']);
  if (title(scenario) === 'npm 11') tell(core.there);
  const faults = [...core.faults, ...heavy(core.there)];
  if (faults.length > 0) return faults;
  // In a folder of its own, for pnpm 12.4 forgets --no-optional where something is there already.
  const net = await add(scenario, join(place, 'net'), ['core', 'net']);
  if (net.faults.length > 0) return net.faults;
  return [...(await doctor(net.there, scenario)), ...(await serve(net.there, scenario))];
}

async function add(scenario, place, names) {
  const { by, args = [] } = scenario;
  const there = new Installation(place, by, registry.url);
  const verb = by.startsWith('pnpm') ? 'add' : 'install';
  const result = await there.install(verb, ...names.map((name) => `@pollux/${name}`), ...args);
  const expected = expectedPackages(names.at(-1), manifests, scenario);
  return { there, faults: [...failure(result), ...unlike(expected, there)] };
}

/** A lock file of one system serves the others. */
async function cleanInstall(place) {
  const there = new Installation(place, 'npm 11', registry.url);
  const system = 'darwin';
  const faults = failure(await there.install('install', '@pollux/net'));
  for (const other of [{ system }, {}]) {
    const args = other.system ? [`--os=${system}`, '--cpu=arm64'] : [];
    faults.push(...failure(await there.install('ci', ...args)));
    faults.push(...unlike(expectedPackages('net', manifests, other), there));
  }
  return faults;
}

async function refused(place) {
  const there = new Installation(place, 'npm 11', registry.url);
  const { status, stderr } = await there.install('install', '@pollux/kqueue');
  return status !== 0 && /EBADPLATFORM/.test(stderr) ? [] : [`not refused (${status}): ${stderr}`];
}

/** The doctor chooses the best that is there, and says of epoll why it is not that. */
async function doctor(there, scenario) {
  const result = await there.node('node_modules/@pollux/core/bin/pollux.js', 'doctor', '--json');
  const faults = failure(result);
  if (faults.length > 0) return faults;
  const { chosen, candidates } = JSON.parse(result.stdout);
  if (chosen !== bestOf(there)) faults.push(`the doctor chose ${chosen}`);
  const { reason } = candidates.find(({ backend }) => backend === 'epoll');
  const wanted = installsEpoll(scenario) ? undefined : 'package-missing';
  if (reason?.code !== wanted) faults.push(`the doctor says of epoll: ${reason?.code}`);
  return faults;
}

async function serve(there, scenario) {
  cpSync(join(root, 'scripts/packages/consumer/server.mjs'), join(there.directory, 'server.mjs'));
  const result = await there.node('server.mjs');
  const faults = failure(result);
  if (faults.length > 0) return faults;
  const { backend, answer } = JSON.parse(result.stdout);
  if (answer !== 'heard hello') faults.push(`the server answered ${answer}`);
  if (backend !== bestOf(there)) faults.push(`the server ran on ${backend}`);
  // Who falls back is told so, once.
  const warnings = result.stderr.match(/POLLUX_FALLBACK/g)?.length ?? 0;
  if (warnings !== (installsEpoll(scenario) ? 0 : 1)) faults.push(`warned ${warnings} times`);
  return faults;
}

function installsEpoll({ omitted, system = 'linux' }) {
  return !omitted && system === 'linux';
}

/** The one that core then takes: the best that is there and that Linux knows. */
function bestOf(there) {
  const found = there.packages();
  return ['epoll', 'poll', 'select'].find((name) => found.has(`@pollux/${name}`));
}

function failure({ status, stdout, stderr, words }) {
  return status === 0 ? [] : [`failed (${status}): ${words}\n${stdout}${stderr}`];
}

/** How what is installed differs from what should be. */
function unlike(expected, there) {
  const found = [...there.packages().keys()].sort();
  if (found.join() === expected.join()) return [];
  return [`installed: ${found.join(' ')}\nexpected:  ${expected.join(' ')}`];
}

function heavy(there) {
  const sizes = [...there.packages()];
  const total = sizes.reduce((sum, [, bytes]) => sum + bytes, 0);
  return [...sizes, ['together', total]]
    .filter(([name, bytes]) => bytes > (limits[name] ?? 0) * 1000)
    .map(([name, bytes]) => `${name} takes ${bytes} bytes, more than ${limits[name]} kB`);
}

function tell(there) {
  const sizes = [...there.packages()].map(([name, bytes]) => [name, Math.round(bytes / 1000)]);
  const list = sizes.map(([name, size]) => `${name} ${size}`).join(', ');
  const total = sizes.reduce((sum, [, size]) => sum + size, 0);
  console.log(`npm install @pollux/core: ${total} kB, that is ${list}`);
}

function title({ by, args = [] }) {
  return [by, ...args].join(' ');
}
