// An empty folder into which the packages are installed from their tarballs, as a user gets them, with
// the tests beside them. Nothing in it leads back to the repository: what a tarball lacks is missed.
//
// The tests are compiled, so that a runtime needs no compiler of its own and no `using`; their module
// 'vitest' is runtimes/vitest.mjs; what they import from a package's own ../dist they get from the
// installed one. The testkit is private and is copied.
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { commandOf, projectFiles, root, run } from '../lib.mjs';
import { published } from '../prebuild/targets.mjs';

const packages = ['core', ...published];
/** The others may be for another system. */
const needed = ['@pollux/core', '@pollux/net'];
const tested = ['core', 'net', 'testkit'];
/** What the tests import, of the versions that are installed here. */
const tools = ['@vitest/expect', '@vitest/runner', '@vitest/spy', 'ws'];
const quiet = { stdio: ['ignore', 'ignore', 'inherit'] };

/** Makes the folder; returns its path and its test files, relative to it. */
export function makeStage() {
  const stage = realpathSync(mkdtempSync(join(tmpdir(), 'pollux-runtimes-')));
  install(stage);
  copyTestkit(stage);
  copyTests(stage);
  const tests = projectFiles('.test.ts')
    .filter((file) => tested.some((name) => file.startsWith(`packages/${name}/test/`)))
    .map((file) => file.replace(/ts$/, 'js'));
  return { stage, tests };
}

function install(stage) {
  const tarballs = join(stage, 'tarballs');
  mkdirSync(tarballs);
  const names = packages.map((name) => `@pollux/${name}`);
  const which = names.flatMap((name) => ['-w', name]);
  const json = execFileSync(
    'npm',
    ['pack', '--json', '--ignore-scripts', '--pack-destination', tarballs, ...which],
    { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 26 },
  );
  const packed = Object.values(JSON.parse(json)); // an array, or keyed by name (npm 12)
  const files = packed.map(({ name, filename }) => [name, `file:tarballs/${filename}`]);
  const manifest = {
    private: true,
    type: 'module',
    dependencies: Object.fromEntries([
      ...files.filter(([name]) => needed.includes(name)),
      ...tools.map((name) => [name, versionOf(name)]),
    ]),
    optionalDependencies: Object.fromEntries(files.filter(([name]) => !needed.includes(name))),
  };
  writeFileSync(join(stage, 'package.json'), JSON.stringify(manifest));
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--silent'];
  run('npm', ['install', ...flags], { cwd: stage, ...quiet });
  rmSync(tarballs, { recursive: true });
}

function copyTestkit(stage) {
  const to = join(stage, 'node_modules/@pollux/testkit');
  for (const part of ['package.json', 'dist', 'prebuilds'])
    cpSync(join(root, 'packages/testkit', part), join(to, part), { recursive: true });
  const vitest = join(stage, 'node_modules/vitest');
  mkdirSync(vitest);
  cpSync(join(root, 'scripts/runtimes/vitest.mjs'), join(vitest, 'index.mjs'));
  const manifest = { name: 'vitest', type: 'module', exports: './index.mjs' };
  writeFileSync(join(vitest, 'package.json'), JSON.stringify(manifest));
}

function copyTests(stage) {
  const tsc = commandOf('typescript', 'tsc');
  run(process.execPath, [tsc, '-p', 'scripts/runtimes/tsconfig.json', '--outDir', stage]);
  for (const file of projectFiles()) {
    if (!tested.some((name) => file.startsWith(`packages/${name}/test/`))) continue;
    const to = join(stage, file.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(to), { recursive: true });
    if (!file.endsWith('.ts')) cpSync(join(root, file), to);
    if (!/\.m?[jt]s$/.test(file) || !existsSync(to)) continue;
    writeFileSync(to, fromInstalled(readFileSync(to, 'utf8'), file, stage, to));
  }
  // Some load an addon by themselves.
  for (const name of tested)
    symlinkSync(
      join(stage, 'node_modules/@pollux', name, 'prebuilds'),
      join(stage, 'packages', name, 'prebuilds'),
    );
  for (const name of ['run-file.mjs', 'not-here.mjs'])
    cpSync(join(root, 'scripts/runtimes', name), join(stage, name));
}

/** `../dist/native.js` of a test is that of the installed package. */
function fromInstalled(text, file, stage, to) {
  const [, name] = file.split('/');
  const installed = relative(dirname(to), join(stage, 'node_modules/@pollux', name));
  return text.replace(/(['"])(?:\.\.\/)+(dist|bin)\//g, `$1${installed}/$2/`);
}

function versionOf(name) {
  const require = createRequire(join(root, 'packages/net/package.json'));
  const manifest = require.resolve.paths(name).map((at) => join(at, name, 'package.json'));
  return JSON.parse(readFileSync(manifest.find(existsSync), 'utf8')).version;
}
