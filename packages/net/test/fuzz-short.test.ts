// A few seconds of the fuzz (fuzz/, `npm run fuzz:net` for more of it): random traffic, closes, resets
// and exceptions, on every backend and in every way of waiting; no byte is lost, doubled or misled,
// and nothing grows.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const script = fileURLToPath(new URL('../../../scripts/fuzz-net.mjs', import.meta.url));
/** POLLUX_BACKEND, if it is set, is heeded by the program. */
const MINUTES = '0.11';
const SEED = '1';

for (const [name, more] of [
  ['seven seconds of the fuzz', []],
  ['as much with slabs that are written over', ['--poison']],
] as const) {
  test(name, { timeout: 60_000 }, async () => {
    const args = [script, '--built', '--seed', SEED, '--minutes', MINUTES, ...more];
    const ended = await promisify(execFile)(process.execPath, args).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error) => error as { code: number; stdout: string; stderr: string },
    );
    console.log(ended.stdout.trimEnd());
    expect(ended.stderr).toBe('');
    expect(ended.code, ended.stdout).toBe(0);
    // It did something.
    expect(ended.stdout).toMatch(/^\d+ rounds from seed 1: [1-9]\d* connections, /m);
    for (const what of ['message', 'relayed', 'fds', 'unix message', 'unix fds', 'segments']) {
      expect(ended.stdout).toMatch(new RegExp(`, [1-9]\\d* ${what}`));
    }
  });
}
