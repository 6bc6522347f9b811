// Which kinds of descriptor a backend can watch. What `canWatch` answers must be what `add` does: a
// kind that is watched is really reported when it becomes ready, one that is not is refused with
// EPERM and leaves nothing behind. The kernel's own epoll is the oracle for epoll.
//
// The answers are rows of docs/portability.md.
import { fstatSync } from 'node:fs';
import { Interest } from '@pollux/core';
import { nestedEpoll, nestedEpollAdd } from '@pollux/testkit';
import {
  backends,
  capabilitiesOf,
  cases,
  checkLeaks,
  DrivenPoller,
  dissent,
  fdKinds,
  type KindRow,
  lacking,
  PortabilityRecord,
  Scene,
  settled,
  verdict,
} from '@pollux/testkit/conformance';
import { afterAll, describe, expect, test } from 'vitest';
import { changeCall } from './poller-support.js';

const everything = Interest.readable | Interest.writable | Interest.priority;
const records = new Map(
  backends.map((backend) => [backend, new PortabilityRecord<KindRow>('kinds', backend, fdKinds)]),
);
afterAll(() => {
  for (const record of records.values()) record.write();
});
checkLeaks();

/**
 * What a bare epoll says: null, or the code of its refusal. kqueue, or its model, which stands on
 * epoll, has the same limits, and Pollux adds files and directories.
 */
function refusal(backend: string, scene: Scene, fd: number): string | null {
  // Whatever can be made on Windows is a socket.
  if (capabilitiesOf(backend).anyFd || process.platform === 'win32') return null;
  if (backend === 'kqueue' && (fstatSync(fd).isFile() || fstatSync(fd).isDirectory()))
    return 'EPERM';
  try {
    nestedEpollAdd(scene.fds.track(nestedEpoll()), fd);
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code!;
  }
}

describe.each(cases)('$backend, $way', (row) => {
  const { backend } = row;

  test.for(fdKinds)('$title', async ({ title, guaranteed, make }, context) => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const { poller } = driven;
    let made: ReturnType<typeof make>;
    try {
      made = make(scene);
    } catch (error) {
      const lacks = lacking(error);
      records.get(backend)!.skip(title);
      context.skip(`this system says ${lacks}`);
      return;
    }
    const { fd } = made;
    const provoke = row.way !== 'blocking' && made.forThisThread ? undefined : made.provoke;

    const code = refusal(backend, scene, fd);
    expect(poller.canWatch(fd)).toBe(code === null);
    expect(() => poller.delete(fd), 'canWatch registers nothing').toThrow(
      expect.objectContaining({ code: 'ENOENT' }),
    );
    records.get(backend)!.note(title, { kind: title, guaranteed, watch: code ?? 'yes' });

    if (code !== null) {
      expect(code).toBe('EPERM');
      for (const interest of [Interest.readable, 0]) {
        expect(() => poller.add(fd, interest, 1)).toThrow(
          expect.objectContaining({ code: 'EPERM', syscall: changeCall(backend), fd }),
        );
      }
      expect(() => poller.delete(fd)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
      return;
    }
    poller.add(fd, everything, 77);
    provoke?.();
    const seen = settled(fd, provoke || title === 'timerfd' ? ['in'] : []);
    const before = verdict(seen, everything, poller.capabilities);
    const found = await driven.poll(seen.length === 0 ? 10 : 5000);
    // It may have gone on in between: a pidfd adds a hangup once Node has reaped the child.
    const after = verdict(settled(fd, []), everything, poller.capabilities);
    const expected = { must: before.must & after.must, may: before.may | after.may };
    expect(found.map(({ key }) => key)).toEqual(expected.must === 0 ? [] : [77]);
    for (const { events } of found) expect(dissent(events, expected)).toBeNull();
    poller.delete(fd);
    expect(await driven.poll(0)).toEqual([]);
  });

  test('a closed number is EBADF, not a kind', () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const fd = scene.fds.track(nestedEpoll());
    scene.fds.closeAll();
    expect(() => driven.poller.canWatch(fd)).toThrow(
      expect.objectContaining({ code: 'EBADF', fd }),
    );
  });
});
