// Runs turbo with its telemetry off, on every system alike (a `NAME=value command` script line is
// sh only). `--quiet` first: only a failing task is heard, with its whole log.
import { spawnSync } from 'node:child_process';
import { buildEnvironment, commandOf, root } from './lib.mjs';

const quiet = process.argv[2] === '--quiet';
const args = process.argv.slice(quiet ? 3 : 2);
if (quiet) args.push('--output-logs=errors-only', '--log-order=grouped');

const { status, stdout, stderr, error } = spawnSync(
  process.execPath,
  [commandOf('turbo'), ...args],
  {
    cwd: root,
    env: buildEnvironment(),
    stdio: ['inherit', ...Array(2).fill(quiet ? 'pipe' : 'inherit')],
  },
);
if (error) throw error;
if (quiet && status !== 0) {
  process.stderr.write(stdout);
  process.stderr.write(stderr);
}
process.exitCode = status ?? 1;
