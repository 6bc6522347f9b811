// Compiles the C peers and load generators into bench/build, when they are newer than what is there,
// and fetches the Debian packages that some peers need, when it may.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const benchDirectory = fileURLToPath(new URL('..', import.meta.url));
const buildDirectory = join(benchDirectory, 'build');

/** A peer cannot take part; the reason is reported, and the others run without it. */
export class Absent extends Error {}

const headers = ['peers', 'load'].flatMap((folder) =>
  readdirSync(join(benchDirectory, folder))
    .filter((file) => file.endsWith('.h'))
    .map((file) => join(benchDirectory, folder, file)),
);

const libraries = {
  libevent: { header: '/usr/include/event2/event.h', debian: 'libevent-dev', link: '-levent' },
  libuv: { header: '/usr/include/uv.h', debian: 'libuv1-dev', link: '-luv' },
};

/** Compiles `bench/<source>` and returns the program's path. */
export function compile(source, library) {
  const flags = library === undefined ? [] : [installed(library)];
  const input = join(benchDirectory, source);
  const output = join(
    buildDirectory,
    source.slice(0, -extname(source).length).replaceAll('/', '-'),
  );
  const sources = [input, ...headers];
  if (existsSync(output) && sources.every((file) => modified(file) < modified(output)))
    return output;
  mkdirSync(buildDirectory, { recursive: true });
  const { status, stderr, error } = spawnSync(
    process.env.CC ?? 'cc',
    ['-std=gnu11', '-O2', '-Wall', '-Wextra', '-D_GNU_SOURCE', input, '-o', output, ...flags],
    { encoding: 'utf8' },
  );
  if (error) throw new Absent(`no C compiler (${error.message})`);
  if (status !== 0) throw new Error(`${source} does not compile\n${stderr}`);
  return output;
}

const modified = (file) => statSync(file).mtimeMs;

const tried = new Set();

/** The linker's flag for a library, after installing its Debian package where we may. */
function installed(name) {
  const { header, debian, link } = libraries[name];
  if (!existsSync(header) && !tried.has(name)) {
    tried.add(name);
    installDebian(debian);
  }
  if (!existsSync(header)) throw new Absent(`${debian} is not installed`);
  return link;
}

function installDebian(name) {
  if (process.getuid?.() !== 0) return;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args) =>
    spawnSync('apt-get', ['-qq', ...args], { env, stdio: 'ignore' }).status === 0;
  if (apt('update')) apt('install', '-y', '--no-install-recommends', name);
}

/** The path of an npm package that is a peer only, installed into the build folder. */
export function npmPackage(name, version) {
  const prefix = join(buildDirectory, 'npm');
  const path = join(prefix, 'node_modules', name);
  if (existsSync(path)) return path;
  mkdirSync(prefix, { recursive: true });
  const { status, stderr, error } = spawnSync(
    'npm',
    ['install', '--prefix', prefix, '--no-save', '--no-audit', '--no-fund', `${name}@${version}`],
    { encoding: 'utf8' },
  );
  if (status === 0) return path;
  const why = error?.message ?? stderr.trim().split('\n').at(-1);
  throw new Absent(`npm cannot install ${name}@${version}: ${why}`);
}
