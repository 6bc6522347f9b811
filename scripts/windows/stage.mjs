// Where the suites run under Wine: a folder outside the repository with three layers, each of which sees
// those above it as node looks for modules.
//
//   <temporary>/node_modules        the tools of the repository (vitest ...), as for Windows
//   <temporary>/project             what npm installs of the tarballs for win32 x64, in node_modules
//   <temporary>/project/packages    the tests of the repository; examples/ and docs/ likewise
//
// Wine follows links without a word of it, so to node.exe the tools lie there; they are kept in
// .windows/tools, for they are many.
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
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { projectFiles, root, run } from '../lib.mjs';
import { copyTestkit, fromInstalled, installPublished } from '../packages/stage.mjs';

const windows = { system: 'win32', cpu: 'x64' };

/** What of the repository the suites need: themselves, the pages with examples, and how they are run. */
const needed =
  /^(packages\/\w+\/test|docs|examples\/test|scripts\/windows)\/|^(examples\/package\.json|scripts\/summary-reporter\.mjs)$/;
/** Also in there: C++, and what is for other systems. */
const unneeded = /\.(cc|c|h|sh)$|\/tsconfig\.json$|^docs\/(benchmarks|portability)\//;

/**
 * Makes the folder; what is kept for the next time lies in `tools`. Returns `project`, and the names of
 * the packages that are installed in it, and of those that are not. It is removed when this program ends,
 * unless `keep`.
 */
export async function makeStage(tools, { keep }) {
  installTools(tools);
  const place = realpathSync(mkdtempSync(join(tmpdir(), 'pollux-windows-')));
  process.on('exit', () => {
    if (keep) console.log(`kept: ${place}`);
    else rmSync(place, { recursive: true, force: true });
  });
  symlinkSync(join(tools, 'node_modules'), join(place, 'node_modules'));
  const { project, installed, absent } = await installPublished(place, windows);
  copyTestkit(project);
  copyTests(project);
  cpSync(join(root, 'examples/dist'), join(project, 'examples/dist'), { recursive: true });
  // Not tsconfig.json itself: vite would follow its references.
  cpSync(join(root, 'tsconfig.base.json'), join(project, 'tsconfig.json'));
  return { project, installed, absent };
}

/** All that package-lock.json has, as for Windows; without the workspaces, for those are installed. */
function installTools(tools) {
  const modules = join(tools, 'node_modules');
  const stamp = join(modules, '.lock-of');
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  rmSync(tools, { recursive: true, force: true });
  for (const file of projectFiles('package.json', 'package-lock.json')) {
    if (/^((packages\/\w+|examples)\/)?package(-lock)?\.json$/.test(file)) copy(file, tools);
  }
  const platform = ['--os=win32', '--cpu=x64', '--ignore-scripts', '--no-audit', '--no-fund'];
  run('npm', ['ci', '--silent', ...platform], { cwd: tools });
  rmSync(join(modules, '@pollux'), { recursive: true });
  writeFileSync(stamp, lock);
}

function copyTests(project) {
  for (const file of projectFiles()) {
    if (!needed.test(file) || unneeded.test(file)) continue;
    const to = copy(file, project);
    if (!/^packages\/.*\.m?[jt]s$/.test(file)) continue;
    writeFileSync(to, fromInstalled(readFileSync(to, 'utf8'), file, project));
  }
}

function copy(file, directory) {
  const to = join(directory, file);
  mkdirSync(dirname(to), { recursive: true });
  cpSync(join(root, file), to);
  return to;
}
