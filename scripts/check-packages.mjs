// Checks the very tarballs that would be published: that publint and "are the types wrong" find
// nothing, that nothing is in them that should not be, and that the addons run on any Linux as old
// as Node itself wants (glibc 2.28) with no library but libc.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { commandOf, root } from './lib.mjs';

const published = ['core', 'epoll', 'select', 'net'];
// Where its binaries are: npm run build:windows.
if (existsSync(join(root, 'packages/iocp/prebuilds'))) published.push('iocp');
// Where its binaries are: npm run build:darwin.
if (existsSync(join(root, 'packages/kqueue/prebuilds'))) published.push('kqueue');
const libraries =
  /^(libc\.so\.6|libpthread\.so\.0|libc\.musl-\w+\.so\.1|ld-linux[\w.-]*|ld-musl[\w.-]*)$/;
const entryPoints = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];
const glibcFloor = 28; // 2.28

const temporary = mkdtempSync(join(tmpdir(), 'pollux-pack-'));
const faults = [];
try {
  for (const name of published) await check(name);
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
for (const fault of faults) console.error(fault);
console.log(`${published.length} packages checked, ${faults.length} faults`);
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

  const addons = paths.filter((path) => path.endsWith('.node'));
  if (name !== 'core' && addons.length === 0) fault('it has no prebuilt addon');
  for (const path of addons) if (path.includes('linux')) checkAddon(join(directory, path), fault);
}

function checkAddon(path, fault) {
  const file = basename(path);
  const needed = output('readelf', ['-dW', path]).matchAll(/\(NEEDED\).*\[(.+)\]/g);
  for (const [, library] of needed) if (!libraries.test(library)) fault(`${file} needs ${library}`);
  for (const [, minor] of output('objdump', ['-T', path]).matchAll(/GLIBC_2\.(\d+)/g))
    if (Number(minor) > glibcFloor) fault(`${file} needs glibc 2.${minor}`);
  for (const line of output('nm', ['-D', path]).split('\n')) {
    const [, kind, symbol] = /([A-Za-z]) (\S+)$/.exec(line) ?? [];
    if (!symbol) continue;
    // What nobody defines here would be taken from the C++ library of the node binary, if any.
    if (kind === 'U' && /^(_Z|__cxa_(?!finalize|atexit)|__gxx|_Unwind)/.test(symbol))
      fault(`${file} wants ${symbol} from a C++ runtime (see packages/addon/src/runtime.cc)`);
    if (!/[Uwv]/.test(kind) && !entryPoints.includes(symbol)) fault(`${file} shows ${symbol}`);
  }
}

function output(command, args) {
  return execFileSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
