// inotify: what really happens in a directory is told, in order, each with its kind.
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Change, Inotify } from '../../dist/adapters/inotify.js';
import { commandFor, start } from '../support.js';
import { backends, closing, descriptors, Inbox, newReactor } from './support.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'inotify-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe.each(backends)('%s', (backend) => {
  function watching() {
    const inbox = new Inbox<Change>();
    const inotify = closing(new Inotify(newReactor(backend), inbox.add));
    const told = () => inbox.items.map(({ path, kinds }) => [path, ...kinds]);
    return { inbox, inotify, told };
  }

  test('a file made, written, renamed and removed', async () => {
    const { inbox, inotify, told } = watching();
    inotify.watch(directory);
    const [a, b] = [join(directory, 'ä'), join(directory, 'b')];
    const fd = openSync(a, 'w');
    writeSync(fd, 'text');
    closeSync(fd);
    renameSync(a, b);
    unlinkSync(b);
    await inbox.until((items) => items.length === 6);
    expect(told()).toEqual([
      [a, 'create'],
      [a, 'modify'],
      [a, 'close-write'],
      [a, 'moved-from'],
      [b, 'moved-to'],
      [b, 'delete'],
    ]);
    const cookies = inbox.items.map(({ cookie }) => cookie);
    expect(cookies[3]).not.toBe(0);
    expect(cookies).toEqual([0, 0, 0, cookies[3], cookies[3], 0]);
  });

  test('only the kinds asked for, of two paths, until one of them is not watched any more', async () => {
    const { inbox, inotify, told } = watching();
    const [one, two] = [join(directory, 'one'), join(directory, 'two')];
    mkdirSync(one);
    mkdirSync(two);
    inotify.watch(one, ['delete', 'delete-self']);
    inotify.watch(two, ['create']);
    for (const parent of [one, two]) {
      writeFileSync(join(parent, 'file'), '');
      unlinkSync(join(parent, 'file'));
    }
    inotify.unwatch(two);
    writeFileSync(join(two, 'unseen'), '');
    rmdirSync(one);
    await inbox.until((items) => items.length === 5);
    expect(told()).toEqual([
      [join(one, 'file'), 'delete'],
      [join(two, 'file'), 'create'],
      [two, 'ignored'],
      [one, 'delete-self'],
      [one, 'ignored'],
    ]);
  });

  test('more changes than one read holds, and more than the kernel keeps', async (context) => {
    const limit = Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8'));
    context.skip(limit > 100_000, `max_queued_events is ${limit}: too many to make`);
    const { inbox, inotify, told } = watching();
    inotify.watch(directory, ['create', 'delete']);
    const file = join(directory, 'file');
    for (let i = 0; i <= limit / 2; i++) {
      writeFileSync(file, '');
      unlinkSync(file);
    }
    await inbox.until((items) => items.at(-1)?.kinds[0] === 'overflow');
    expect(inbox.items.at(-1)).toEqual({ path: '', kinds: ['overflow'], cookie: 0 });
    expect(inbox.items).toHaveLength(limit + 1);
    expect(told().slice(0, 2)).toEqual([
      [file, 'create'],
      [file, 'delete'],
    ]);
  });

  test('closed in its callback: no more calls, and the descriptor is gone', async () => {
    expect(descriptors(/inotify/)).toEqual([]);
    const inbox = new Inbox<Change>();
    const inotify = new Inotify(newReactor(backend), (change) => {
      inotify.close();
      inbox.add(change);
    });
    expect(descriptors(/inotify/)).toEqual([{ nonblocking: true, cloexec: true }]);
    expect(() => inotify.watch(join(directory, 'none'))).toThrow(/^ENOENT: inotify_add_watch/);
    inotify.watch(directory);
    writeFileSync(join(directory, 'file'), 'text');
    await inbox.until((items) => items.length > 0);
    await new Promise(setImmediate);
    expect(inbox.items).toHaveLength(1);
    expect(descriptors(/inotify/)).toEqual([]);
  });
});

test('as a program', async () => {
  const program = start(commandFor('adapters/inotify', directory));
  await program.until(/Ctrl-C stops\n/);
  writeFileSync(join(directory, 'file'), 'text');
  await program.until(/\/file close-write\n/);
  program.child.kill('SIGINT');
  expect(await program.ended).toEqual({ code: 0, signal: null });
  expect(program.output.stderr).toBe('');
});
