// npm run test:asan [-- vitest arguments]: the test suite with AddressSanitizer in every addon, then
// the C++ harness of packages/addon (ThreadSanitizer), where there is one.
//
// The instrumented addons are built in .asan/, a tree of links of the same shape as packages/, so
// that the ordinary prebuilds stay as they are and a second run compiles only what changed.
// scripts/asan-env.cjs, preloaded into every node process, makes node-gyp-build load these.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { addonsHere, commandOf, root, run } from './lib.mjs';

const node = process.execPath;
const shadow = join(root, '.asan', 'packages');
const addons = addonsHere().map(({ directory }) => directory);

const compiler = process.env.CXX ?? 'g++';
const runtime = execFileSync(compiler, ['-print-file-name=libasan.so']).toString().trim();
if (!isAbsolute(runtime)) throw new Error(`${compiler} has no libasan.so`);

run(node, ['scripts/turbo.mjs', '--quiet', 'run', 'build', 'build:native']);

mkdirSync(shadow, { recursive: true });
link(join(root, 'packages', 'addon'), join(shadow, 'addon'));
for (const addon of addons) {
  const from = join(root, 'packages', addon, 'native');
  const to = join(shadow, addon, 'native');
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(to)) if (name !== 'build') rmSync(join(to, name));
  for (const name of readdirSync(from))
    if (name !== 'build') link(join(from, name), join(to, name));
  const jobs = String(availableParallelism());
  run(
    node,
    [commandOf('node-gyp'), 'configure', 'build', '--loglevel=warn', '-C', to, '-j', jobs],
    { env: { ...process.env, POLLUX_SANITIZE: 'address' } },
  );
}

const environment = {
  ...process.env,
  POLLUX_SANITIZED: 'address',
  LD_PRELOAD: runtime,
  NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --require "${join(root, 'scripts/asan-env.cjs')}"`,
  // Leaks are not looked for: node itself leaves much to the end of the process.
  ASAN_OPTIONS: `detect_leaks=0:allocator_may_return_null=1:${process.env.ASAN_OPTIONS ?? ''}`,
};
run(node, ['scripts/asan-env.cjs', ...addons], { env: environment });
run(node, [commandOf('vitest'), 'run', ...process.argv.slice(2)], { env: environment });

const harness = join(root, 'packages/addon/test/run-harness.sh');
if (existsSync(harness)) run('bash', [harness]);

function link(target, path) {
  rmSync(path, { force: true });
  symlinkSync(target, path);
}
