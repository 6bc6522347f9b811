// One descriptor in several pollers, of one backend or of several: each reports it in its own way,
// and none notices what the others do.
import { createPoller, Events, Interest } from '@pollux/core';
import { close, drain, dup, pipe, tcpPair, write } from '@pollux/testkit';
import {
  backends,
  cases,
  checkLeaks,
  DrivenPoller,
  modeCases,
  Scene,
} from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { readyPipe } from './poller-support.js';

const { readable, writable } = Interest;
checkLeaks();

const pairs = backends.flatMap((first) => backends.map((second) => ({ first, second })));

describe.each(pairs)('$first and $second', ({ first, second }) => {
  test('both report, and delete in one is nothing to the other', () => {
    using scene = new Scene();
    using a = createPoller({ backend: first, ignoreEnvironment: true });
    using b = createPoller({ backend: second, ignoreEnvironment: true });
    const [reader] = readyPipe(scene);
    a.add(reader, readable, 1);
    b.add(reader, readable, 2);
    expect([a.wait(0), a.events[0]]).toEqual([1, 1]);
    expect([b.wait(0), b.events[0]]).toEqual([1, 2]);
    a.delete(reader);
    expect([a.wait(0), b.wait(0)]).toEqual([0, 1]);
    drain(reader);
    expect(b.wait(0)).toBe(0);
  });
});

describe.each(modeCases)('$backend, $way, $mode', ({ mode, ...row }) => {
  test('each has its own state of the mode', async () => {
    using scene = new Scene();
    using a = new DrivenPoller(row);
    using b = new DrivenPoller(row);
    const [reader] = readyPipe(scene);
    a.poller.add(reader, readable, 1, { mode });
    expect(await a.keys(0)).toEqual([1]);
    b.poller.add(reader, readable, 2, { mode });
    expect(await b.keys(0)).toEqual([2]);
    expect(await a.keys(0)).toEqual(mode === 'level' ? [1] : []);
    a.poller.modify(reader, readable, 3, { mode });
    expect(await a.keys(0)).toEqual([3]);
    expect(await b.keys(0)).toEqual(mode === 'level' ? [2] : []);
  });
});

describe.each(cases)('$backend, $way', (row) => {
  test('a descriptor and its dup are two registrations of one file', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader] = readyPipe(scene);
    const copy = scene.fds.track(dup(reader));
    driven.poller.add(reader, readable, 1);
    driven.poller.add(copy, readable, 2);
    expect(await driven.keys(0)).toEqual([1, 2]);
    driven.poller.delete(reader);
    close(reader);
    expect(await driven.keys(0)).toEqual([2]);
  });

  test('reader and writer of one socket, each through a number of its own', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [near, far] = scene.fds.trackAll(tcpPair());
    const writer = scene.fds.track(dup(near));
    driven.poller.add(near, readable, 1);
    driven.poller.add(writer, writable, 2);
    expect(await driven.poll(0)).toEqual([{ key: 2, events: Events.writable }]);
    write(far, 'x');
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await driven.keys(0)).toEqual([1, 2]);
  });

  test('one key for many descriptors, and the largest there is', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    for (let i = 0; i < 3; i++) driven.poller.add(readyPipe(scene)[0], readable, 2 ** 32 - 1);
    expect(await driven.keys(0)).toEqual(new Array(3).fill(2 ** 32 - 1));
  });

  test('two pollers that both wait for one descriptor are both told', async () => {
    using scene = new Scene();
    using a = new DrivenPoller(row);
    using b = new DrivenPoller(row);
    const [reader, writer] = scene.fds.trackAll(pipe());
    a.poller.add(reader, readable, 1);
    b.poller.add(reader, readable, 2);
    const waits = row.way !== 'blocking' ? Promise.all([a.keys(5000), b.keys(5000)]) : undefined;
    write(writer, 'x');
    expect(await (waits ?? Promise.all([a.keys(5000), b.keys(5000)]))).toEqual([[1], [2]]);
  });
});
