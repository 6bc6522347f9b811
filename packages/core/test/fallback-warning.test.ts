// Where the system's best backend cannot be had, a worse one serves, and a process warning says so:
// once per thread, and only if it was not the caller's wish.
import { describe, expect, test } from 'vitest';
import { type Ended, runNode } from './support.js';
import { next } from './table.js';

const here = new URL('.', import.meta.url).pathname;

/** Makes three pollers where the kernel has no epoll, or has. */
function makeThree(refuse: boolean, options: string, env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const text = `
    import { createPoller } from '@pollux/core';
    import { denySyscall } from '@pollux/testkit';
    if (${refuse}) denySyscall('epoll_create1', 'ENOSYS');
    process.on('warning', ({ name, code, message, detail }) =>
      console.log(JSON.stringify({ name, code, message, detail })),
    );
    for (let i = 0; i < 3; i++) createPoller(${options}).close();`;
  return runNode(['--input-type=module', '--eval', text], { cwd: here, env });
}

test('once, with the reason', async () => {
  const { code, stdout, stderr } = await makeThree(true, '');
  expect(code).toBe(0);
  expect(
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual([
    {
      name: 'PolluxWarning',
      code: 'POLLUX_FALLBACK',
      message: `epoll cannot be used here, ${next} is used instead`,
      detail: 'kernel: ENOSYS: function not implemented, epoll_create1',
    },
  ]);
  expect(stderr).toContain('[POLLUX_FALLBACK] PolluxWarning: epoll cannot be used here');
});

describe('not', () => {
  test.each([
    ['where the best works', false, '', {}],
    ['when it was avoided', true, "{ avoid: ['epoll'] }", {}],
    ['when another was asked for', true, "{ backend: 'select' }", {}],
    ['when the environment says so', true, '', { POLLUX_NO_EPOLL: '1' }],
  ])('%s', async (_when, refuse, options, env) => {
    expect(await makeThree(refuse, options, env)).toMatchObject({
      code: 0,
      stdout: '',
      stderr: '',
    });
  });
});
