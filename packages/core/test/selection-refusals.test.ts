// What the system refuses when a backend is tried: "not to be had here" is a reason to take the next
// one, and everything else, like no descriptor left, is an error. What was asked for by name is never
// replaced. Each in a process of its own.
import { BACKEND_NAMES, createPoller, explainSelection, type Reason } from '@pollux/core';
import { openFds } from '@pollux/testkit';
import { describe, expect, test } from 'vitest';
import { evaluate, fixture, permissionFlag, runNode } from './support.js';
import { forbidding, next, ours, reasonsIf } from './table.js';

/** Text of a module: denies epoll_create1, then prints what `expression` comes to. */
const denied = (errno: string, expression: string): string => `
  import { createPoller, explainSelection } from '@pollux/core';
  import { denySyscall } from '@pollux/testkit';
  denySyscall('epoll_create1', '${errno}');
  const attempt = (action) => {
    try {
      return action();
    } catch ({ name, code, message, candidates }) {
      return { name, code, message, candidates };
    }
  };
  console.log(JSON.stringify(attempt(() => ${expression})));`;
const here = { cwd: new URL('.', import.meta.url).pathname };

describe('the kernel refuses epoll_create1', () => {
  test.each(['ENOSYS', 'EPERM'])(
    'with %s: the next is taken, and the reason told',
    async (errno) => {
      const selection = await evaluate(denied(errno, 'explainSelection()'), here);
      expect(selection).toMatchObject({
        chosen: next,
        candidates: BACKEND_NAMES.map((backend) => {
          if (!ours.includes(backend)) {
            return { backend, available: false, reason: { code: 'platform' } };
          }
          if (backend !== 'epoll')
            return { backend, available: true, capabilities: { anyFd: true } };
          const message = expect.stringContaining(`${errno}: `);
          return { backend, available: false, reason: { code: 'kernel', message } };
        }),
      });
      const taken = await evaluate(denied(errno, 'createPoller().backend'), here);
      expect(taken).toBe(next);
    },
  );

  test.each([
    ["createPoller({ backend: 'epoll' })", {}, 'options.backend=epoll'],
    ['createPoller()', { POLLUX_BACKEND: 'epoll' }, 'POLLUX_BACKEND=epoll'],
  ])('%s with %j is refused, not replaced', async (expression, env, words) => {
    const error = await evaluate(denied('ENOSYS', expression), { ...here, env });
    expect(error).toMatchObject({
      name: 'PolluxError',
      code: 'ERR_POLLUX_NO_BACKEND',
      message: expect.stringContaining(words),
    });
    expect((error as { message: string }).message).toMatch(
      /epoll: kernel \(ENOSYS: .*epoll_create1/,
    );
    const { candidates } = error as { candidates: { backend: string; reason: Reason }[] };
    expect(
      Object.fromEntries(candidates.map(({ backend, reason }) => [backend, reason.code])),
    ).toEqual({ ...reasonsIf('not-asked-for'), epoll: 'kernel' });
  });

  test('and all others are forbidden: the error carries every candidate', async () => {
    const env = forbidding(ours.slice(1));
    const error = await evaluate(denied('EPERM', 'createPoller()'), { ...here, env });
    expect(error).toMatchObject({
      code: 'ERR_POLLUX_NO_BACKEND',
      candidates: BACKEND_NAMES.map((backend) => ({
        backend,
        reason: { code: expect.any(String), message: expect.any(String) },
      })),
    });
  });
});

describe('no descriptor left', () => {
  const run = async (backend: string, left: number, loaded: string): Promise<unknown> => {
    const ended = await runNode(
      [fixture('out-of-descriptors.mjs'), backend, String(left), loaded],
      {
        // Little enough to be used up at once.
        prefix: ['sh', '-c', 'ulimit -n 64; exec "$@"', 'sh'],
        // No heap per thread: when one shrinks, glibc opens /proc/sys/vm/overcommit_memory for a
        // moment, which would be counted.
        env: { MALLOC_ARENA_MAX: '1' },
      },
    );
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
    return JSON.parse(ended.stdout);
  };

  test.each([
    ['', 'epoll_create1'],
    ['epoll', 'epoll_create1'],
    ['poll', 'pipe'],
    ['select', 'pipe'],
  ])('is EMFILE, not another backend (asked for: %j)', async (backend, syscall) => {
    for (const left of [0, 1]) {
      const result = await run(backend, left, 'loaded');
      expect(result).toMatchObject({ code: 'EMFILE', syscall, leaked: 0 });
    }
    const enough = await run(backend, 2, 'loaded');
    const expected = backend === '' ? 'epoll' : backend;
    expect(enough).toEqual({ backend: expected, leaked: 0, afterwards: expected });
  });

  test('is no missing package either, when the packages are yet to be loaded', async () => {
    const result = await run('', 0, 'fresh');
    expect(result).toMatchObject({ code: 'EMFILE', leaked: 0, afterwards: 'epoll' });
  });
});

describe('addons are forbidden', () => {
  const text = `
    import { createPoller, explainSelection } from '@pollux/core';
    const { chosen = null, candidates } = explainSelection();
    let code;
    try { createPoller(); } catch (error) { code = error.code; }
    console.log(JSON.stringify({ chosen, code, reasons: candidates.map((each) => each.reason) }));`;

  test.each([['--no-addons'], [permissionFlag, '--allow-fs-read=*']])(
    'by %s %s',
    async (...flags) => {
      const present = flags.filter((flag) => flag !== undefined);
      const ended = await runNode([...present, '--input-type=module', '--eval', text], here);
      expect(ended).toMatchObject({ code: 0, signal: null });
      const forbidden = { code: 'addons-forbidden', message: expect.stringContaining('addon') };
      expect(JSON.parse(ended.stdout)).toMatchObject({
        chosen: null,
        code: 'ERR_POLLUX_NO_BACKEND',
        reasons: Object.values(reasonsIf('')).map((code) => (code === '' ? forbidden : { code })),
      });
    },
  );
});

describe('the environment', () => {
  const chosen = `
    import { createPoller, Reactor } from '@pollux/core';
    const poller = createPoller();
    poller.close();
    const reactor = new Reactor();
    console.log(JSON.stringify([poller.backend, reactor.backend, reactor.driver]));
    reactor.close();`;

  test.each([
    [{}, 'epoll', 'uv'],
    [{ POLLUX_BACKEND: '' }, 'epoll', 'uv'],
    [{ POLLUX_NO_EPOLL: '' }, 'epoll', 'uv'],
    [{ POLLUX_NO_EPOLL: '1' }, next, 'thread'],
    [{ POLLUX_NO_EPOLL: '0' }, next, 'thread'],
    [forbidding(ours.slice(0, -1)), 'select', 'thread'],
    [{ POLLUX_NO_KQUEUE: '1' }, 'epoll', 'uv'],
    [{ POLLUX_BACKEND: 'select' }, 'select', 'thread'],
    [{ POLLUX_DRIVER: 'thread' }, 'epoll', 'thread'],
    [{ POLLUX_DRIVER: 'uv' }, 'epoll', 'uv'],
    [{ POLLUX_DRIVER: '' }, 'epoll', 'uv'],
  ])('%j: %s, %s', async (env, backend, driver) => {
    const answer = await evaluate(chosen, { ...here, env: env as NodeJS.ProcessEnv });
    expect(answer).toEqual([backend, backend, driver]);
  });

  test('a backend that is both asked for and forbidden is refused', async () => {
    const env = { POLLUX_BACKEND: 'epoll', POLLUX_NO_EPOLL: '1' };
    const ended = await runNode(['--input-type=module', '--eval', chosen], { ...here, env });
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('ERR_POLLUX_NO_BACKEND');
    expect(ended.stderr).toContain('POLLUX_NO_EPOLL is set');
  });

  test.each([
    [{ POLLUX_BACKEND: 'polls' }, 'POLLUX_BACKEND', 'ERR_INVALID_ARG_VALUE'],
    [{ POLLUX_DRIVER: 'threads' }, 'POLLUX_DRIVER', 'ERR_INVALID_ARG_VALUE'],
    [{ POLLUX_BACKEND: 'select', POLLUX_DRIVER: 'uv' }, 'POLLUX_DRIVER', 'ERR_POLLUX_UNSUPPORTED'],
  ])('%j is refused by its name', async (env, name, code) => {
    const ended = await runNode(['--input-type=module', '--eval', chosen], {
      ...here,
      env: env as NodeJS.ProcessEnv,
    });
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain(code);
    expect(ended.stderr).toContain(name);
    if (code === 'ERR_INVALID_ARG_VALUE')
      expect(ended.stderr).toContain(`The "${name}" environment variable must be one of `);
  });

  test('POLLUX_DRIVER is for attached reactors, and a wish where the code has chosen a poller', async () => {
    const text = `
      import { Reactor } from '@pollux/core';
      import { MemoryPoller } from '@pollux/core/testing';
      const blocking = new Reactor({ mode: 'blocking' });
      const injected = new Reactor({ poller: new MemoryPoller() });
      console.log(JSON.stringify([blocking.driver, injected.driver]));`;
    const env = { POLLUX_BACKEND: 'select', POLLUX_DRIVER: 'uv' };
    expect(await evaluate(text, { ...here, env })).toEqual(['blocking', 'thread']);
  });

  test('POLLUX_SHOW_BACKEND tells of every poller that is made, on stderr', async () => {
    const ended = await runNode(['--input-type=module', '--eval', chosen], {
      ...here,
      env: { POLLUX_SHOW_BACKEND: '1', POLLUX_NO_EPOLL: '1' },
    });
    expect(ended.stderr).toBe(`pollux: using ${next}\n`.repeat(2));
    expect(JSON.parse(ended.stdout)[0]).toBe(next);
  });
});

describe('the table', () => {
  test('is in libevent’s order, best first, and says what was not needed', () => {
    expect(BACKEND_NAMES).toEqual(['kqueue', 'epoll', 'iocp', 'poll', 'select']);
    const { candidates } = explainSelection({ ignoreEnvironment: true });
    expect(candidates.map(({ backend }) => backend)).toEqual(BACKEND_NAMES);
    expect(candidates.at(-1)).toMatchObject({ available: true, reason: { code: 'not-needed' } });
  });

  test('leaves nothing open: not when it explains, not when it refuses', () => {
    explainSelection({ ignoreEnvironment: true });
    const before = openFds();
    for (let n = 0; n < 20; n++) {
      explainSelection({ ignoreEnvironment: true });
      explainSelection({ ignoreEnvironment: true, avoid: ours });
      expect(() => createPoller({ ignoreEnvironment: true, require: ['edge', 'anyFd'] })).toThrow(
        'lacks',
      );
    }
    expect(openFds()).toEqual(before);
  });
});
