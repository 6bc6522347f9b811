// node scripts/check-prebuilds.mjs [target ...]: looks at what build-all.mjs has made, all of it or that
// for some targets: every addon by prebuild/check.mjs, and each package's list against its files.
// `--update` writes what is imported now to prebuild/imports/; look at the difference.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './lib.mjs';
import { checkAddon, listOf, listPath } from './prebuild/check.mjs';
import { checkPackage } from './prebuild/check-package.mjs';
import { pathOf, published, select, targetsOf } from './prebuild/targets.mjs';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { update: { type: 'boolean', default: false } },
});
const targets = select(positionals.length === 0 ? undefined : positionals.join());
if (options.update) update();

const faults = [];
let count = 0;
for (const name of published) {
  const wanted = targetsOf(name).filter((target) => targets.includes(target));
  const result = checkPackage(name, join(root, 'packages', name), wanted);
  faults.push(...result.faults);
  count += result.count;
}
for (const fault of faults) console.error(fault);
console.log(`${count} addons for ${targets.length} targets checked: ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;

/** Of every file that is there, for a list serves several targets. */
function update() {
  const lists = new Map();
  for (const name of published) {
    for (const target of targetsOf(name)) {
      const path = join(root, 'packages', name, pathOf(name, target));
      if (!existsSync(path)) throw new Error(`${path} is missing: npm run build:all`);
      const list = lists.get(listOf(target)) ?? new Set();
      lists.set(listOf(target), list);
      const { imports } = checkAddon(name, target, readFileSync(path));
      for (const symbol of imports) list.add(symbol);
    }
  }
  for (const [list, names] of lists)
    writeFileSync(listPath(list), `${[...names].sort().join('\n')}\n`);
}
