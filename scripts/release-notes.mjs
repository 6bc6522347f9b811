// What the changelogs of all packages say of the version that is here, each line once, as the notes of a
// release on GitHub. Needs nothing that is installed.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './lib.mjs';
import { manifestsOf } from './packages/published.mjs';

const packagesOf = new Map(); // what is told -> names of packages
for (const [name, { version }] of manifestsOf(root)) {
  const path = join(root, 'packages', name, 'CHANGELOG.md');
  for (const entry of existsSync(path) ? entriesOf(readFileSync(path, 'utf8'), version) : []) {
    if (!packagesOf.has(entry)) packagesOf.set(entry, []);
    packagesOf.get(entry).push(name);
  }
}
if (packagesOf.size === 0) throw new Error('the changelogs say nothing of this version');
for (const [entry, names] of packagesOf) console.log(`- **${names.join(', ')}**: ${entry}`);

/** The list under `## version`; what only says that another package of ours is newer is left out. */
function entriesOf(changelog, version) {
  const section = changelog.split(/^## /m).find((text) => text.startsWith(`${version}\n`)) ?? '';
  return section
    .split(/^- /m)
    .slice(1)
    .map((entry) => entry.replace(/^###? .*$/gm, '').trim())
    .map((entry) => entry.replace(/^[0-9a-f]{7,}: /, ''))
    .filter((entry) => !/^Updated dependencies/.test(entry));
}
