// npm run check:packages [-- --only linux] [--tarballs DIRECTORY] [--update]: checks the very tarballs that
// would be published, those that `npm run release:pack` left in a directory or new ones. publint and "are
// the types wrong" find nothing; the files are those of packages/contents, the manifest is that of
// packages/published.mjs, and the binaries are those that `npm run build:all` has made, one for every
// target (or for those that `--only` means, where only these were built), each as prebuild/check.mjs
// wants it. `--update` writes what is in them to packages/contents; look at the difference.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { commandOf, root } from './lib.mjs';
import { contentFaults, updateContents } from './packages/contents.mjs';
import { packAll, unpack } from './packages/pack.mjs';
import { manifestFaults, publishedFrom } from './packages/published.mjs';
import { readRelease } from './packages/release.mjs';
import { checkPackage } from './prebuild/check-package.mjs';
import { select, targetsOf } from './prebuild/targets.mjs';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    tarballs: { type: 'string' },
    update: { type: 'boolean', default: false },
  },
});
const targets = select(options.only);
const wanted = (name) => targetsOf(name).filter((target) => targets.includes(target));
// Those without binaries, and those with one of these targets.
const names = publishedFrom(root).filter(
  (name) => targetsOf(name).length === 0 || wanted(name).length > 0,
);

const temporary = mkdtempSync(join(tmpdir(), 'pollux-check-'));
const faults = [];
try {
  const packages = options.tarballs
    ? readRelease(options.tarballs).filter(({ name }) => names.includes(name))
    : packAll(root, temporary, names);
  if (packages.length < names.length) faults.push(`there are tarballs of ${packages.length} only`);
  for (const each of packages) await check(each);
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
for (const fault of faults) console.error(fault);
console.log(`${names.length} packages checked, ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;

async function check({ name, path, files, size, unpackedSize }) {
  const fault = (text) => faults.push(`@pollux/${name}: ${text}`);
  console.log(`@pollux/${name}: ${files.length} files, ${size} bytes, ${unpackedSize} unpacked`);
  const directory = unpack(path, join(temporary, name));
  const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));

  const { messages } = await publint({ pkgDir: directory, strict: true, pack: false });
  for (const message of messages) fault(`publint: ${formatMessage(message, manifest)}`);
  const attw = commandOf('@arethetypeswrong/cli', 'attw');
  try {
    execFileSync(process.execPath, [attw, path, '--profile', 'esm-only'], { stdio: 'pipe' });
  } catch (error) {
    fault(`attw:\n${error.stdout}${error.stderr}`);
  }

  if (options.update) updateContents(name, files);
  for (const text of contentFaults(name, files, wanted(name))) fault(text);
  // Whatever the list says.
  for (const must of ['LICENSE', 'README.md', 'package.json', 'dist/index.js', 'dist/index.d.ts'])
    if (!files.includes(must)) fault(`${must} is missing`);
  for (const file of files)
    if (/\.(cc|h|gyp|gypi|map|tsbuildinfo)$|^(native|src|test|build)\/|\.asan/.test(file))
      fault(`${file} does not belong in it`);
  for (const text of manifestFaults(name, manifest, { packed: true })) fault(text);

  // Its faults name the package and the file already.
  if (wanted(name).length > 0) faults.push(...checkPackage(name, directory, wanted(name)).faults);
}
