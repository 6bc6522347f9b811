// Checks the binaries of one package, in the repository or unpacked from its tarball: that its list
// (prebuilds.json) is what build-all.mjs wrote and its files are those of the list, and each of them by
// check.mjs.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkAddon, listOf, readList } from './check.mjs';
import { entryFor, readManifest } from './manifest.mjs';
import { pathOf, targetsOf } from './targets.mjs';

/** `wanted`: the targets to look at, each of which must be there. Returns faults, and how many files. */
export function checkPackage(name, directory, wanted) {
  const faults = [];
  const listed = readManifest(name, join(directory, 'prebuilds/prebuilds.json'));
  for (const target of wanted) {
    const file = pathOf(name, target);
    const fault = (text) => faults.push(`@pollux/${name}, ${file}: ${text}`);
    const entry = listed.find((each) => each.file === file);
    const path = join(directory, file);
    if (entry === undefined || !existsSync(path)) {
      fault(`missing${entry === undefined ? ' in the list' : ''}; npm run build:all makes it`);
      continue;
    }
    const bytes = readFileSync(path);
    if (JSON.stringify(entryFor(name, target, bytes)) !== JSON.stringify(entry))
      fault('not what npm run build:all made, or npm run build:native has made it anew');
    for (const text of checkAddon(name, target, bytes, readList(listOf(target))).faults)
      fault(text);
  }
  for (const file of strangers(name, directory))
    faults.push(`@pollux/${name}, ${file}: not for any of its targets`);
  return { faults, count: wanted.length };
}

/** What lies in prebuilds/ and is for none of the targets: node-gyp-build might take it. */
function strangers(name, directory) {
  const known = new Set([
    'prebuilds/prebuilds.json',
    ...targetsOf(name).map((target) => pathOf(name, target)),
  ]);
  const top = join(directory, 'prebuilds');
  if (!existsSync(top)) return [];
  return readdirSync(top, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length).replace(/^\/+/, ''))
    .filter((file) => !known.has(file));
}
