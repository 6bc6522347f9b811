// What npm run check:packages and npm run test:packages hold the tarballs to: a manifest or a file that is
// not as it should be is a fault.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

type Manifest = Record<string, unknown>;

const root = fileURLToPath(new URL('..', import.meta.url));
const scripts = join(root, 'scripts/packages');
const { manifestFaults, manifestsOf, publishedFrom, publishedManifest } = await import(
  join(scripts, 'published.mjs')
);
const { contentFaults } = await import(join(scripts, 'contents.mjs'));
const { expectedPackages } = await import(join(scripts, 'scenarios.mjs'));
const manifests: Map<string, Manifest> = manifestsOf(root);
const epoll = publishedManifest('epoll', manifests.get('epoll'));

describe('the manifests of the repository', () => {
  it.each(publishedFrom(root) as string[])('are in order, here and packed: %s', (name) => {
    const own = manifests.get(name);
    expect(manifestFaults(name, own, { packed: false })).toEqual([]);
    expect(manifestFaults(name, publishedManifest(name, own), { packed: true })).toEqual([]);
  });

  it('are published after what they depend on', () => {
    const order: string[] = publishedFrom(root);
    for (const backend of ['select', 'poll', 'epoll', 'iocp', 'kqueue'])
      expect(order.indexOf(backend)).toBeLessThan(order.indexOf('core'));
    expect(order.indexOf('core')).toBeLessThan(order.indexOf('net'));
    expect(order).not.toContain('testkit');
  });
});

// A package must not be refused where core would take its backend, nor come where core would not.
it('the systems of a backend are those that core tries it on', () => {
  const table = readFileSync(join(root, 'packages/core/src/selection.ts'), 'utf8');
  const rows = table.matchAll(/\{\s*name: '(\w+)',?(?:\s*platforms: \[([^\]]*)\],?)?\s*\}/g);
  const listed = [...rows].map(([, name, platforms]) => [
    name,
    platforms?.match(/\w+/g) ?? undefined,
  ]);
  const packed = [...manifests.keys()].map((name) => [
    name,
    publishedManifest(name, manifests.get(name)).os,
  ]);
  expect(listed.length).toBeGreaterThan(4);
  for (const row of listed) expect(packed).toContainEqual(row);
});

describe('a manifest', () => {
  const faults = (change: Manifest, packed = true): string =>
    manifestFaults('epoll', { ...epoll, ...change }, { packed }).join('\n');

  it.each([
    ['without its systems', { os: undefined }, /"os" is undefined, not \["linux"/],
    ['with a range', { dependencies: { 'node-gyp-build': '^4.8.4' } }, /not pinned: \^4\.8\.4/],
    ['with another version of ours', { dependencies: { '@pollux/core': '9.9.9' } }, /as 9\.9\.9/],
    ['with an install script', { scripts: { install: 'true' } }, /install script/],
    ['with a peer', { peerDependencies: { '@pollux/core': '0.0.0' } }, /peerDependencies/],
    ['with what is for us only', { devDependencies: {} }, /"devDependencies" is in it/],
  ])('is refused %s', (_, change: Manifest, fault) => {
    expect(faults({})).toBe('');
    expect(faults(change)).toMatch(fault);
  });

  it('is refused with its systems in the repository', () => {
    expect(faults({}, false)).toMatch(/"os" is in package\.json/);
  });
});

describe('the files of a tarball', () => {
  const list = readFileSync(join(scripts, 'contents/epoll.txt'), 'utf8').trim().split('\n');
  const faults = (paths: string[]): string => contentFaults('epoll', paths, []).join('\n');

  it('are those of the list', () => {
    expect(faults(list)).toBe('');
    expect(faults(list.slice(1))).toMatch(/LICENSE is missing/);
    expect(faults([...list, 'dist/new.js'])).toMatch(/dist\/new\.js is new/);
    expect(faults([...list, 'prebuilds/aix-ppc64/epoll.node'])).toMatch(/for no target/);
  });
});

describe('what is expected after an install', () => {
  const expected = (wishes: object): string[] => expectedPackages('core', manifests, wishes);

  it('is the backend of the system, and those for every system', () => {
    expect(expected({ system: 'linux' })).toContain('@pollux/epoll');
    expect(expected({ system: 'linux' })).not.toContain('@pollux/kqueue');
    expect(expected({ system: 'linux' })).toContain('@pollux/poll');
    expect(expected({ system: 'win32' })).not.toContain('@pollux/poll');
    expect(expected({ system: 'darwin' })).toContain('@pollux/kqueue');
    expect(expected({ system: 'darwin' })).not.toContain('@pollux/epoll');
    expect(expected({ system: 'linux', omitted: true })).not.toContain('@pollux/epoll');
    expect(expected({ system: 'linux', omitted: true })).toContain('@pollux/select');
  });
});
