// Two checks on what every clone shares. The lock file names each tool's binary for every system:
// npm drops those it cannot find when it writes the file, and `npm ci` then fails elsewhere. And no
// file names a package registry: which one to use is each machine's own affair.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectFiles, root } from './lib.mjs';

const faults = [];
const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));

// What each package says its optional parts are, each must be in the lock, nested or not.
for (const [where, entry] of Object.entries(packages))
  for (const name of Object.keys(entry.optionalDependencies ?? {}))
    if (!isLocked(where, name)) faults.push(`package-lock.json lacks ${name}, wanted by ${where}`);

// And the tools that come as binaries have these many of them (toolchain of 2026-10).
const families = {
  '@biomejs/cli-': 8,
  '@koromix/koffi-': 20,
  '@oxc-parser/binding-': 19,
  '@oxc-resolver/binding-': 19,
  '@rolldown/binding-': 15,
  '@turbo/': 6,
  '@typescript/typescript-': 20,
  'lightningcss-': 11,
};
for (const [family, wanted] of Object.entries(families)) {
  const found = Object.keys(packages).filter((key) =>
    key.includes(`node_modules/${family}`),
  ).length;
  if (found < wanted) faults.push(`package-lock.json has ${found} of ${wanted} ${family}*`);
}

for (const [where, entry] of Object.entries(packages))
  if (/^https?:/.test(entry.resolved ?? ''))
    faults.push(`package-lock.json pins a place for ${where}`);

const host = /(^|[/"'\s=@])registry\.[a-z0-9-]+\.(org|com|net|io|dev)\b/im;
const setting = /^\s*(@[\w-]+:)?registry\s*=|"registry"\s*:/im;
for (const file of projectFiles()) {
  const text = readFileSync(join(root, file), 'latin1');
  const configures = /(^|\/)(\.npmrc|package\.json)$/.test(file) && setting.test(text);
  if (configures || host.test(text)) faults.push(`${file} names a package registry`);
}

for (const fault of faults) console.error(fault);
process.exitCode = faults.length === 0 ? 0 : 1;

function isLocked(where, name) {
  for (let at = where; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/'))))
    if (`${at}/node_modules/${name}` in packages) return true;
  return `node_modules/${name}` in packages;
}
