// npm run fuzz:net: random traffic through @pollux/net, checked byte by byte, on every backend and in
// every way of waiting. What it does and checks is told in packages/net/test/fuzz.
//
//   npm run fuzz:net -- [--seed N] [--minutes M] [--rounds N] [--backend B] [--mode M] [--alone]
//                       [--poison]
//
// Without a seed it takes one from the clock, and says which. `--mode` is blocking, uv, thread, or
// attached for both of these; `--alone` does without the second process. A failure names its round's
// seed; a round chooses the same again, but what the kernel does first is its own affair, so a rare
// failure may take some runs to come back. `--poison` sets POLLUX_POISON: a slab is written over as soon
// as what lies in it is no longer good. `--built`: nothing is to be built but the fuzz itself.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { commandOf, root, run } from './lib.mjs';

const args = process.argv.slice(2);
const built = args.indexOf('--built');
if (built >= 0) args.splice(built, 1);
else run(process.execPath, ['scripts/turbo.mjs', '--quiet', 'run', 'build', 'build:native']);
const poison = args.indexOf('--poison');
if (poison >= 0) args.splice(poison, 1);

const fuzz = join(root, 'packages/net/test/fuzz');
run(process.execPath, [commandOf('typescript', 'tsc'), '-p', fuzz]);
const program = [join(fuzz, 'dist/main.js'), ...args];
const { status, signal } = spawnSync(process.execPath, ['--expose-gc', ...program], {
  stdio: 'inherit',
  env: { ...process.env, ...(poison >= 0 ? { POLLUX_POISON: '1' } : {}) },
});
if (signal !== null) console.error(`ended by ${signal}`);
process.exitCode = status ?? 1;
