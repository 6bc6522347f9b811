// The choice of a backend: order, wishes, environment, and why the others were passed over.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  type Candidate,
  createPoller,
  explainSelection,
  PolluxError,
  type SelectionOptions,
} from '@pollux/core';
import { describe, expect, test } from 'vitest';
import { next, ours, reasonsIf } from './table.js';

const free: SelectionOptions = { ignoreEnvironment: true };
const fixture = fileURLToPath(new URL('fixtures/select.mjs', import.meta.url));

function chosen(options: SelectionOptions): string {
  using poller = createPoller({ ...free, ...options });
  return poller.backend;
}

function reasons(candidates: readonly Candidate[]): Record<string, string | undefined> {
  return Object.fromEntries(candidates.map(({ backend, reason }) => [backend, reason?.code]));
}

/** Runs the fixture, which prints what was chosen, or the code and the reasons of the refusal. */
function select(env: NodeJS.ProcessEnv, options: object = {}, flags: string[] = []) {
  const { POLLUX_BACKEND: _, ...rest } = process.env;
  const child = spawnSync(process.execPath, [...flags, fixture, JSON.stringify(options)], {
    env: { ...rest, ...env },
    encoding: 'utf8',
  });
  expect(child.signal).toBe(null);
  return { stderr: child.stderr, result: JSON.parse(child.stdout || 'null') };
}

describe('wishes in code', () => {
  test('the best of this system is taken', () => {
    expect(chosen({})).toBe('epoll');
  });

  test('a name is taken or refused', () => {
    expect(chosen({ backend: 'select' })).toBe('select');
    expect(() => createPoller({ ...free, backend: 'kqueue' })).toThrow(
      expect.objectContaining({ code: 'ERR_POLLUX_NO_BACKEND' }),
    );
  });

  test('avoid passes over, and so does a required capability', () => {
    expect(chosen({ avoid: ['epoll'] })).toBe(next);
    expect(chosen({ avoid: ours.slice(0, -1) })).toBe('select');
    const able = explainSelection(free).candidates.filter((each) => each.capabilities?.anyFd);
    expect(chosen({ require: ['anyFd'] })).toBe(able[0]?.backend);
    expect(able.map(({ backend }) => backend)).not.toContain('epoll');
    expect(chosen({ require: ['edge', 'earlyClose'] })).toBe('epoll');
  });

  test('the refusal carries every candidate with its reason', () => {
    let error: unknown;
    try {
      createPoller({ ...free, require: ['edge', 'anyFd'] });
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(PolluxError);
    expect(reasons((error as { candidates: Candidate[] }).candidates)).toEqual(
      reasonsIf('capability'),
    );
    expect(String(error)).toContain('lacks anyFd');
  });

  test('an explanation tries all and opens none', () => {
    const { chosen, candidates } = explainSelection({ ...free, avoid: ['epoll'] });
    expect(chosen).toBe(next);
    expect(reasons(candidates)).toMatchObject({ epoll: 'avoided', [next]: undefined });
    for (const { backend, available } of candidates)
      expect([backend, available]).toEqual([backend, ours.includes(backend)]);
    const epoll = candidates.find(({ backend }) => backend === 'epoll');
    expect(epoll?.capabilities).toMatchObject({ edge: true, anyFd: false, exclusive: true });
  });

  test.each([
    [{ backend: 'nope' }, 'options.backend', 'ERR_INVALID_ARG_VALUE'],
    [{ backend: 7 }, 'options.backend', 'ERR_INVALID_ARG_TYPE'],
    [{ avoid: 'epoll' }, 'options.avoid', 'ERR_INVALID_ARG_TYPE'],
    [{ avoid: ['nope'] }, 'options.avoid', 'ERR_INVALID_ARG_VALUE'],
    [{ require: ['speed'] }, 'options.require', 'ERR_INVALID_ARG_VALUE'],
    [{ require: [undefined] }, 'options.require', 'ERR_INVALID_ARG_TYPE'],
    [{ ignoreEnvironment: 1 }, 'options.ignoreEnvironment', 'ERR_INVALID_ARG_TYPE'],
    [null, 'options', 'ERR_INVALID_ARG_TYPE'],
    ['epoll', 'options', 'ERR_INVALID_ARG_TYPE'],
  ])('%j is refused by name', (options, name, code) => {
    const call = () => createPoller(options as SelectionOptions);
    expect(call).toThrow(expect.objectContaining({ code }));
    expect(call).toThrow(`"${name}"`);
  });
});

describe('wishes in the environment', () => {
  test('POLLUX_BACKEND is strict', () => {
    expect(select({ POLLUX_BACKEND: 'select' }).result).toMatchObject({ chosen: 'select' });
    expect(select({ POLLUX_BACKEND: 'kqueue' }).result).toMatchObject({
      code: 'ERR_POLLUX_NO_BACKEND',
    });
    expect(select({ POLLUX_BACKEND: 'nope' }).result).toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
    });
  });

  test('code that names a backend, or ignores the environment, has its way', () => {
    const env = { POLLUX_BACKEND: 'select' };
    expect(select(env, { backend: 'epoll' }).result).toMatchObject({ chosen: 'epoll' });
    expect(select(env, free).result).toMatchObject({ chosen: 'epoll' });
  });

  test('POLLUX_NO_EPOLL passes it over', () => {
    expect(select({ POLLUX_NO_EPOLL: '1' }).result).toMatchObject({
      chosen: next,
      reasons: { epoll: 'environment' },
    });
  });

  test('POLLUX_SHOW_BACKEND tells on standard error', () => {
    expect(select({ POLLUX_SHOW_BACKEND: '1' }).stderr).toContain('pollux: using epoll\n');
    expect(select({}).stderr).not.toContain('using');
  });
});

describe('what is not to be had here', () => {
  test.each(['ENOSYS', 'EPERM'])('the kernel says %s: the next one is taken', (errno) => {
    const { result } = select({ FIXTURE_DENY: errno });
    expect(result).toMatchObject({ chosen: next, reasons: { epoll: 'kernel' } });
  });

  test('no descriptor left is an error, not a reason to take a worse one', () => {
    expect(select({ FIXTURE_EXHAUST: '1' }).result).toMatchObject({
      code: 'EMFILE',
      syscall: 'epoll_create1',
    });
  });

  test('Node may not load addons', () => {
    const flags = ['--no-addons'];
    const { result } = select({ FIXTURE_BARE: '1' }, {}, flags);
    expect(result).toMatchObject({
      code: 'ERR_POLLUX_NO_BACKEND',
      reasons: reasonsIf('addons-forbidden'),
    });
  });
});
