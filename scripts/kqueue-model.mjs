// npm run test:kqueue-model [-- --variant V] [vitest arguments]: the conformance, reactor and net
// suites on the kqueue backend, on Linux, with the model of kqueue in packages/kqueue/test/model in
// the place of a kernel's; once for each of its variants.
//
// The backend's source is the one that is shipped; only <sys/event.h> is the model's. It is a model:
// what passes here has not run on macOS or a BSD.

import { mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { commandOf, root, run } from './lib.mjs';

const node = process.execPath;
const args = process.argv.slice(2);
const at = args.indexOf('--variant');
const variants = at < 0 ? ['freebsd', 'contrary'] : args.splice(at, 2)[1].split('/');
const filters = args.length > 0 ? args : ['packages/testkit', 'packages/kqueue', 'packages/net'];

const home = join(root, '.kqueue-model');
const model = join(root, 'packages/kqueue/test/model');
const library = join(home, 'kqueue-model.so');

if (process.platform !== 'linux') throw new Error('the model of kqueue stands on epoll(7): Linux');
run(node, ['scripts/turbo.mjs', '--quiet', 'run', 'build', 'build:native']);
mkdirSync(home, { recursive: true });
buildModel();
buildAddon();
for (const variant of variants) {
  console.log(`\n=== kqueue backend on the model of kqueue (not macOS, not a BSD), ${variant}`);
  const env = {
    ...process.env,
    POLLUX_BACKEND: 'kqueue',
    POLLUX_FOREIGN: 'kqueue',
    POLLUX_KQUEUE_MODEL: variant,
    LD_PRELOAD: library,
    NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --require "${join(root, 'scripts/kqueue-model-env.cjs')}"`,
  };
  run(node, ['scripts/prebuild/smoke.mjs', 'kqueue'], { env });
  run(node, [commandOf('vitest'), 'run', ...filters], { env });
}

function buildModel() {
  const sources = readdirSync(model).filter((name) => name.endsWith('.cc'));
  const flags = ['-std=c++20', '-O2', '-g', '-Wall', '-Wextra', '-Wshadow', '-Werror', '-fPIC'];
  run(process.env.CXX ?? 'g++', [
    ...[...flags, '-shared', '-fvisibility-inlines-hidden', '-I', model, '-o', library],
    ...sources.map((name) => join(model, name)),
  ]);
}

/** In a tree of links of the shape of packages/, so that the ordinary prebuilds stay as they are. */
function buildAddon() {
  const shadow = join(home, 'packages');
  const native = join(shadow, 'kqueue', 'native');
  mkdirSync(native, { recursive: true });
  link(join(root, 'packages', 'addon'), join(shadow, 'addon'));
  const from = join(root, 'packages', 'kqueue', 'native');
  for (const name of readdirSync(native)) if (name !== 'build') rmSync(join(native, name));
  for (const name of readdirSync(from)) {
    if (name !== 'build') link(join(from, name), join(native, name));
  }
  const jobs = String(availableParallelism());
  const gyp = [commandOf('node-gyp'), 'configure', 'build', '--loglevel=warn', '-j', jobs];
  run(node, [...gyp, '-C', native], { env: { ...process.env, CXXFLAGS: `-I${model}` } });
}

function link(target, path) {
  rmSync(path, { force: true });
  symlinkSync(target, path);
}
