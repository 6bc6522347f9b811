// A directory with the tarballs of one release, and release.json, which lists them in the order in which
// they are published: made once (`npm run release:pack`), checked, tried, and then published as they are.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';

/** Lists what packAll() has put into `directory`. */
export function writeRelease(directory, packages) {
  const list = packages.map(({ path, ...rest }) => ({ ...rest, file: basename(path) }));
  writeFileSync(join(directory, 'release.json'), `${JSON.stringify(list, undefined, 2)}\n`);
}

/** What packAll() has returned. Throws if a tarball is not the one that was listed. */
export function readRelease(directory) {
  const list = JSON.parse(readFileSync(join(directory, 'release.json'), 'utf8'));
  return list.map(({ file, ...rest }) => {
    const path = resolve(directory, file);
    if (integrityOf(path) !== rest.integrity) throw new Error(`${path} is not what was packed`);
    return { ...rest, path };
  });
}

function integrityOf(path) {
  return `sha512-${createHash('sha512').update(readFileSync(path)).digest('base64')}`;
}
