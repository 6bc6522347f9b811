// Which packages are published, in what order, and what their manifests say in the registry that they do
// not say here: the systems that a backend is for. npm refuses to install a workspace that is for another
// system (npm/cli#6138), so `os` cannot stand in the repository; and `npm publish` of a directory sends
// what package.json says when it is done, so it could not be put there for the moment either. It is put
// into the tarball (pack.mjs), and that very tarball is published.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** As core's selection has them: process.platform where a package is installed; one that is not here is for every system. */
const systems = {
  epoll: ['linux', 'android'],
  iocp: ['win32'],
  kqueue: ['darwin', 'freebsd', 'openbsd', 'netbsd'],
  poll: ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'sunos'],
};

/** What npm does with these is not for who installs it. */
const ownAffairs = ['scripts', 'devDependencies'];

/** The manifests of what is published from the repository at `root`, by the name without its scope. */
export function manifestsOf(root) {
  const manifests = new Map();
  for (const name of readdirSync(join(root, 'packages')).sort()) {
    const path = join(root, 'packages', name, 'package.json');
    if (!existsSync(path)) continue;
    const manifest = JSON.parse(readFileSync(path, 'utf8'));
    if (!manifest.private) manifests.set(name, manifest);
  }
  return manifests;
}

/**
 * The names, without their scope, of what is published from the repository at `root`, each after those
 * that it depends on: so a release that breaks off leaves nothing that cannot be installed.
 */
export function publishedFrom(root) {
  const manifests = manifestsOf(root);
  const order = [];
  const add = (name) => {
    if (order.includes(name)) return;
    for (const other of ownDependencies(manifests.get(name))) add(other);
    order.push(name);
  };
  for (const name of manifests.keys()) add(name);
  return order;
}

/** The packages of ours that come with one, without their scope. */
export function ownDependencies({ dependencies, optionalDependencies }) {
  return Object.keys({ ...dependencies, ...optionalDependencies })
    .filter((name) => name.startsWith('@pollux/'))
    .map((name) => name.slice('@pollux/'.length));
}

/** The manifest as it is published. */
export function publishedManifest(name, manifest) {
  const published = { ...manifest };
  for (const field of ownAffairs) delete published[field];
  if (name in systems) published.os = systems[name];
  return published;
}

/** What is wrong with a manifest, here or in a tarball. */
export function manifestFaults(name, manifest, { packed }) {
  const faults = [];
  if (!packed && manifest.os !== undefined)
    faults.push(`"os" is in package.json: npm would refuse the workspace on other systems`);
  if (packed && JSON.stringify(manifest.os) !== JSON.stringify(systems[name]))
    faults.push(`"os" is ${JSON.stringify(manifest.os)}, not ${JSON.stringify(systems[name])}`);
  const { dependencies, optionalDependencies, peerDependencies, scripts, version } = manifest;
  for (const [other, range] of Object.entries({ ...dependencies, ...optionalDependencies })) {
    if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(range)) faults.push(`${other} is not pinned: ${range}`);
    if (other.startsWith('@pollux/') && range !== version)
      faults.push(`${other} is wanted as ${range} by version ${version}`);
  }
  // With changesets, a minor of one would make the other a major (docs/packaging.md).
  if (peerDependencies !== undefined) faults.push('it has peerDependencies');
  if (packed)
    for (const field of ownAffairs) if (field in manifest) faults.push(`"${field}" is in it`);
  for (const script of ['preinstall', 'install', 'postinstall', 'prepare'])
    if (scripts?.[script]) faults.push(`it has an install script (${script})`);
  return faults;
}
