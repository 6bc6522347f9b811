// A program in one file, by a bundler, with its addons beside it, or in one with Node itself: run where
// there is no node_modules. Without addons, it says what is missing and what to do.
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
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

async function bundle(addons: string | false, format: 'esm' | 'cjs' = 'esm'): Promise<string> {
  const file = join(directory, format === 'esm' ? 'bundle.mjs' : 'bundle.cjs');
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
          handler: () =>
            (addons ? readFileSync(join(fixtures, addons), 'utf8') : 'export {}')
              .replaceAll('HERE', here)
              .replaceAll('LIBC', libc),
        },
      },
    ],
    output: { file, format },
    logLevel: 'silent',
  });
  return file;
}

function run(command: string, ...args: string[]): string {
  const { POLLUX_BACKEND: _, ...env } = process.env;
  return execFileSync(command, args, {
    cwd: directory,
    env: { ...env, NODE_NO_WARNINGS: '1' },
    encoding: 'utf8',
    stdio: 'pipe',
  });
}

const works = {
  backend: 'epoll',
  echo: 'hello',
  chosen: 'epoll',
  select: {
    code: 'package-missing',
    message: expect.stringMatching(/@pollux\/select is not installed.*provideAddon\(\)/),
  },
};

onLinux('the addons that it is handed are used', async () => {
  const file = await bundle('addons.mjs');
  expect(JSON.parse(run(process.execPath, file))).toEqual(works);
});

/** Not by a Node that is but a shell around libnode.so, as some distributions have it. */
const { single_executable_application: possible } = process.config.variables as {
  single_executable_application?: boolean;
};

test.runIf(process.platform === 'linux' && possible)(
  'a single executable brings them as assets',
  async () => {
    const main = await bundle('assets.mjs', 'cjs');
    const [config, blob, program] = ['config.json', 'blob', 'program'].map((name) =>
      join(directory, name),
    ) as [string, string, string];
    const addon = (name: string) =>
      fileURLToPath(import.meta.resolve(`@pollux/${name}/prebuilds/${here}/${name}.${libc}.node`));
    const assets = { 'epoll.node': addon('epoll'), 'net.node': addon('net') };
    writeFileSync(config, JSON.stringify({ main, output: blob, assets }));
    run(process.execPath, '--experimental-sea-config', config);
    copyFileSync(process.execPath, program);
    const fuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';
    run(
      process.execPath,
      fileURLToPath(import.meta.resolve('postject/dist/cli.js')),
      program,
      'NODE_SEA_BLOB',
      blob,
      '--sentinel-fuse',
      fuse,
    );
    rmSync(main);
    expect(JSON.parse(run(program))).toEqual(works);
  },
);

onLinux('without them the error tells what was sought, and what to do', async () => {
  const file = await bundle(false);
  expect(() => run(process.execPath, file)).toThrow(
    /PolluxError: @pollux\/net lacks a package .*looked for from .*bundle\.mjs.*provideAddon\(\)/,
  );
});

onLinux('a file that is no addon is told by its path', async () => {
  const file = await bundle('addons.mjs');
  const addon = readdirSync(directory, { recursive: true, encoding: 'utf8' }).find((name) =>
    /net.*\.node$/.test(name),
  )!;
  truncateSync(join(directory, addon));
  expect(() => run(process.execPath, file)).toThrow(
    new RegExp(`PolluxError: .*${addon}[^]*ERR_POLLUX_NO_ADDON`),
  );
});
