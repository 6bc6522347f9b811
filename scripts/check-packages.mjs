// npm run check:packages [-- --only linux]: checks the very tarballs that would be published. publint and
// "are the types wrong" find nothing, nothing is in them that should not be, and their binaries are
// those that `npm run build:all` has made, one for every target (or for those that `--only` means, where
// only these were built), each as prebuild/check.mjs wants it.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { commandOf, root } from './lib.mjs';
import { checkPackage } from './prebuild/check-package.mjs';
import { published, select, targetsOf } from './prebuild/targets.mjs';

const { values: options } = parseArgs({ options: { only: { type: 'string' } } });
const targets = select(options.only);
const wanted = (name) => targetsOf(name).filter((target) => targets.includes(target));
const packages = ['core', ...published.filter((name) => wanted(name).length > 0)];

const temporary = mkdtempSync(join(tmpdir(), 'pollux-pack-'));
const faults = [];
try {
  for (const name of packages) await check(name);
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
for (const fault of faults) console.error(fault);
console.log(`${packages.length} packages checked, ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;

async function check(name) {
  const fault = (text) => faults.push(`@pollux/${name}: ${text}`);
  const packing = ['pack', '--json', '--ignore-scripts', '--pack-destination', temporary];
  const packed = JSON.parse(output('npm', [...packing, '-w', `@pollux/${name}`]));
  const [{ filename, files, size }] = Object.values(packed); // an array, or keyed by name (npm 12)
  const tarball = join(temporary, filename);
  output('tar', ['-xzf', tarball, '-C', temporary, '--one-top-level', '--strip-components=1']);
  const directory = tarball.replace(/\.tgz$/, '');
  const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
  console.log(`@pollux/${name}: ${files.length} files, ${size} bytes packed`);

  const { messages } = await publint({ pkgDir: directory, strict: true, pack: false });
  for (const message of messages) fault(`publint: ${formatMessage(message, manifest)}`);
  try {
    output(process.execPath, [
      commandOf('@arethetypeswrong/cli', 'attw'),
      tarball,
      '--profile',
      'esm-only',
    ]);
  } catch (error) {
    fault(`attw:\n${error.stdout}${error.stderr}`);
  }

  const paths = files.map((file) => file.path);
  for (const wanted of ['LICENSE', 'README.md', 'package.json', 'dist/index.js', 'dist/index.d.ts'])
    if (!paths.includes(wanted)) fault(`${wanted} is missing`);
  for (const path of paths)
    if (/\.(cc|h|gyp|gypi|tsbuildinfo)$|^(native|src|test|build)\/|\.asan/.test(path))
      fault(`${path} does not belong in it`);
  for (const script of ['preinstall', 'install', 'postinstall', 'prepare'])
    if (manifest.scripts?.[script]) fault(`it has an install script (${script})`);

  // Its faults name the package and the file already.
  if (name !== 'core') faults.push(...checkPackage(name, directory, wanted(name)).faults);
}

function output(command, args) {
  return execFileSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
