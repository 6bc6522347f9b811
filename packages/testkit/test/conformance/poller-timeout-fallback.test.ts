// Where the kernel has no epoll_pwait2 (ENOSYS) or a seccomp filter forbids it (EPERM), the epoll
// backend waits with epoll_wait, in whole milliseconds: late, never early. The filter is for good, so
// each runs in a process of its own.
import { cases } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { runFixture } from './poller-support.js';

const rows = cases.filter(({ backend }) => backend === 'epoll');

describe.runIf(rows.length > 0).each(['ENOSYS', 'EPERM'])('epoll_pwait2: %s', (errno) => {
  test.each(rows)('$way', async ({ way }) => {
    const { code, stdout, stderr } = await runFixture('poller-fallback.mjs', [errno, way]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      resolution: 1,
      early: 0,
      ready: [[1, 1]],
      zero: 0,
      huge: 0,
    });
  });
});
