// A few seconds of the fuzz (fuzz/, `npm run fuzz:net` for more of it): random traffic, closes, resets
// and exceptions, on every backend and in every way of waiting; no byte is lost, doubled or misled,
// and nothing grows.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';

const program = fileURLToPath(new URL('fuzz/dist/main.js', import.meta.url));
const script = fileURLToPath(new URL('../../../scripts/fuzz-net.mjs', import.meta.url));
/** POLLUX_BACKEND, if it is set, is heeded by the program. */
const MINUTES = '0.1';
const SEED = '1';
const run = promisify(execFile);

beforeAll(async () => {
  await run(process.execPath, [script, '--built', '--seed', SEED, '--rounds', '1', '--alone']);
}, 60_000);

for (const [name, env] of [
  ['six seconds of the fuzz', {}],
  ['as much with slabs that are written over', { POLLUX_POISON: '1' }],
] as const) {
  test(name, { timeout: 60_000 }, async () => {
    const args = ['--expose-gc', program, '--seed', SEED, '--minutes', MINUTES];
    const options = { env: { ...process.env, ...env } };
    const ended = await run(process.execPath, args, options).then(
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
