// The file of a Unix listener: its permissions, who removes it, and what is in its way.
import {
  existsSync,
  lstatSync,
  mkdirSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import { UnixListener } from '@pollux/net';
import { close, openFds, unixDgram, unixListener } from '@pollux/testkit';
import { expect, test } from 'vitest';
import { onEveryReactor, runChild } from './support.js';
import { newName, newPath } from './unix-support.js';

onEveryReactor((bench) => {
  const listen = (path: string, options = {}) =>
    bench().track(UnixListener.listen(bench().reactor, { path, ...options }));

  test('is removed by close, dispose, and the reactor', () => {
    for (const end of ['close', 'dispose', 'reactor'] as const) {
      const path = newPath();
      const listener = listen(path);
      expect(lstatSync(path).isSocket()).toBe(true);
      if (end === 'close') listener.close();
      else if (end === 'dispose') listener[Symbol.dispose]();
      else bench().reactor.close();
      expect(existsSync(path)).toBe(false);
      listener.close();
    }
  });

  test('is left alone if it is another one by now', () => {
    const path = newPath();
    const listener = listen(path);
    renameSync(path, `${path}.old`);
    writeFileSync(path, 'not yours');
    listener.close();
    expect(existsSync(path)).toBe(true);
    expect(existsSync(`${path}.old`)).toBe(true);
    const gone = listen(newPath());
    unlinkSync(gone.path);
    gone.close(); // nothing to remove is no error
  });

  test('a relative path: removed where it was made', () => {
    const path = newPath();
    const directory = process.cwd();
    process.chdir(dirname(path));
    let listener: UnixListener;
    try {
      listener = listen(basename(path));
    } finally {
      process.chdir(directory);
    }
    expect(existsSync(path)).toBe(true);
    listener.close();
    expect(existsSync(path)).toBe(false);
  });

  test('mode', () => {
    for (const mode of [0o600, 0o666, 0o777, 0]) {
      const listener = listen(newPath(), { mode });
      expect(lstatSync(listener.path).mode & 0o777).toBe(mode);
    }
    listen(newName(), { mode: 0o600 }); // there is no file
  });

  test('in use: EADDRINUSE with the path, nothing removed, nothing open', () => {
    const path = newPath();
    const listener = listen(path);
    const before = openFds();
    for (const options of [{}, { unlink: true }]) {
      expect(() => listen(path, options)).toThrow(
        expect.objectContaining({ code: 'EADDRINUSE', syscall: 'bind', address: path }),
      );
    }
    expect(openFds()).toEqual(before);
    expect(existsSync(path)).toBe(true);
    listener.close();
    const name = newName();
    listen(name);
    expect(() => listen(name)).toThrow(
      expect.objectContaining({ code: 'EADDRINUSE', address: `@${name.slice(1)}` }),
    );
    expect(() => listen(`${path}/in/no/directory`)).toThrow(
      expect.objectContaining({ code: 'ENOENT' }),
    );
  });

  test('unlink: a stale one gives way, and nothing else does', () => {
    const stale = newPath();
    close(unixListener(stale));
    expect(() => listen(stale)).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }));
    listen(stale, { unlink: true }).close();
    expect(existsSync(stale)).toBe(false);
    listen(stale, { unlink: true }).close(); // none there

    const file = newPath();
    writeFileSync(file, 'precious');
    const folder = newPath();
    mkdirSync(folder);
    const link = newPath();
    close(unixListener(`${link}.target`));
    symlinkSync(`${link}.target`, link);
    const datagrams = newPath();
    const fd = unixDgram(datagrams);
    for (const path of [file, folder, link, datagrams]) {
      expect(() => listen(path, { unlink: true })).toThrow(
        expect.objectContaining({ code: 'EADDRINUSE' }),
      );
      expect(existsSync(path)).toBe(true);
    }
    close(fd);
  });
});

test('a file that was left behind by a process that was killed', async () => {
  const path = newPath();
  const program = (end: string) => `
    import { Reactor } from '@pollux/core';
    import { UnixListener } from '@pollux/net';
    const listener = UnixListener.listen(new Reactor(), { path: ${JSON.stringify(path)}, unlink: true });
    console.log('listening');
    ${end};
  `;
  const killed = await runChild(program("process.kill(process.pid, 'SIGKILL')"));
  expect(killed.signal).toBe('SIGKILL');
  expect(existsSync(path)).toBe(true);
  const next = await runChild(program('listener.close()'));
  expect(next).toMatchObject({ stdout: 'listening\n', stderr: '', code: 0 });
  expect(existsSync(path)).toBe(false);
});
