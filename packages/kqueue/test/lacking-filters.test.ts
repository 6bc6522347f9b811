// Systems that lack a filter: no EVFILT_EXCEPT (FreeBSD), no EVFILT_USER (NetBSD before 10) beside a
// pipe that is refused. On the model of kqueue alone, which is read once per process: so in another.
import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';

const model = process.env.POLLUX_KQUEUE_MODEL;

function told(lacks: string, program: string): unknown {
  const start = `
    import { createPoller, Events, Interest } from '@pollux/core';
    import { close, pipe, tcpPair, write } from '@pollux/testkit';
    const poller = createPoller({ backend: 'kqueue', ignoreEnvironment: true });
    const refused = (fd, interest) => {
      try {
        poller.add(fd, interest, 1);
      } catch ({ code }) {
        return code;
      }
    };
    const records = () => {
      const count = poller.wait(0);
      return Array.from(poller.events.subarray(0, 2 * count));
    };
    const tell = (value) => console.log(JSON.stringify(value));
  `;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', start + program], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
    timeout: 15_000,
    env: { ...process.env, POLLUX_KQUEUE_MODEL: `${model},${lacks}` },
  });
  return JSON.parse(output);
}

describe.skipIf(model === undefined)('on the model of kqueue', () => {
  test('without EVFILT_EXCEPT, urgent data alone is refused, and never comes beside another', () => {
    const program = `
      const [near, far] = tcpPair();
      const alone = [refused(near, Interest.priority), poller.canWatch(near)];
      poller.add(near, Interest.readable | Interest.priority, 7);
      const before = records();
      write(far, 'x');
      tell([...alone, before, records(), Events.readable]);
    `;
    const [code, watchable, before, after, readable] = told('no-except', program) as unknown[];
    expect({ code, watchable, before }).toEqual({ code: 'EPERM', watchable: true, before: [] });
    expect(after).toEqual([7, readable]);
  });

  test('without EVFILT_USER, a pipe wakes, and one without a reader is what the kernel says', () => {
    const program = `
      poller.notify();
      const woken = [records(), poller.counters().wakeups];
      const [reader, writer] = pipe();
      close(reader);
      tell([...woken, refused(writer, Interest.writable) ?? records()]);
    `;
    const [records, wakeups, pipe] = told('no-user', program) as unknown[];
    expect({ records, wakeups }).toEqual({ records: [], wakeups: 1 });
    // Another model takes it, and tells of it as ready with an error.
    if (model?.startsWith('freebsd')) expect(pipe).toBe('EPIPE');
    else expect(pipe).toEqual([1, expect.any(Number)]);
  });
});
