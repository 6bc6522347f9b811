// npm run release:dry: all of a release, against a registry on this machine, after `npm run build` and
// `npm run build:all`. In a copy of the repository the changesets become versions and changelogs; the
// tarballs are packed and checked, and published by the very script that the workflow runs: once with a
// registry that refuses core, as if the network had gone, then again, which does the rest, then once
// more, which has nothing to do. At last npm installs the result in an empty folder, and the doctor and
// a server run from it. The repository itself stays as it is.
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandOf, projectFiles, root, run } from './lib.mjs';
import { ensurePackageTools, Installation } from './packages/installation.mjs';
import { npmPack } from './packages/pack.mjs';
import { manifestsOf, publishedFrom } from './packages/published.mjs';
import { startRegistry } from './packages/registry.mjs';

ensurePackageTools();
const temporary = mkdtempSync(join(tmpdir(), 'pollux-release-'));
const copy = join(temporary, 'repository');
const modules = join(copy, 'node_modules');
process.on('exit', () => rmSync(temporary, { recursive: true, force: true }));
const registry = await startRegistry();
try {
  step('A copy of the repository');
  copyRepository();

  step('Versions and changelogs');
  const version = versions();

  step('Tarballs');
  inCopy('scripts/release-pack.mjs');
  inCopy('scripts/check-packages.mjs', '--tarballs', join(copy, '.release'));

  step('Publishing, which breaks off before core');
  const order = publishedFrom(copy).map((name) => `@pollux/${name}@${version}`);
  registry.refuse('@pollux/core');
  demand((await publish()) !== 0, 'it did not break off');
  const before = order.slice(0, order.indexOf(`@pollux/core@${version}`));
  demand(before.length > 0, 'nothing comes before core');
  is(registry.versions, before, 'published before core');

  step('Publishing again');
  registry.refuse(undefined);
  demand((await publish()) === 0, 'it failed');
  is(registry.versions, order, 'published, in this order');

  step('And again');
  demand((await publish()) === 0, 'it failed');
  is(registry.versions, order, 'published, nothing twice');

  step('Installing it');
  await tryIt(version);
  console.log(`@pollux/*@${version} could be released`);
} finally {
  await registry.close();
}

/** What git has or would have, as it is now, and what was built of it. */
function copyRepository() {
  run('git', ['clone', '--quiet', root, copy]);
  for (const file of projectFiles()) cpSync(join(root, file), join(copy, file));
  for (const name of manifestsOf(root).keys()) {
    for (const built of ['dist', 'prebuilds']) {
      const path = join('packages', name, built);
      if (existsSync(join(root, path)))
        cpSync(join(root, path), join(copy, path), { recursive: true });
    }
  }
  // Which is ignored where it is a directory.
  appendFileSync(join(copy, '.git/info/exclude'), 'node_modules\n');
  symlinkSync(join(root, 'node_modules'), modules);
}

/** Returns the version that all packages have then. */
function versions() {
  const old = manifestsOf(root).get('core').version;
  inCopy(commandOf('@changesets/cli', 'changeset'), 'version');
  // As `npm run release:version`; here without asking a registry, for nothing else has changed.
  rmSync(modules); // npm keeps an account of what is there in it
  const locking = ['install', '--package-lock-only', '--ignore-scripts', '--offline', '--no-audit'];
  run('npm', [...locking, '--loglevel', 'error'], { cwd: copy });
  symlinkSync(join(root, 'node_modules'), modules);
  inCopy('scripts/check-lock.mjs');
  const manifests = manifestsOf(copy);
  const found = new Set([...manifests.values()].map(({ version }) => version));
  demand(found.size === 1, `several versions: ${[...found].join(', ')}`);
  const [version] = found;
  inCopy('scripts/release-notes.mjs');
  if (old === '0.0.0') is(version, '0.1.0', 'the first version');
  for (const name of manifests.keys())
    demand(existsSync(join(copy, 'packages', name, 'CHANGELOG.md')), `${name} has no changelog`);
  return version;
}

function publish() {
  const config = join(temporary, '.npmrc');
  const { host } = new URL(registry.url);
  writeFileSync(config, `registry=${registry.url}/\n//${host}/:_authToken=local\n`);
  const env = {
    ...process.env,
    npm_config_userconfig: config,
    npm_config_cache: join(temporary, 'cache'),
    npm_config_registry: `${registry.url}/`,
    npm_config_loglevel: 'error',
    npm_config_fetch_retries: '0',
  };
  // Not execFileSync: the registry is in this process.
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['scripts/release-publish.mjs'], {
      cwd: copy,
      env,
      stdio: 'inherit',
    });
    child.once('error', reject).once('close', (status) => resolve(status));
  });
}

async function tryIt(version) {
  const outside = npmPack(join(root, 'node_modules/node-gyp-build'), temporary);
  registry.add(outside.manifest, outside.path);
  const there = new Installation(join(temporary, 'user'), 'npm 11', registry.url);
  await ended(there.install('install', `@pollux/core@${version}`, '@pollux/net'));
  await ended(there.node('node_modules/@pollux/core/bin/pollux.js', 'doctor'));
  const server = join(there.directory, 'server.mjs');
  cpSync(join(root, 'scripts/packages/consumer/server.mjs'), server);
  const { stdout } = await ended(there.node(server));
  is(JSON.parse(stdout).answer, 'heard hello', 'the answer of the server');
}

async function ended(running) {
  const result = await running;
  demand(result.status === 0, `${result.words}\n${result.stdout}${result.stderr}`);
  process.stdout.write(result.stdout);
  return result;
}

function inCopy(...args) {
  run(process.execPath, args, { cwd: copy });
}

function step(title) {
  console.log(`--- ${title}`);
}

function is(found, wanted, what) {
  const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)];
  demand(a === b, `${what}: ${a} and not ${b}`);
}

function demand(holds, what) {
  if (!holds) throw new Error(what);
}
