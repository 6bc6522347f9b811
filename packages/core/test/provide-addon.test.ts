// provideAddon: what it refuses, and that a backend it was given is what is used.
import { fileURLToPath } from 'node:url';
import { createPoller, provideAddon } from '@pollux/core';
import { backend } from '@pollux/select';
import { expect, test } from 'vitest';
import { evaluate } from './support.js';

const here = { cwd: fileURLToPath(new URL('.', import.meta.url)) };

test.each([undefined, null, 'epoll', 'core', {}, { name: 'epoll' }])('of: %j', (of) => {
  expect(() => provideAddon(of as never, '/nowhere.node')).toThrow(
    expect.objectContaining({
      code: 'ERR_INVALID_ARG_TYPE',
      message: expect.stringContaining('"of"'),
    }),
  );
});

test.each([
  [undefined, 'ERR_INVALID_ARG_TYPE'],
  [null, 'ERR_INVALID_ARG_TYPE'],
  [1, 'ERR_INVALID_ARG_TYPE'],
  ['', 'ERR_INVALID_ARG_VALUE'],
])('addon: %j', (addon, code) => {
  expect(() => provideAddon(backend, addon as never)).toThrow(
    expect.objectContaining({ code, message: expect.stringContaining('"addon"') }),
  );
  // Nothing was taken over.
  createPoller({ backend: 'select', ignoreEnvironment: true }).close();
});

const attempt = (addon: string): Promise<unknown> =>
  evaluate(
    `import { createPoller, explainSelection, provideAddon } from '@pollux/core';
     import { backend } from '@pollux/select';
     provideAddon(backend, ${addon});
     const { chosen = null, candidates } = explainSelection();
     const { reason = null } = candidates.find((each) => each.backend === 'select');
     let error = null;
     try { createPoller().close(); } catch ({ code }) { error = code; }
     console.log(JSON.stringify({ chosen, reason, error }));`,
    { ...here, env: { POLLUX_BACKEND: 'select' } },
  );

test('the exports of an addon are used as they are', async () => {
  expect(await attempt('backend.load()')).toEqual({ chosen: 'select', reason: null, error: null });
});

test('a path that leads nowhere is told as what cannot be loaded', async () => {
  expect(await attempt("'/nowhere/select.node'")).toEqual({
    chosen: null,
    reason: { code: 'load-failed', message: expect.stringContaining('select.node') },
    error: 'ERR_POLLUX_NO_BACKEND',
  });
});
