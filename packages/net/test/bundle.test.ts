// A program in one file, by a bundler, with its addons beside it: run where there is no node_modules.
// Without addons, it says what is missing and what to do.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, realpathSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';
import { afterEach, beforeEach, expect, test } from 'vitest';

const fixtures = fileURLToPath(new URL('fixtures/bundle/', import.meta.url));
const { header } = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
const here = `${process.platform}-${process.arch}`;
const libc = header?.glibcVersionRuntime === undefined ? 'musl' : 'glibc';

/** Its addons are named for Linux, as a program's own are for its system. */
const onLinux = test.runIf(process.platform === 'linux');

let directory: string;
beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'pollux-bundle-')));
});
afterEach(() => rmSync(directory, { recursive: true }));

async function bundle(addons: boolean): Promise<string> {
  const file = join(directory, 'bundle.mjs');
  await build({
    input: join(fixtures, 'main.mjs'),
    platform: 'node',
    // A file for each addon, and its name for who imports it.
    moduleTypes: { '.node': 'asset' },
    plugins: [
      {
        name: 'this-machine',
        transform: {
          filter: { id: /addons\.mjs$/ },
          handler: (code) =>
            addons ? code.replaceAll('HERE', here).replaceAll('LIBC', libc) : 'export {}',
        },
      },
    ],
    output: { file, format: 'esm' },
    logLevel: 'silent',
  });
  return file;
}

const run = (file: string): string => {
  const { POLLUX_BACKEND: _, ...env } = process.env;
  return execFileSync(process.execPath, [file], {
    cwd: directory,
    env: { ...env, NODE_NO_WARNINGS: '1' },
    encoding: 'utf8',
    stdio: 'pipe',
  });
};

onLinux('the addons that it is handed are used', async () => {
  const said = JSON.parse(run(await bundle(true)));
  expect(said).toEqual({
    backend: 'epoll',
    echo: 'hello',
    chosen: 'epoll',
    select: {
      code: 'package-missing',
      message: expect.stringMatching(/@pollux\/select is not installed.*provideAddon\(\)/),
    },
  });
});

onLinux('without them the error tells what was sought, and what to do', async () => {
  const file = await bundle(false);
  expect(() => run(file)).toThrow(
    /PolluxError: @pollux\/net lacks a package .*looked for from .*bundle\.mjs.*provideAddon\(\)/,
  );
});

onLinux('a file that is no addon is told by its path', async () => {
  const file = await bundle(true);
  const addon = readdirSync(directory, { recursive: true, encoding: 'utf8' }).find((name) =>
    /net.*\.node$/.test(name),
  )!;
  truncateSync(join(directory, addon));
  expect(() => run(file)).toThrow(new RegExp(`PolluxError: .*${addon}[^]*ERR_POLLUX_NO_ADDON`));
});
