// Who installs what with which options in npm run test:packages, and what must then be there.
import { ownDependencies, publishedManifest } from './published.mjs';

/**
 * `ci`: also with --ci. `omitted`: optional dependencies are not wanted. `system`: the one that is
 * pretended, on which nothing can then be run but what runs on Linux too.
 */
export const scenarios = [
  { by: 'npm 11', ci: true },
  { by: 'npm 11', args: ['--omit=optional'], omitted: true, ci: true },
  { by: 'npm 11', args: ['--ignore-scripts'] },
  { by: 'npm 11', args: ['--os=darwin', '--cpu=arm64'], system: 'darwin', ci: true },
  { by: 'npm 11', args: ['--os=win32', '--cpu=x64'], system: 'win32' },
  { by: 'npm 11', args: ['--os=aix', '--cpu=ppc64'], system: 'aix' },
  { by: 'npm 11', args: ['--libc=musl'] },
  { by: 'npm 12', ci: true },
  { by: 'npm 12', args: ['--strict-allow-scripts'] },
  { by: 'npm 12', args: ['--omit=optional'], omitted: true },
  { by: 'npm 12', args: ['--ignore-scripts'] },
  { by: 'npm 12', args: ['--os=darwin', '--cpu=arm64'], system: 'darwin' },
  { by: 'npm 12', args: ['--os=win32', '--cpu=x64'], system: 'win32' },
  { by: 'pnpm 10', ci: true },
  { by: 'pnpm 10', args: ['--no-optional'], omitted: true },
  { by: 'pnpm 10', args: ['--ignore-scripts'] },
  { by: 'pnpm 10', args: ['--os=darwin', '--cpu=arm64'], system: 'darwin' },
  { by: 'pnpm 12', ci: true },
  { by: 'pnpm 12', args: ['--no-optional'], omitted: true },
  { by: 'pnpm 12', args: ['--ignore-scripts'] },
  { by: 'pnpm 12', args: ['--os=darwin', '--cpu=arm64'], system: 'darwin' },
];

/**
 * The packages that must be there after `npm install @pollux/<name>`, by the manifests of the repository
 * (by name without scope): those that it depends on, and of the optional ones those for the system.
 */
export function expectedPackages(name, manifests, { system = process.platform, omitted = false }) {
  const wanted = new Set();
  const add = (each, optional) => {
    const manifest = publishedManifest(each, manifests.get(each));
    if (optional && (omitted || !(manifest.os?.includes(system) ?? true))) return;
    wanted.add(`@pollux/${each}`);
    for (const other of Object.keys(manifest.dependencies ?? {}))
      if (!other.startsWith('@pollux/')) wanted.add(other);
    for (const other of ownDependencies(manifest))
      add(other, manifest.dependencies?.[`@pollux/${other}`] === undefined);
  };
  add(name, false);
  return [...wanted].sort();
}
