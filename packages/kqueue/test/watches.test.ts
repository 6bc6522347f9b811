// Processes that end and files that change: what kqueue watches besides ready descriptors. On macOS
// and the BSDs, or on the model of kqueue.
import { spawn } from 'node:child_process';
import { closeSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createPoller, Events, VnodeChanges, vnodeChanges } from '@pollux/core';
import { backends, cases, DrivenPoller, Scene } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';

const rows = cases.filter(({ backend }) => backend === 'kqueue');
const refused = (code: string) => expect.objectContaining({ code });

describe.skipIf(rows.length === 0).each(rows)('$backend, $way', (row) => {
  test('the end of a process is told once', async () => {
    using driven = new DrivenPoller(row);
    const { poller } = driven;
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()']);
    poller.watchProcess!(child.pid!, 7);
    expect(() => poller.watchProcess!(child.pid!, 8)).toThrow(refused('EEXIST'));
    expect(await driven.poll(5)).toEqual([]);
    child.kill();
    expect(await driven.poll(5000)).toEqual([{ key: 7, events: Events.readable }]);
    expect(await driven.poll(5)).toEqual([]);
    poller.unwatchProcess!(child.pid!);
    expect(() => poller.unwatchProcess!(child.pid!)).toThrow(refused('ENOENT'));
  });

  test('a process that was forgotten ends in silence; one that is not there is ESRCH', async () => {
    using driven = new DrivenPoller(row);
    const { poller } = driven;
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()']);
    poller.watchProcess!(child.pid!, 7);
    poller.unwatchProcess!(child.pid!);
    child.kill();
    await new Promise((resolve) => child.once('exit', resolve));
    expect(await driven.poll(5)).toEqual([]);
    expect(() => poller.watchProcess!(child.pid!, 7)).toThrow(refused('ESRCH'));
  });

  test('what happens to a file is told as it happens, and what was asked for', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const { poller } = driven;
    writeFileSync(scene.path('file'), 'one');
    const fd = openSync(scene.path('file'), 'r');
    const { written, renamed, deleted } = VnodeChanges;
    poller.watchVnode!(fd, written | renamed | deleted, 9);
    expect(() => poller.watchVnode!(fd, written, 9)).toThrow(refused('EEXIST'));
    const told = async () => {
      const [record, ...more] = await driven.poll(5000);
      expect(more).toEqual([]);
      expect(record).toMatchObject({ key: 9 });
      expect(record!.events & 0xffff).toBe(Events.readable);
      return vnodeChanges(record!.events);
    };
    writeFileSync(scene.path('file'), 'two');
    expect(await told()).toBe(written);
    expect(await driven.poll(5)).toEqual([]);
    renameSync(scene.path('file'), scene.path('other'));
    expect(await told()).toBe(renamed);
    rmSync(scene.path('other'));
    expect(await told()).toBe(deleted);
    poller.unwatchVnode!(fd);
    expect(() => poller.unwatchVnode!(fd)).toThrow(refused('ENOENT'));
    closeSync(fd);
  });

  test('a file that was closed is silent, and its number is free for another', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const { poller } = driven;
    writeFileSync(scene.path('file'), 'one');
    const fd = openSync(scene.path('file'), 'r');
    poller.watchVnode!(fd, VnodeChanges.written, 1);
    closeSync(fd);
    writeFileSync(scene.path('file'), 'two');
    expect(await driven.poll(5)).toEqual([]);
    expect(openSync(scene.path('file'), 'r')).toBe(fd);
    poller.watchVnode!(fd, VnodeChanges.written, 2);
    writeFileSync(scene.path('file'), 'three');
    expect((await driven.poll(5000)).map(({ key }) => key)).toEqual([2]);
    closeSync(fd);
  });
});

test.each(backends.filter((backend) => backend !== 'kqueue'))('%s watches neither', (backend) => {
  using poller = createPoller({ backend, ignoreEnvironment: true });
  const unsupported = refused('ERR_POLLUX_UNSUPPORTED');
  expect(() => poller.watchProcess!(process.pid, 1)).toThrow(unsupported);
  expect(() => poller.unwatchProcess!(process.pid)).toThrow(unsupported);
  expect(() => poller.watchVnode!(0, VnodeChanges.written, 1)).toThrow(unsupported);
  expect(() => poller.unwatchVnode!(0)).toThrow(unsupported);
});

test.each(backends)('%s: wrong arguments are named', (backend) => {
  using poller = createPoller({ backend, ignoreEnvironment: true });
  const named = (name: string) =>
    expect.objectContaining({ message: expect.stringContaining(`"${name}"`) });
  for (const pid of [0, -1, 1.5, 2 ** 31, '1' as never])
    expect(() => poller.watchProcess!(pid, 1)).toThrow(named('pid'));
  expect(() => poller.watchProcess!(1, -1)).toThrow(named('key'));
  expect(() => poller.watchVnode!(-1, 1, 1)).toThrow(named('fd'));
  for (const changes of [0, 128, null as never])
    expect(() => poller.watchVnode!(0, changes, 1)).toThrow(named('changes'));
});
