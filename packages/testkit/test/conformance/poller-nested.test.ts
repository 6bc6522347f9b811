// A poller within a poller: where the primitive is a descriptor itself (epoll, kqueue), another poller of any
// backend can watch it, and epoll refuses a circle of them.
import { createPoller, Events, Interest } from '@pollux/core';
import { drain, kernelPoll } from '@pollux/testkit';
import { backends, cases, checkLeaks, DrivenPoller, Scene } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { expectUnknown, readyPipe, refused } from './poller-support.js';

const { readable } = Interest;
const circle = expect.stringMatching(/^(ELOOP|EINVAL)$/) as unknown as string;
checkLeaks();

const open = (backend: string) => createPoller({ backend, ignoreEnvironment: true });
const pollable = backends.filter((backend) => {
  using poller = open(backend);
  return poller.fd !== undefined;
});

test('epoll and kqueue are descriptors, no other is', () => {
  expect(pollable).toEqual(backends.filter((backend) => ['epoll', 'kqueue'].includes(backend)));
});

describe.each(pollable)('%s inside', (backend) => {
  test.each(cases)(
    '$backend, $way outside: ready as long as there is something inside',
    async (row) => {
      using scene = new Scene();
      using inner = open(backend);
      using outer = new DrivenPoller(row);
      outer.poller.add(inner.fd!, readable, 9);
      expect(await outer.poll(5)).toEqual([]);
      const [reader] = readyPipe(scene);
      inner.add(reader, readable, 1);
      expect(await outer.poll(5000)).toEqual([{ key: 9, events: Events.readable }]);
      expect(inner.wait(0)).toBe(1);
      expect(inner.events[0]).toBe(1);
      expect(await outer.keys(0)).toEqual([9]);
      drain(reader);
      expect(await outer.poll(5)).toEqual([]);
      outer.poller.delete(inner.fd!);
    },
  );

  test.each(cases)('$backend, $way outside: a notify inside counts', async (row) => {
    using inner = open(backend);
    using outer = new DrivenPoller(row);
    outer.poller.add(inner.fd!, readable, 9);
    inner.notify();
    expect(await outer.keys(5000)).toEqual([9]);
    expect(inner.wait(60_000)).toBe(0);
    expect(await outer.keys(5)).toEqual([]);
  });

  test('poll(2) agrees, and the number does not change', () => {
    using scene = new Scene();
    using inner = open(backend);
    const { fd } = inner;
    expect(kernelPoll([fd!], ['in', 'out'])).toEqual([[]]);
    inner.add(readyPipe(scene)[0], readable, 1);
    expect(kernelPoll([fd!], ['in', 'out'])).toEqual([['in']]);
    expect(inner.fd).toBe(fd);
  });

  test('a poller does not watch itself', () => {
    using poller = open(backend);
    const fd = poller.fd!;
    expect(poller.canWatch(fd)).toBe(false);
    expect(() => poller.add(fd, readable, 1)).toThrow(refused(circle, { fd }));
    expectUnknown(poller, fd);
  });

  // The kqueue kernels differ in what they allow here.
  const isEpoll = backend === 'epoll';
  test.runIf(isEpoll)('two pollers do not watch each other, nor three in a ring', () => {
    using a = open(backend);
    using b = open(backend);
    using c = open(backend);
    a.add(b.fd!, readable, 1);
    expect(b.canWatch(a.fd!)).toBe(false);
    expect(() => b.add(a.fd!, readable, 2)).toThrow(refused(circle));
    expectUnknown(b, a.fd!);
    b.add(c.fd!, readable, 3);
    expect(c.canWatch(a.fd!)).toBe(false);
    expect(() => c.add(a.fd!, readable, 4)).toThrow(refused(circle));
    expect(() => c.add(a.fd!, 0, 4)).toThrow(refused(circle));
    // Nothing of the attempts is left: both ways round are open again once the ring is cut.
    a.delete(b.fd!);
    expect(c.canWatch(a.fd!)).toBe(true);
  });

  test.runIf(isEpoll)('a tower of pollers is watched as high as the kernel allows', () => {
    using scene = new Scene();
    const tower = Array.from({ length: 12 }, () => open(backend));
    scene.defer(() => {
      for (const poller of tower) poller.close();
    });
    const refusals: string[] = [];
    for (const [i, poller] of tower.slice(1).entries()) {
      const below = tower[i]!.fd!;
      const can = poller.canWatch(below);
      try {
        poller.add(below, readable, i);
        expect(can).toBe(true);
      } catch (error) {
        expect(can).toBe(false);
        refusals.push((error as NodeJS.ErrnoException).code!);
        expectUnknown(poller, below);
        break;
      }
    }
    expect(refusals).toEqual([circle]);
  });
});
