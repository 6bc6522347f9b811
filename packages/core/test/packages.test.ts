// Backend packages that are missing, empty or damaged: a copy of core's build in a folder of its own,
// where the test puts what it likes into node_modules.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const packages = fileURLToPath(new URL('../..', import.meta.url));
let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pollux-packages-'));
  const core = join(folder, 'node_modules/@pollux/core');
  mkdirSync(core, { recursive: true });
  cpSync(join(packages, 'core/dist'), join(core, 'dist'), { recursive: true });
  cpSync(join(packages, 'core/package.json'), join(core, 'package.json'));
  install('select');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The real package, without its binaries if there is something else to put there. */
function install(name: string, binary?: string): void {
  const at = join(folder, 'node_modules/@pollux', name);
  const from = join(packages, name);
  mkdirSync(at, { recursive: true });
  cpSync(join(from, 'dist'), join(at, 'dist'), { recursive: true });
  cpSync(join(from, 'package.json'), join(at, 'package.json'));
  if (binary === undefined) {
    cpSync(join(from, 'prebuilds'), join(at, 'prebuilds'), { recursive: true });
  } else if (binary !== '') {
    const directory = join(at, 'prebuilds', `${process.platform}-${process.arch}`);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `${name}.node`), binary);
  }
  const loader = join(folder, 'node_modules/node-gyp-build');
  rmSync(loader, { force: true });
  symlinkSync(join(packages, '../node_modules/node-gyp-build'), loader);
}

function epollHere(): { chosen: string; reason: { code: string; message: string } } {
  const script = `
    import { createPoller, explainSelection } from '@pollux/core';
    const { candidates } = explainSelection({ ignoreEnvironment: true });
    const { reason } = candidates.find(({ backend }) => backend === 'epoll');
    const poller = createPoller({ ignoreEnvironment: true });
    console.log(JSON.stringify({ chosen: poller.backend, reason }));
    poller.close();`;
  writeFileSync(join(folder, 'ask.mjs'), script);
  // The sanitizer run redirects the loader to its own binaries: not here.
  const env = { ...process.env, '@POLLUX/EPOLL_PREBUILD': '', '@POLLUX/SELECT_PREBUILD': '' };
  return JSON.parse(
    execFileSync(process.execPath, ['ask.mjs'], { cwd: folder, encoding: 'utf8', env }),
  );
}

test('a package that is not installed', () => {
  expect(epollHere()).toMatchObject({ chosen: 'select', reason: { code: 'package-missing' } });
});

test('a package without a binary for this platform', () => {
  install('epoll', '');
  expect(epollHere()).toMatchObject({ chosen: 'select', reason: { code: 'prebuild-missing' } });
});

test('a damaged binary, with the words of the loader', () => {
  install('epoll', 'not an ELF file, but long enough to be looked at as if it were one'.repeat(9));
  const { chosen, reason } = epollHere();
  expect([chosen, reason.code]).toEqual(['select', 'load-failed']);
  expect(reason.message).toContain('epoll.node');
});
