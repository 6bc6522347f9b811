// `pollux doctor`, as a user runs it.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { BACKEND_NAMES } from '@pollux/core';
import { expect, test } from 'vitest';
import { forbidding, next, ours } from './table.js';

const command = fileURLToPath(new URL('../bin/pollux.js', import.meta.url));
const { bun, deno, node } = process.versions;
const [name, version] =
  Object.entries({ bun, deno, node }).find(([, is]) => is !== undefined) ?? [];
const runtime = `${name} ${version}`;

function pollux(args: string[], env: NodeJS.ProcessEnv = {}) {
  const { POLLUX_BACKEND: _, ...rest } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...args], {
    env: { ...rest, ...env },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

test('it names the choice, the machine, and each candidate with its reason', () => {
  const { status, stdout } = pollux(['doctor'], { POLLUX_NO_EPOLL: '1' });
  expect(status).toBe(0);
  expect(stdout).toContain(`Chosen backend: ${next}`);
  expect(stdout).toContain(`${runtime} on linux ${process.arch}`);
  expect(stdout).toContain('POLLUX_NO_EPOLL=1');
  expect(stdout).toMatch(/epoll {3}works here {2}environment: POLLUX_NO_EPOLL is set/);
  expect(stdout).toMatch(/kqueue {2}not here {4}platform: not on linux/);
});

test('--json has the same for programs', () => {
  const { status, stdout } = pollux(['doctor', '--json']);
  expect(status).toBe(0);
  const diagnosis = JSON.parse(stdout);
  expect(diagnosis).toMatchObject({
    chosen: 'epoll',
    platform: 'linux',
    arch: process.arch,
    libc: expect.stringMatching(/^(glibc \d|musl)/),
    kernel: expect.stringMatching(/^\d+\.\d+/),
    runtime,
  });
  expect(diagnosis.candidates).toHaveLength(BACKEND_NAMES.length);
  for (const candidate of diagnosis.candidates) {
    expect(Object.keys(candidate)).toEqual(['backend', 'available', 'reason', 'capabilities']);
  }
  expect(diagnosis.candidates[BACKEND_NAMES.indexOf('epoll')]).toMatchObject({
    backend: 'epoll',
    available: true,
    reason: null,
    capabilities: { edge: true, constantTime: true },
  });
});

test('nothing to be chosen is exit status 1', () => {
  expect(pollux(['doctor'], forbidding(ours))).toMatchObject({
    status: 1,
    stdout: expect.stringContaining('No backend can be used here'),
  });
  expect(pollux(['doctor'], { POLLUX_BACKEND: 'nope' })).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('POLLUX_BACKEND'),
  });
});

test.each([[[]], [['nope']], [['doctor', 'twice']], [['doctor', '--nope']]])(
  'wrong use %j is exit status 2 and the usage',
  (args) => {
    expect(pollux(args)).toMatchObject({ status: 2, stderr: expect.stringContaining('Usage:') });
  },
);

test('--help is exit status 0', () => {
  expect(pollux(['--help'])).toMatchObject({ status: 0, stdout: expect.stringContaining('Usage') });
});
