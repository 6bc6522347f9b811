// What the system refuses: each refusal is an Error as Node's own, with code, errno, syscall and fd,
// is thrown synchronously, and leaves everything as it was.
import { Interest, type Poller } from '@pollux/core';
import {
  close,
  nestedEpoll,
  nestedEpollAdd,
  openFds,
  openFile,
  pipe,
  write,
} from '@pollux/testkit';
import {
  capabilitiesOf,
  cases,
  casesWith,
  checkLeaks,
  DrivenPoller,
  Scene,
} from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import {
  changeCall,
  descriptorsOf,
  errnoOf,
  expectUnknown,
  openedSince,
  readyPipe,
  refused,
} from './poller-support.js';

const { readable } = Interest;
checkLeaks();

describe.each(cases)('$backend, $way', (row) => {
  const syscall = changeCall(row.backend);
  const systemRefusal = (code: string, fd: number) =>
    refused(code, {
      name: 'Error',
      syscall,
      fd,
      errno: errnoOf(code),
      message: expect.stringMatching(new RegExp(`^${code}: .+, ${syscall} \\(fd ${fd}\\)$`)),
    });

  test('EEXIST: registered already, and the registration stays what it was', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader] = readyPipe(scene);
    driven.poller.add(reader, readable, 1);
    for (const mode of ['level', 'oneshot'] as const) {
      expect(() => driven.poller.add(reader, 0, 2, { mode })).toThrow(
        systemRefusal('EEXIST', reader),
      );
    }
    expect([await driven.keys(0), await driven.keys(0)]).toEqual([[1], [1]]);
  });

  test('ENOENT: never registered, or no more', () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader] = readyPipe(scene);
    const never = () => {
      expect(() => driven.poller.modify(reader, readable, 1)).toThrow(
        systemRefusal('ENOENT', reader),
      );
      expect(() => driven.poller.delete(reader)).toThrow(systemRefusal('ENOENT', reader));
    };
    never();
    driven.poller.add(reader, readable, 1);
    driven.poller.delete(reader);
    never();
    // Not even a closed number is anything but unknown.
    scene.fds.closeAll();
    never();
    driven.poller.close();
  });

  test('EBADF: a closed number cannot be added or asked about, at any interest', () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader] = readyPipe(scene);
    close(reader);
    for (const fd of [reader, 2 ** 31 - 1]) {
      for (const interest of [0, readable]) {
        expect(() => driven.poller.add(fd, interest, 1)).toThrow(systemRefusal('EBADF', fd));
      }
      expect(() => driven.poller.canWatch(fd)).toThrow(systemRefusal('EBADF', fd));
      expectUnknown(driven.poller, fd);
    }
  });

  test('EBADF: a registered number that was closed cannot be modified, and is still there', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader] = readyPipe(scene);
    driven.poller.add(reader, readable, 1);
    close(reader);
    for (const interest of [0, readable]) {
      expect(() => driven.poller.modify(reader, interest, 2)).toThrow(
        systemRefusal('EBADF', reader),
      );
    }
    driven.poller.delete(reader);
    expectUnknown(driven.poller, reader);
  });

  test.skipIf(capabilitiesOf(row.backend).anyFd)('EPERM: a file', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const fd = scene.fds.track(openFile('/proc/self/stat'));
    for (const interest of [0, readable]) {
      expect(() => driven.poller.add(fd, interest, 1)).toThrow(systemRefusal('EPERM', fd));
      expectUnknown(driven.poller, fd);
    }
    // The same number can be watched when it names something else.
    close(fd);
    const ends = scene.fds.trackAll(pipe());
    write(ends[1], 'x');
    expect(ends[0]).toBe(fd);
    driven.poller.add(fd, readable, 2);
    expect(await driven.keys(0)).toEqual([2]);
  });

  test('EINVAL: a poller does not watch what it works with', () => {
    const before = openFds();
    using driven = new DrivenPoller(row);
    const own = openedSince(before);
    expect(own).toHaveLength(descriptorsOf(row));
    for (const fd of own) {
      expect(() => driven.poller.add(fd, readable, 1)).toThrow(systemRefusal('EINVAL', fd));
      expectUnknown(driven.poller, fd);
    }
  });
});

describe.each(casesWith('exclusive'))('$backend, $way', (row) => {
  /** An epoll cannot be watched exclusively: EINVAL, after everything was checked in TypeScript. */
  function ready(scene: Scene): number {
    const inner = scene.fds.track(nestedEpoll());
    nestedEpollAdd(inner, readyPipe(scene)[0]);
    return inner;
  }
  const refusedExclusive = (poller: Poller, fd: number) =>
    expect(() => poller.modify(fd, readable, 2, { exclusive: true })).toThrow(
      refused('EINVAL', { syscall: 'epoll_ctl', fd }),
    );

  test('a refused modify keeps a level registration', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const fd = ready(scene);
    driven.poller.add(fd, readable, 1);
    refusedExclusive(driven.poller, fd);
    expect([await driven.keys(0), await driven.keys(0)]).toEqual([[1], [1]]);
  });

  test('a refused modify keeps a pause', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const fd = ready(scene);
    driven.poller.add(fd, 0, 1);
    refusedExclusive(driven.poller, fd);
    expect(await driven.keys(5)).toEqual([]);
    driven.poller.modify(fd, readable, 3);
    expect(await driven.keys(0)).toEqual([3]);
  });

  test('a refused modify does not arm a oneshot that has fired', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const fd = ready(scene);
    driven.poller.add(fd, readable, 1, { mode: 'oneshot' });
    expect(await driven.keys(0)).toEqual([1]);
    refusedExclusive(driven.poller, fd);
    expect(await driven.keys(5)).toEqual([]);
    driven.poller.modify(fd, readable, 3, { mode: 'oneshot' });
    expect(await driven.keys(0)).toEqual([3]);
  });

  test('EBADF for what was exclusive', () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader] = readyPipe(scene);
    driven.poller.add(reader, readable, 1, { exclusive: true });
    close(reader);
    expect(() => driven.poller.modify(reader, readable, 2)).toThrow(refused('EBADF'));
    driven.poller.delete(reader);
    expectUnknown(driven.poller, reader);
  });
});
