// Installations as npm may leave them: whole, without the optional package, without a binary, without
// anything. What is taken, what the error says, and what `pollux doctor` tells about it.
import {
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Ended, evaluate, Installation, runNode } from './support.js';
import { reasonsIf } from './table.js';

let installation: Installation;
beforeEach(() => {
  installation = new Installation();
});
afterEach(() => installation[Symbol.dispose]());

const ask = (expression: string, env: NodeJS.ProcessEnv = {}): Promise<unknown> =>
  evaluate(
    `import * as pollux from '@pollux/core';
     const attempt = () => {
       try {
         return ${expression};
       } catch ({ code, message, candidates }) {
         return { code, message, candidates };
       }
     };
     console.log(JSON.stringify(attempt() ?? null));`,
    { cwd: installation.directory, env: { ...Installation.env, ...env } },
  );

const doctor = (...args: string[]): Promise<Ended> =>
  runNode([join(installation.directory, 'node_modules/.bin/pollux'), 'doctor', ...args], {
    cwd: installation.directory,
    env: Installation.env,
  });

/** As npm links commands. */
function linkCommand(): void {
  mkdirSync(installation.path('.bin'));
  symlinkSync('../@pollux/core/bin/pollux.js', installation.path('.bin/pollux'));
}

describe('whole', () => {
  test('works without a word on stderr, and so does its command', async () => {
    expect(await ask('pollux.createPoller().backend')).toBe('epoll');
    linkCommand();
    const { code, stdout, stderr } = await doctor('--json');
    expect([code, stderr]).toEqual([0, '']);
    const diagnosis = JSON.parse(stdout);
    expect(Object.keys(diagnosis).sort()).toEqual(
      [
        'arch',
        'candidates',
        'chosen',
        'environment',
        'kernel',
        'libc',
        'platform',
        'runtime',
      ].sort(),
    );
    expect(diagnosis).toMatchObject({ chosen: 'epoll', environment: {}, platform: 'linux' });
    for (const { backend, available, reason, capabilities } of diagnosis.candidates) {
      expect([backend, available, typeof reason?.code, typeof reason?.message]).toEqual(
        backend === 'epoll'
          ? ['epoll', true, 'undefined', 'undefined']
          : [backend, backend === 'select', 'string', 'string'],
      );
      if (!available) expect(capabilities).toBe(null);
      else {
        expect(capabilities).toEqual({
          edge: backend === 'epoll',
          constantTime: backend === 'epoll',
          anyFd: backend === 'select',
          earlyClose: backend === 'epoll',
          errorHint: backend === 'epoll',
          hangupHint: backend === 'epoll',
          exclusive: backend === 'epoll',
          timeoutResolutionMs: expect.any(Number),
        });
      }
    }
  });
});

describe('without the optional package', () => {
  beforeEach(() => rmSync(installation.path('@pollux/epoll'), { recursive: true }));

  test('select serves, and the reason is told', async () => {
    expect(await ask('pollux.createPoller().backend')).toBe('select');
    expect(
      await ask('pollux.explainSelection().candidates.find((each) => each.backend === "epoll")'),
    ).toEqual({
      backend: 'epoll',
      available: false,
      reason: {
        code: 'package-missing',
        message: `@pollux/epoll is not installed; it was looked for from ${installation.path('@pollux/core/dist/core.js')}. npm install --include=optional brings it; in a bundle, hand it over with provideAddon()`,
      },
    });
    linkCommand();
    const { code, stdout, stderr } = await doctor();
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('Chosen backend: select');
    expect(stdout).toMatch(/epoll .*not here.*package-missing: @pollux\/epoll is not installed/);
  });

  test('a strict choice of it is refused', async () => {
    const env = { POLLUX_BACKEND: 'epoll' };
    expect(await ask('pollux.createPoller()', env)).toMatchObject({
      code: 'ERR_POLLUX_NO_BACKEND',
      message: expect.stringContaining('@pollux/epoll is not installed'),
    });
  });

  test('a waker of it wakes nobody', async () => {
    expect(await ask("pollux.wake({ backend: 'epoll', id: 1 })")).toBe(false);
  });
});

describe('without any backend', () => {
  beforeEach(() => {
    for (const name of ['epoll', 'select']) {
      rmSync(installation.path(`@pollux/${name}`), { recursive: true });
    }
  });

  test('the error carries every candidate, and a new Reactor throws it', async () => {
    for (const expression of ['pollux.createPoller()', 'new pollux.Reactor()']) {
      expect(await ask(expression)).toMatchObject({
        code: 'ERR_POLLUX_NO_BACKEND',
        candidates: Object.entries(reasonsIf('package-missing')).map(([backend, code]) => ({
          backend,
          reason: { code },
        })),
      });
    }
  });

  test('the doctor says so, with exit status 1', async () => {
    linkCommand();
    const text = await doctor();
    expect(text).toMatchObject({ code: 1, stderr: '' });
    expect(text.stdout).toContain('No backend can be used here.');
    const json = await doctor('--json');
    expect(json).toMatchObject({ code: 1, stderr: '' });
    expect(JSON.parse(json.stdout).chosen).toBe(null);
  });

  test('what needs none works: the in-memory poller', async () => {
    const text = `
      const { MemoryPoller } = await import('@pollux/core/testing');
      const poller = new MemoryPoller();
      const reactor = new pollux.Reactor({ poller, clock: poller.clock, mode: 'blocking' });
      reactor.timer(5, () => {});
      console.log(JSON.stringify([reactor.backend, reactor.turn()]));`;
    const answer = await evaluate(`import * as pollux from '@pollux/core';${text}`, {
      cwd: installation.directory,
    });
    expect(answer).toEqual(['memory', 1]);
  });
});

describe('with a package that cannot be used', () => {
  const epoll = (): Promise<unknown> =>
    ask('pollux.explainSelection().candidates.find((each) => each.backend === "epoll").reason');

  test('no binary for this system', async () => {
    const prebuilds = installation.path('@pollux/epoll/prebuilds');
    renameSync(
      join(prebuilds, `${process.platform}-${process.arch}`),
      join(prebuilds, 'plan9-mips'),
    );
    const tag = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
    const libc = tag.header?.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
    expect(await epoll()).toEqual({
      code: 'prebuild-missing',
      message: expect.stringContaining(
        `@pollux/epoll has no binary for linux-${process.arch} with ${libc}: ${prebuilds} has `,
      ),
    });
    expect(await epoll()).toMatchObject({
      message: expect.stringMatching(/ plan9-mips\/epoll\.\w+\.node.*npm run build:native/),
    });
    expect(await ask('pollux.createPoller().backend')).toBe('select');
  });

  test('no binary at all', async () => {
    const prebuilds = installation.path('@pollux/epoll/prebuilds');
    rmSync(prebuilds, { recursive: true });
    expect(await epoll()).toMatchObject({
      code: 'prebuild-missing',
      message: expect.stringContaining(`${prebuilds} has no binary. npm run build:native`),
    });
  });

  test('a folder of binaries that is none', async () => {
    const prebuilds = installation.path('@pollux/epoll/prebuilds');
    rmSync(prebuilds, { recursive: true });
    // As good as one without rights, which root reads all the same.
    writeFileSync(prebuilds, '');
    expect(await epoll()).toEqual({
      code: 'load-failed',
      message: expect.stringMatching(/^ENOTDIR: .*epoll.prebuilds'$/),
    });
  });

  test('a file of the package is gone', async () => {
    rmSync(installation.path('@pollux/epoll/dist/index.js'));
    expect(await epoll()).toEqual({
      code: 'package-missing',
      message: expect.stringMatching(/^@pollux\/epoll is damaged .*index\.js.*install it again$/),
    });
  });

  test('an empty binary', async () => {
    const directory = installation.path(
      `@pollux/epoll/prebuilds/${process.platform}-${process.arch}`,
    );
    for (const libc of ['glibc', 'musl']) {
      const file = join(directory, `epoll.${libc}.node`);
      try {
        truncateSync(file);
      } catch (error) {
        expect(error).toMatchObject({ code: 'ENOENT' });
      }
    }
    expect(await epoll()).toMatchObject({
      code: 'load-failed',
      message: expect.stringContaining(directory),
    });
    expect(await ask('pollux.createPoller().backend')).toBe('select');
  });

  test('a binary that is cut short, which would end the process: the doctor does not load it', async () => {
    linkCommand();
    const directory = installation.path(
      `@pollux/epoll/prebuilds/${process.platform}-${process.arch}`,
    );
    for (const file of readdirSync(directory)) truncateSync(join(directory, file), 9_000);
    const ended = await doctor('--json');
    expect(ended).toMatchObject({ code: 1, signal: null, stdout: '' });
    expect(ended.stderr).toContain(`pollux: ${directory}/epoll.`);
    expect(ended.stderr).toMatch(/ is cut short: it has 9000 bytes of \d{5}, /);
  });

  test('a package whose own dependency is missing is not told to be missing itself', async () => {
    rmSync(installation.path('node-gyp-build'), { recursive: true });
    const reason = await epoll();
    expect(reason).toMatchObject({ message: expect.stringContaining('node-gyp-build') });
  });
});
