// A package's list of its binaries (prebuilds.json) and its files agree, or the check of packages fails:
// what was built otherwise, is missing, or has no business there is not published by accident.
import { appendFileSync, cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const { checkPackage } = await import(join(root, 'scripts/prebuild/check-package.mjs'));
const { select } = await import(join(root, 'scripts/prebuild/targets.mjs'));
// Not that of this machine, which npm run build:native makes anew.
const [target] = select('linux-x64-musl');
const musl = 'prebuilds/linux-x64/select.musl.node';
const there = existsSync(join(root, 'packages/select', musl));

// Skipped: npm run build:all has not been run here.
describe.skipIf(!there)('the list of binaries', () => {
  let directory = '';
  const faults = (): string => checkPackage('select', directory, [target]).faults.join('\n');

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'pollux-list-'));
    cpSync(join(root, 'packages/select/prebuilds'), join(directory, 'prebuilds'), {
      recursive: true,
    });
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('is in order as it was made', () => {
    expect(faults()).toBe('');
  });

  it('notices a file that was built otherwise', () => {
    appendFileSync(join(directory, musl), '\0');
    expect(faults()).toMatch(/select\.musl\.node: not what npm run build:all made/);
  });

  it('notices a file that is missing', () => {
    rmSync(join(directory, musl));
    expect(faults()).toMatch(/select\.musl\.node: missing/);
  });

  it('notices a list that is missing', () => {
    rmSync(join(directory, 'prebuilds/prebuilds.json'));
    expect(faults()).toMatch(/missing in the list/);
  });

  it('notices a file that node-gyp-build might take instead', () => {
    writeFileSync(join(directory, 'prebuilds/linux-x64/select.abi115.musl.node'), '');
    expect(faults()).toMatch(/select\.abi115\.musl\.node: not for any of its targets/);
  });
});
