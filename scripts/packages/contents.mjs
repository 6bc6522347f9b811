// What is in each tarball, file by file, as contents/<package>.txt lists it: a file that comes or goes is
// seen in a review before it is published. Binaries are not in the lists: which there must be follows
// from the targets (prebuild/targets.mjs).
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../lib.mjs';
import { pathOf, targetsOf } from '../prebuild/targets.mjs';

const listPath = (name) => join(root, 'scripts/packages/contents', `${name}.txt`);
const isBinary = (path) => path.endsWith('.node');

/** How the files of a tarball differ from the list and from the `targets` that it should have. */
export function contentFaults(name, paths, targets) {
  const listed = existsSync(listPath(name)) ? readFileSync(listPath(name), 'utf8').split('\n') : [];
  const wanted = new Set(listed.filter((line) => line !== ''));
  const found = new Set(paths.filter((path) => !isBinary(path)));
  const binaries = new Set(paths.filter(isBinary));
  const known = new Set(targetsOf(name).map((target) => pathOf(name, target)));
  const update = 'if that is meant, npm run check:packages -- --update';
  return [
    ...[...wanted]
      .filter((path) => !found.has(path))
      .map((path) => `${path} is missing; ${update}`),
    ...[...found].filter((path) => !wanted.has(path)).map((path) => `${path} is new; ${update}`),
    ...targets
      .map((target) => pathOf(name, target))
      .filter((path) => !binaries.has(path))
      .map((path) => `${path} is missing; npm run build:all makes it`),
    ...[...binaries].filter((path) => !known.has(path)).map((path) => `${path} is for no target`),
  ];
}

/** Makes the list what the tarball is. */
export function updateContents(name, paths) {
  const lines = paths.filter((path) => !isBinary(path)).sort();
  writeFileSync(listPath(name), `${lines.join('\n')}\n`);
}
