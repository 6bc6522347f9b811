// What the scripts share that run the suites on installed packages (test:runtimes, test:windows): a folder
// outside the repository, into which npm installs the very tarballs that would be published, from a
// registry on this machine, and the tests and the private testkit beside them. Nothing in it leads back
// to the repository: what a tarball lacks is missed.
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { root } from '../lib.mjs';
import { ensurePackageTools, Installation } from './installation.mjs';
import { packAll, unpack } from './pack.mjs';
import { manifestsOf } from './published.mjs';
import { registryOf } from './registry.mjs';
import { expectedPackages } from './scenarios.mjs';

const scope = '@pollux/';

/**
 * `npm install @pollux/core @pollux/net` in a folder below `place`, for another system than ours where
 * `system` and `cpu` say so. Throws unless exactly the packages for the system are there then, with the
 * bytes of their tarballs. Returns the folder, and the names (without scope) of our packages that are in
 * it, and of those that are not.
 */
export async function installPublished(place, { system = process.platform, cpu } = {}) {
  ensurePackageTools();
  const packages = packAll(root, join(place, 'tarballs'));
  const registry = await registryOf(packages);
  const there = new Installation(place, 'npm 11', registry.url);
  const pretended = cpu === undefined ? [] : [`--os=${system}`, `--cpu=${cpu}`];
  try {
    const wanted = ['@pollux/core', '@pollux/net'];
    const { status, stdout, stderr } = await there.install('install', ...wanted, ...pretended);
    if (status !== 0) throw new Error(`npm install failed (${status}):\n${stdout}${stderr}`);
  } finally {
    await registry.close();
  }
  const found = [...there.packages().keys()].sort();
  const expected = expectedPackages('net', manifestsOf(root), { system });
  if (found.join() !== expected.join())
    throw new Error(`npm has installed ${found.join(' ')}, not ${expected.join(' ')}`);
  const isThere = ({ name }) => found.includes(`${scope}${name}`);
  for (const each of packages.filter(isThere)) demandFilesOf(each, there.directory, place);
  return {
    project: there.directory,
    installed: packages.filter(isThere).map(({ name }) => name),
    absent: packages.filter((each) => !isThere(each)).map(({ name }) => name),
  };
}

/** Throws unless the installed package is its tarball, file by file. */
function demandFilesOf({ name, path }, project, place) {
  const tarball = unpack(path, join(place, 'unpacked', name));
  const installed = installedAt(project, name);
  const [wanted, found] = [tarball, installed].map(filesOf);
  const differing = [...new Set([...wanted, ...found])].filter(
    (file) =>
      !wanted.includes(file) ||
      !found.includes(file) ||
      !readFileSync(join(tarball, file)).equals(readFileSync(join(installed, file))),
  );
  if (differing.length > 0)
    throw new Error(`${installed} is not its tarball: ${differing.join(', ')}`);
}

function filesOf(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .sort();
}

/** The private testkit, as if it were installed too. */
export function copyTestkit(project) {
  for (const part of ['package.json', 'dist', 'prebuilds'])
    cpSync(join(root, 'packages/testkit', part), join(installedAt(project, 'testkit'), part), {
      recursive: true,
    });
}

/**
 * The text of a test, `file` of the repository: its `../dist/native.js` and `../../core/bin/pollux.js` are
 * those of the installed package.
 */
export function fromInstalled(text, file, project) {
  const from = dirname(join(project, file));
  const own = file.split('/')[1];
  return text.replace(
    /(['"])(?:\.\.\/)+(?:(core|net)\/)?(dist|bin)\//g,
    (_, quote, other = own, directory) =>
      `${quote}${relative(from, installedAt(project, other))}/${directory}/`,
  );
}

function installedAt(project, name) {
  return join(project, 'node_modules', `${scope}${name}`);
}
