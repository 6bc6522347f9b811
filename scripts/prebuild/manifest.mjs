// prebuilds/prebuilds.json, the list of its binaries that a package carries: file, target, size, hash and
// what it needs at least. It is written by build-all.mjs only, so a file that came there another way
// (npm run build:native) is noticed before it is published.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../lib.mjs';
import { addonsFor, manifestOf, pathOf, published, targetsOf } from './targets.mjs';

/** Lists what was built of `targets`, and keeps what is still true of the others. */
export function writeManifests(targets) {
  for (const name of published) {
    const known = readManifest(name);
    const files = targetsOf(name).flatMap((target) => {
      const path = join(root, 'packages', name, pathOf(name, target));
      const old = known.find((entry) => entry.target === target.id);
      if (!existsSync(path)) return [];
      const entry = entryFor(name, target, readFileSync(path));
      return targets.includes(target) || old?.sha256 === entry.sha256 ? [entry] : [];
    });
    const built = targets.some((target) => addonsFor(target).some((addon) => addon.name === name));
    if (built) writeFileSync(manifestOf(name), `${JSON.stringify({ files }, undefined, 2)}\n`);
  }
}

/** The files that a package lists; none if it has no list. */
export function readManifest(name, path = manifestOf(name)) {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).files : [];
}

/** What the list says of a file. */
export function entryFor(name, target, bytes) {
  return {
    file: pathOf(name, target),
    target: target.id,
    size: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    needs: target.needs,
  };
}
