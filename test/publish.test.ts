// scripts/release-publish.mjs against a registry on this machine: it publishes in order, goes on where it
// broke off, and touches nothing if a version is there with other bytes.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const { npmPack } = await import(join(root, 'scripts/packages/pack.mjs'));
const { startRegistry } = await import(join(root, 'scripts/packages/registry.mjs'));
const { writeRelease } = await import(join(root, 'scripts/packages/release.mjs'));

let directory = '';
let registry: Awaited<ReturnType<typeof startRegistry>>;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'pollux-publish-'));
  registry = await startRegistry();
});
afterEach(async () => {
  await registry.close();
  rmSync(directory, { recursive: true, force: true });
});

it('publishes in order, and goes on where it broke off', async () => {
  release({ first: 'a', second: 'b', third: 'c' });
  registry.refuse('@pollux/second');
  expect(await publish()).toMatchObject({ failed: true });
  expect(registry.versions).toEqual(['@pollux/first@1.0.0']);

  registry.refuse(undefined);
  const { failed, said } = await publish();
  expect(failed).toBe(false);
  expect(said).toMatch(/first@1\.0\.0: there already\n.*second@1\.0\.0: published/);
  expect(registry.versions).toEqual([
    '@pollux/first@1.0.0',
    '@pollux/second@1.0.0',
    '@pollux/third@1.0.0',
  ]);
}, 120_000);

it('publishes nothing if a version is there with other bytes', async () => {
  release({ second: 'b' });
  await publish();
  release({ first: 'a', second: 'other' });
  const { failed, said } = await publish();
  expect(failed).toBe(true);
  expect(said).toMatch(/second@1\.0\.0 is there with other bytes/);
  expect(registry.versions).toEqual(['@pollux/second@1.0.0']);
}, 120_000);

it('publishes no tarball that is not the one that was packed', async () => {
  release({ first: 'a' });
  writeFileSync(join(directory, 'release/pollux-first-1.0.0.tgz'), 'other');
  const { failed, said } = await publish();
  expect(failed).toBe(true);
  expect(said).toMatch(/is not what was packed/);
  expect(registry.versions).toEqual([]);
}, 120_000);

/** Packs a package for each name, with that text in it. */
function release(texts: Record<string, string>): void {
  const out = join(directory, 'release');
  mkdirSync(out, { recursive: true });
  const packed = Object.entries(texts).map(([name, text]) => {
    const source = join(directory, name);
    mkdirSync(source, { recursive: true });
    const manifest = { name: `@pollux/${name}`, version: '1.0.0' };
    writeFileSync(join(source, 'package.json'), JSON.stringify(manifest));
    writeFileSync(join(source, 'README.md'), text);
    return { name, ...npmPack(source, out) };
  });
  writeRelease(out, packed);
}

function publish(): Promise<{ failed: boolean; said: string }> {
  const config = join(directory, '.npmrc');
  const { host } = new URL(registry.url);
  writeFileSync(config, `registry=${registry.url}/\n//${host}/:_authToken=local\n`);
  const { ACTIONS_ID_TOKEN_REQUEST_URL: _, ...rest } = process.env;
  const env = {
    ...rest,
    npm_config_userconfig: config,
    npm_config_cache: join(directory, 'cache'),
    npm_config_registry: `${registry.url}/`,
    npm_config_fetch_retries: '0',
  };
  const command = ['scripts/release-publish.mjs', '--from', join(directory, 'release')];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: root, env }, (error, stdout, stderr) => {
      resolve({ failed: error !== null, said: stdout + stderr });
    });
  });
}
