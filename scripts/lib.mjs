// What the scripts beside this one share.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/** The files git tracks or would track, relative to the root, those of the given endings only. */
export function projectFiles(...endings) {
  const list = execFileSync('git', ['ls-files', '-z', '-co', '--exclude-standard'], { cwd: root });
  return [...new Set(list.toString().split('\0'))]
    .filter((file) => file !== '' && existsSync(join(root, file)))
    .filter((file) => endings.length === 0 || endings.some((ending) => file.endsWith(ending)))
    .sort();
}

/** The path of a command that an installed package brings, to be run with node. */
export function commandOf(packageName, command = packageName) {
  const require = createRequire(import.meta.url);
  const manifest = join(packageDirectory(packageName), 'package.json');
  const { bin } = require(manifest);
  return join(dirname(manifest), typeof bin === 'string' ? bin : bin[command]);
}

function packageDirectory(name) {
  // Not require.resolve: several of these packages export neither themselves nor their manifest.
  return join(root, 'node_modules', name);
}

/** The packages with an addon that is built on this system: their build:native tells where (on.mjs). */
export function addonsHere() {
  return packages().filter(({ scripts }) => {
    const command = scripts?.['build:native'];
    if (command === undefined) return false;
    const systems = /scripts\/on\.mjs (\S+)/.exec(command)?.[1].split(',');
    return systems?.includes(process.platform) ?? true;
  });
}

/** The manifests of all packages, each with the name of its directory. */
export function packages() {
  const directory = join(root, 'packages');
  return readdirSync(directory).map((name) => ({
    ...JSON.parse(readFileSync(join(directory, name, 'package.json'), 'utf8')),
    directory: name,
  }));
}

/** Runs a command with our stdio; on failure says which, and ends this process with its status. */
export function run(command, args, options = {}) {
  const { status, signal, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    ...options,
  });
  if (error) throw error;
  if (status === 0) return;
  console.error(`failed (${signal ?? status}): ${[command, ...args].join(' ')}`);
  process.exit(status ?? 1);
}

/** The environment for turbo and what it starts. */
export function buildEnvironment() {
  const env = { ...process.env, TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1' };
  // What only the running program heeds (POLLUX_BACKEND ...) must not make turbo build anew.
  for (const name of Object.keys(env))
    if (name.startsWith('POLLUX_') && name !== 'POLLUX_SANITIZE') delete env[name];
  return env;
}

/** Makes sure that a command is there: on Debian, as root, by installing the packages that bring it. */
export function ensureInstalled(command, packages) {
  const there = () => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;
  if (there()) return;
  if (process.getuid?.() !== 0 || spawnSync('sh', ['-c', 'command -v apt-get']).status !== 0) {
    console.error(`${command} is missing: on Debian, apt-get install ${packages.join(' ')}`);
    process.exit(1);
  }
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const quiet = { env, stdio: ['ignore', 'ignore', 'inherit'] };
  run('apt-get', ['update', '-qq'], quiet);
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], quiet);
}
