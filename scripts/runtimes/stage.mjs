// Where the suites run on other runtimes: a folder outside the repository, with what npm installs of the
// tarballs (packages/stage.mjs), and the tests beside it; what the tests import of vitest is in the
// node_modules above.
//
// The tests are compiled, so that a runtime needs no compiler of its own and no `using`; their module
// 'vitest' is runtimes/vitest.mjs.
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { commandOf, projectFiles, root, run } from '../lib.mjs';
import { copyTestkit, fromInstalled, installPublished } from '../packages/stage.mjs';

/** Runs every example of the pages as a program of its own. */
const examples = 'docs/test/examples.test.ts';
const tested = ['core', 'net', 'testkit'];
/** What the tests import, of the versions that are installed here. */
const tools = ['@vitest/expect', '@vitest/runner', '@vitest/spy', 'ws'];

/** Makes the folder `place`; returns it, the folder of the tests in it, and these, relative to that. */
export async function makeStage() {
  const place = realpathSync(mkdtempSync(join(tmpdir(), 'pollux-runtimes-')));
  installTools(place);
  const { project } = await installPublished(place);
  copyTestkit(project);
  copyTests(project);
  copyPages(project);
  const tests = projectFiles('.test.ts')
    .filter(isTested)
    .map((file) => file.replace(/ts$/, 'js'));
  return { place, stage: project, tests };
}

function installTools(place) {
  const manifest = {
    private: true,
    dependencies: Object.fromEntries(tools.map((name) => [name, versionOf(name)])),
  };
  writeFileSync(join(place, 'package.json'), JSON.stringify(manifest));
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--silent'];
  run('npm', ['install', ...flags], { cwd: place, stdio: ['ignore', 'ignore', 'inherit'] });
  const vitest = join(place, 'node_modules/vitest');
  mkdirSync(vitest);
  cpSync(join(root, 'scripts/runtimes/vitest.mjs'), join(vitest, 'index.mjs'));
  const shim = { name: 'vitest', type: 'module', exports: './index.mjs' };
  writeFileSync(join(vitest, 'package.json'), JSON.stringify(shim));
}

function copyTests(stage) {
  const tsc = commandOf('typescript', 'tsc');
  run(process.execPath, [tsc, '-p', 'scripts/runtimes/tsconfig.json', '--outDir', stage]);
  for (const file of projectFiles()) {
    if (!isTested(file)) continue;
    const to = join(stage, file.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(to), { recursive: true });
    if (!file.endsWith('.ts')) cpSync(join(root, file), to);
    if (!/\.m?[jt]s$/.test(file) || !existsSync(to)) continue;
    writeFileSync(to, fromInstalled(readFileSync(to, 'utf8'), file, stage));
  }
  writeFileSync(join(stage, 'packages/package.json'), '{ "type": "module" }\n');
  for (const name of ['run-file.mjs', 'not-here.mjs'])
    cpSync(join(root, 'scripts/runtimes', name), join(stage, name));
}

/** The pages whose examples are run, and the folder that the test writes them to. */
function copyPages(stage) {
  mkdirSync(join(stage, 'examples'));
  for (const page of projectFiles('.md')) {
    if (page !== 'README.md' && !page.startsWith('docs/')) continue;
    mkdirSync(dirname(join(stage, page)), { recursive: true });
    cpSync(join(root, page), join(stage, page));
  }
}

function isTested(file) {
  return file === examples || tested.some((name) => file.startsWith(`packages/${name}/test/`));
}

function versionOf(name) {
  const require = createRequire(join(root, 'packages/net/package.json'));
  const manifest = require.resolve.paths(name).map((at) => join(at, name, 'package.json'));
  return JSON.parse(readFileSync(manifest.find(existsSync), 'utf8')).version;
}
