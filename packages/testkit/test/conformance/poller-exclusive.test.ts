// EPOLLEXCLUSIVE: several pollers share a listener and not all of them are woken for each
// connection. How many are is the kernel's affair ("one or more"); that no connection is forgotten,
// and that the registration can be changed as any other, is ours.
import { Events, Interest } from '@pollux/core';
import { accept, close, connectNonblocking, pipe, tcpListener, write } from '@pollux/testkit';
import {
  capabilitiesOf,
  cases,
  casesWith,
  checkLeaks,
  DrivenPoller,
  Scene,
} from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { expectUnknown, readyPipe, refused } from './poller-support.js';

const { readable, writable, priority } = Interest;
const exclusive = { exclusive: true } as const;
checkLeaks();

describe.each(casesWith('exclusive'))('$backend, $way', (row) => {
  test.each(['level', 'edge'] as const)('two pollers on one listener, %s', async (mode) => {
    using scene = new Scene();
    using a = new DrivenPoller(row);
    using b = new DrivenPoller(row);
    const { fd, port } = scene.fds.trackFd(tcpListener());
    for (const { poller } of [a, b]) poller.add(fd, readable, 1, { mode, exclusive: true });
    let accepted = 0;
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 3; i++) scene.fds.track(connectNonblocking(port));
      for (let tries = 0; accepted < 3 * (round + 1) && tries < 1000; tries++) {
        for (const driven of [a, b]) {
          if ((await driven.poll(1)).length === 0) continue;
          for (let fresh = accept(fd); fresh !== null; fresh = accept(fd)) {
            close(fresh);
            accepted++;
          }
        }
      }
    }
    expect(accepted).toBe(60);
  });

  test('both wait: one connection wakes at least one, and is accepted once', async () => {
    if (row.way === 'blocking') return;
    using scene = new Scene();
    using a = new DrivenPoller(row);
    using b = new DrivenPoller(row);
    const { fd, port } = scene.fds.trackFd(tcpListener());
    for (const [key, { poller }] of [a, b].entries()) poller.add(fd, readable, key, exclusive);
    const waits = [a.keys(60_000), b.keys(60_000)];
    scene.fds.track(connectNonblocking(port));
    await Promise.race(waits);
    scene.fds.track(accept(fd)!);
    expect(accept(fd)).toBeNull();
    for (const driven of [a, b]) {
      driven.expectNotify = true;
      driven.poller.notify();
    }
    await Promise.all(waits);
  });

  test('it can be modified, paused and made ordinary, and back', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const { poller } = driven;
    const [reader] = readyPipe(scene);
    poller.add(reader, readable, 1, exclusive);
    expect(await driven.poll(0)).toEqual([{ key: 1, events: Events.readable }]);
    poller.modify(reader, readable | writable, 2, exclusive);
    expect(await driven.keys(0)).toEqual([2]);
    poller.modify(reader, 0, 3, exclusive);
    expect(await driven.keys(5)).toEqual([]);
    poller.modify(reader, readable, 4, exclusive);
    expect(await driven.keys(0)).toEqual([4]);
    poller.modify(reader, readable | priority, 5, { mode: 'oneshot' });
    expect([await driven.keys(0), await driven.keys(0)]).toEqual([[5], []]);
    poller.modify(reader, readable, 6, exclusive);
    expect([await driven.keys(0), await driven.keys(0)]).toEqual([[6], [6]]);
    expect(() => poller.add(reader, readable, 7, exclusive)).toThrow(refused('EEXIST'));
    poller.delete(reader);
    expectUnknown(poller, reader);
  });

  test('a hangup is reported as ever; there is no readClosed', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader, writer] = scene.fds.trackAll(pipe());
    driven.poller.add(reader, readable, 1, exclusive);
    close(writer);
    expect(await driven.poll(0)).toEqual([{ key: 1, events: Events.readable | Events.hangup }]);
  });

  test('neither oneshot nor priority goes with it', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader, writer] = scene.fds.trackAll(pipe());
    const refusedAsArgument = (name: string) =>
      refused('ERR_INVALID_ARG_VALUE', {
        name: 'TypeError',
        message: expect.stringContaining(name),
      });
    const both = { mode: 'oneshot', exclusive: true } as const;
    expect(() => driven.poller.add(reader, readable, 1, both)).toThrow(
      refusedAsArgument('options.mode'),
    );
    expect(() => driven.poller.add(reader, priority, 1, exclusive)).toThrow(
      refusedAsArgument('interest'),
    );
    expectUnknown(driven.poller, reader);
    driven.poller.add(reader, readable, 1);
    expect(() => driven.poller.modify(reader, readable, 2, both)).toThrow(
      refusedAsArgument('options.mode'),
    );
    write(writer, 'x');
    expect([await driven.keys(0), await driven.keys(0)]).toEqual([[1], [1]]);
  });
});

const without = cases.filter(({ backend }) => !capabilitiesOf(backend).exclusive);
describe.skipIf(without.length === 0).each(without)('without: $backend, $way', (row) => {
  test('it is refused, and false is not', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader] = readyPipe(scene);
    expect(() => driven.poller.add(reader, readable, 1, exclusive)).toThrow(
      refused('ERR_POLLUX_UNSUPPORTED'),
    );
    expectUnknown(driven.poller, reader);
    driven.poller.add(reader, readable, 1, { exclusive: false });
    expect(() => driven.poller.modify(reader, readable, 2, exclusive)).toThrow(
      refused('ERR_POLLUX_UNSUPPORTED'),
    );
    expect(await driven.keys(0)).toEqual([1]);
  });
});
