// Where the kernel lacks the call that waits in nanoseconds (ENOSYS), or a seccomp filter forbids it
// (EPERM), its elder takes its place, in whole milliseconds: late, never early. The filter is for
// good, so each runs in a process of its own.
import { cases } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { runFixture } from './poller-support.js';

const CALLS: Readonly<Record<string, string>> = { epoll: 'epoll_pwait2', poll: 'ppoll' };
const rows = cases.filter(({ backend }) => backend in CALLS);

describe.runIf(rows.length > 0).each(['ENOSYS', 'EPERM'])('%s', (errno) => {
  test.for(rows)('$backend, $way', async ({ backend, way }, context) => {
    const call = CALLS[backend]!;
    // Linux has a system call of that name on its older processors alone; libc asks ppoll there.
    context.skip(call === 'ppoll' && process.arch === 'arm64', 'arm64 has no poll(2)');
    const { code, stdout, stderr } = await runFixture('poller-fallback.mjs', [
      call,
      errno,
      backend,
      way,
    ]);
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
