// provideAddon: what it refuses, and that a backend it was given is what is used.
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
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
  [{}, 'ERR_INVALID_ARG_VALUE'],
  [new URL('file:///select.node'), 'ERR_INVALID_ARG_VALUE'],
  [{ ...backend.load(), name: 'poll' }, 'ERR_INVALID_ARG_VALUE'],
])('addon: %j', (addon, code) => {
  expect(() => provideAddon(backend, addon as never)).toThrow(
    expect.objectContaining({ code, message: expect.stringContaining('"addon"') }),
  );
  // Nothing was taken over.
  createPoller({ backend: 'select', ignoreEnvironment: true }).close();
});

const require = createRequire(import.meta.url);

/** The path of a package's addon, as a literal. */
const addonOf = (name: string): string =>
  JSON.stringify(
    require('node-gyp-build').resolve(dirname(require.resolve(`@pollux/${name}/package.json`))),
  );

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

test('the addon of another package is not taken for the one that is wanted', async () => {
  expect(await attempt(addonOf('net'))).toEqual({
    chosen: null,
    reason: {
      code: 'load-failed',
      message: expect.stringContaining('is not the addon of @pollux/select'),
    },
    error: 'ERR_POLLUX_NO_BACKEND',
  });
});

test("net's: exports are looked at when they are given, a file when net is imported", async () => {
  const told = await evaluate(
    `import { provideAddon } from '@pollux/core';
     import { backend } from '@pollux/select';
     const told = [];
     try { provideAddon('net', backend.load()); } catch ({ code }) { told.push(code); }
     provideAddon('net', ${addonOf('select')});
     try { await import('@pollux/net'); } catch ({ code, message }) { told.push(code, message); }
     console.log(JSON.stringify(told));`,
    here,
  );
  expect(told).toEqual([
    'ERR_INVALID_ARG_VALUE',
    'ERR_POLLUX_NO_ADDON',
    expect.stringContaining('is not the addon of @pollux/net'),
  ]);
});
