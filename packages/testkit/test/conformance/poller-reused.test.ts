// A number that was closed and names another open file by now. `add` of it is an ordinary add: the
// old registration is dropped. While it is still the same file, `add` is EEXIST and changes nothing.
import { Events, Interest } from '@pollux/core';
import {
  close,
  dup,
  dup2,
  eventfd,
  pipe,
  pipesAreSockets,
  socketpair,
  tcpPair,
  write,
} from '@pollux/testkit';
import { cases, checkLeaks, DrivenPoller, modeCases, Scene } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { expectUnknown, readyPipe, refused } from './poller-support.js';

const { readable } = Interest;
checkLeaks();

/** Registered, armed or not: the states in which a number can be closed and reused. */
const states = ['armed', 'paused', 'fired'] as const;

describe.each(modeCases)('$backend, $way, $mode', ({ mode, ...row }) => {
  async function registered(scene: Scene, driven: DrivenPoller, state: (typeof states)[number]) {
    const [reader, writer] = scene.fds.trackAll(pipe());
    driven.poller.add(reader, state === 'paused' ? 0 : readable, 1, { mode });
    if (state === 'fired') {
      write(writer, 'x');
      expect(await driven.keys(0)).toEqual([1]);
    }
    return [reader, writer] as const;
  }

  test.each(states)('%s: add of the same file is EEXIST and changes nothing', async (state) => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader, writer] = await registered(scene, driven, state);
    for (const interest of [readable, 0]) {
      expect(() => driven.poller.add(reader, interest, 2)).toThrow(
        refused('EEXIST', { fd: reader }),
      );
    }
    write(writer, 'x');
    const silent = state === 'paused' || (state === 'fired' && mode === 'oneshot');
    expect(await driven.keys(silent ? 5 : 5000)).toEqual(silent ? [] : [1]);
    driven.poller.modify(reader, readable, 3);
    expect(await driven.keys(0)).toEqual([3]);
    driven.poller.delete(reader);
  });

  test.each(states)('%s: closed and reused, add drops the old one', async (state) => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [number, oldWriter] = await registered(scene, driven, state);
    const [near, far] = scene.fds.trackAll(socketpair());
    dup2(near, number);
    driven.poller.add(number, readable, 2, { mode });
    expect(await driven.keys(5)).toEqual([]);
    write(far, 'x');
    expect(await driven.poll(0)).toEqual([{ key: 2, events: Events.readable }]);
    expect(() => driven.poller.add(number, readable, 3)).toThrow(refused('EEXIST'));
    driven.poller.delete(number);
    expectUnknown(driven.poller, number);
    if (!pipesAreSockets) expect(() => write(oldWriter, 'x')).toThrow(refused('EPIPE'));
  });

  test.each(states)('%s: reused, but added paused', async (state) => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [number] = await registered(scene, driven, state);
    const [ready] = readyPipe(scene);
    dup2(ready, number);
    driven.poller.add(number, 0, 2, { mode });
    expect(await driven.keys(5)).toEqual([]);
    driven.poller.modify(number, readable, 3, { mode });
    expect(await driven.keys(0)).toEqual([3]);
  });

  test.each(states)('%s: modify of a reused number is refused, delete is not', async (state) => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    using other = new DrivenPoller(row);
    const [number] = await registered(scene, driven, state);
    const [ready] = readyPipe(scene);
    dup2(ready, number);
    other.poller.add(number, readable, 7);
    expect(() => driven.poller.modify(number, readable, 2)).toThrow(
      refused('ENOENT', { fd: number }),
    );
    driven.poller.delete(number);
    expectUnknown(driven.poller, number);
    // Nothing of that reached whoever has the number now.
    expect(await other.keys(0)).toEqual([7]);
    expect(await driven.keys(5)).toEqual([]);
  });

  test('the old file lives on in a dup: nothing of it comes under the new key', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [number, oldWriter] = scene.fds.trackAll(pipe());
    scene.fds.track(dup(number));
    driven.poller.add(number, readable, 1, { mode });
    const [near, far] = scene.fds.trackAll(tcpPair());
    dup2(near, number);
    driven.poller.add(number, readable, 2, { mode });
    write(oldWriter, 'x');
    for (let i = 0; i < 5; i++) expect(await driven.keys(5)).toEqual([]);
    write(far, 'x');
    expect(await driven.keys(5000)).toEqual([2]);
  });
});

describe.each(cases)('$backend, $way', (row) => {
  test('a thousand descriptors that nobody deletes, all of one number', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [ready] = readyPipe(scene);
    const number = scene.fds.track(dup(ready));
    for (let key = 0; key < 1000; key++) {
      const ends = pipe();
      write(ends[1], 'x');
      dup2(ends[0], number);
      for (const fd of ends) close(fd);
      driven.poller.add(number, readable, key);
      if (key % 100 === 0) expect(await driven.keys(0)).toEqual([key]);
    }
    driven.poller.delete(number);
    expectUnknown(driven.poller, number);
  });

  test('one number again and again, among others that grow in number', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const { poller } = driven;
    const number = scene.fds.track(dup(readyPipe(scene)[0]));
    const others: number[] = [];
    for (let key = 0; key < 150; key++) {
      const [other] = scene.fds.trackAll(pipe());
      poller.add(other, readable, 1000 + key);
      others.push(other);
      const ends = pipe();
      write(ends[1], 'x');
      dup2(ends[0], number);
      for (const fd of ends) close(fd);
      poller.add(number, readable, key);
      expect(await driven.keys(0)).toEqual([key]);
    }
    for (const fd of [number, ...others]) {
      poller.delete(fd);
      expectUnknown(poller, fd);
    }
  });

  // Two eventfds have one inode, so only who asks the kernel can tell them apart.
  test.runIf(row.backend === 'epoll')('one eventfd is told from another', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const number = scene.fds.track(eventfd());
    driven.poller.add(number, readable, 1);
    dup2(scene.fds.track(eventfd(1)), number);
    driven.poller.add(number, readable, 2);
    expect(await driven.keys(0)).toEqual([2]);
  });
});
