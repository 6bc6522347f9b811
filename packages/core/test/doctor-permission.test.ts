// `pollux doctor` under Node's permission model: it says what is not allowed, and which flag would.
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { permissionFlag, runNode } from './support.js';
import { ours } from './table.js';

const command = fileURLToPath(new URL('../bin/pollux.js', import.meta.url));

const root = fileURLToPath(new URL('../../../', import.meta.url));

const doctor = (...flags: string[]) =>
  runNode([...flags, command, 'doctor', '--json'], {
    // Without what is preloaded for a sanitizer, which may not be read either.
    env: { NODE_NO_WARNINGS: '1', NODE_OPTIONS: '' },
  });

async function reasons(...flags: string[]): Promise<(string | undefined)[]> {
  const { code, stdout, stderr } = await doctor(...flags);
  expect([code, stderr]).toEqual([1, '']);
  const { chosen, candidates } = JSON.parse(stdout);
  expect(chosen).toBe(null);
  return candidates
    .filter(({ backend }: { backend: string }) => ours.includes(backend))
    .map(({ reason }: { reason: { code: string; message: string } }) => {
      expect(reason.code).toBe('addons-forbidden');
      return reason.message;
    });
}

test('without --allow-addons', async () => {
  for (const message of await reasons(permissionFlag, '--allow-fs-read=*'))
    expect(message).toContain('The permission model is on: start node with --allow-addons.');
});

test('without the right to read the addons', async () => {
  const core = dirname(createRequire(import.meta.url).resolve('@pollux/core/package.json'));
  for (const message of await reasons(
    permissionFlag,
    '--allow-addons',
    `--allow-fs-read=${core}/*`,
  ))
    expect(message).toMatch(
      /@pollux\/\w+ cannot be loaded, for \S+ may not be read.*--allow-fs-read/,
    );
});

// node-gyp-build looks for that file on Linux alone; docs/packaging.md names both.
test.runIf(process.platform === 'linux')(
  'node_modules alone are not enough on Linux, and what else is read is told',
  async () => {
    const flags = [permissionFlag, '--allow-addons', `--allow-fs-read=${root}`];
    for (const message of await reasons(...flags)) expect(message).toContain('/etc/alpine-release');
    const { code, stdout } = await doctor(...flags, '--allow-fs-read=/etc/alpine-release');
    expect([code, JSON.parse(stdout).chosen]).toEqual([0, ours[0]]);
  },
);

test('--no-addons', async () => {
  for (const message of await reasons('--no-addons'))
    expect(message).toContain('Start node without --no-addons.');
});

test('with both rights it is as without the model', async () => {
  const { code, stdout } = await doctor(permissionFlag, '--allow-fs-read=*', '--allow-addons');
  expect(code).toBe(0);
  expect(JSON.parse(stdout).chosen).toBe(ours[0]);
});
