// What level, oneshot and edge mean: how often a registration reports, and what arms it again.
import { Events, Interest, type Mode } from '@pollux/core';
import { close, drain, fill, pipe, read, socketpair, write } from '@pollux/testkit';
import {
  capabilitiesOf,
  cases,
  casesWith,
  checkLeaks,
  DrivenPoller,
  modesOf,
  Scene,
} from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { expectUnknown, readyPipe, refused } from './poller-support.js';

const { readable, writable } = Interest;
const oneshot = { mode: 'oneshot' } as const;
const edge = { mode: 'edge' } as const;
checkLeaks();

describe.each(cases)('$backend, $way', (row) => {
  test('level is the default, and reports in each wait as long as the condition holds', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader] = readyPipe(scene);
    driven.poller.add(reader, readable, 1);
    for (let i = 0; i < 5; i++) {
      expect(await driven.poll(0)).toEqual([{ key: 1, events: Events.readable }]);
    }
    drain(reader);
    expect(await driven.poll(5)).toEqual([]);
  });

  test('oneshot reports once, and then not even what is new', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader, writer] = readyPipe(scene);
    driven.poller.add(reader, readable, 1, oneshot);
    expect(await driven.keys(0)).toEqual([1]);
    expect(await driven.keys(5)).toEqual([]);
    drain(reader);
    write(writer, 'new');
    expect(await driven.keys(5)).toEqual([]);
    // ERR and HUP come unasked from the kernel; not to one that has fired.
    close(writer);
    expect(await driven.keys(5)).toEqual([]);
  });

  test('a oneshot for both directions is spent by either', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [near, far] = scene.fds.trackAll(socketpair());
    driven.poller.add(near, readable | writable, 1, oneshot);
    expect(await driven.poll(0)).toEqual([{ key: 1, events: Events.writable }]);
    write(far, 'x');
    expect(await driven.poll(5)).toEqual([]);
  });

  test('modify arms a oneshot anew, for what is there already and under its new key', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader] = readyPipe(scene);
    driven.poller.add(reader, readable, 1, oneshot);
    for (let key = 1; key < 20; key++) {
      expect(await driven.keys(0)).toEqual([key]);
      expect(await driven.keys(0)).toEqual([]);
      driven.poller.modify(reader, readable, key + 1, oneshot);
    }
    // Armed twice is armed once.
    driven.poller.modify(reader, readable, 21, oneshot);
    expect(await driven.keys(0)).toEqual([21]);
    expect(await driven.keys(0)).toEqual([]);
  });

  test('no oneshot of many reports twice, however the waits fall', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const pipes = Array.from({ length: 50 }, () => scene.fds.trackAll(pipe()));
    for (const [key, [reader]] of pipes.entries())
      driven.poller.add(reader, readable, key, oneshot);
    const reports = new Array<number>(pipes.length).fill(0);
    for (const [key, [, writer]] of pipes.entries()) {
      for (const [, other] of pipes.slice(0, key + 1)) write(other, 'x');
      if (key % 3 === 0) for (const found of await driven.poll(0)) reports[found.key]!++;
      write(writer, 'x');
    }
    for (const found of await driven.poll(5)) reports[found.key]!++;
    expect(new Set(reports)).toEqual(new Set([1]));
  });

  test('a oneshot can be paused and resumed, before and after it has fired', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader] = readyPipe(scene);
    driven.poller.add(reader, 0, 1, oneshot);
    for (let i = 0; i < 3; i++) {
      expect(await driven.keys(0)).toEqual([]);
      driven.poller.modify(reader, readable, 2, oneshot);
      expect(await driven.keys(0)).toEqual([2]);
      driven.poller.modify(reader, 0, 3, oneshot);
    }
  });

  const changes = modesOf(row.backend).flatMap((from) =>
    modesOf(row.backend).map((to) => [from, to] as [Mode, Mode]),
  );
  test.each(changes)('modify takes %s to %s', async (from, to) => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader] = readyPipe(scene);
    driven.poller.add(reader, readable, 1, { mode: from });
    expect(await driven.keys(0)).toEqual([1]);
    driven.poller.modify(reader, readable, 2, { mode: to });
    expect(await driven.keys(0)).toEqual([2]);
    expect(await driven.keys(0)).toEqual(to === 'level' ? [2] : []);
    // Options left out are the defaults, not what they were.
    driven.poller.modify(reader, readable, 3);
    expect(await driven.keys(0)).toEqual([3]);
    expect(await driven.keys(0)).toEqual([3]);
  });

  test.skipIf(capabilitiesOf(row.backend).edge)('edge is refused, not imitated', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader] = readyPipe(scene);
    expect(() => driven.poller.add(reader, readable, 1, edge)).toThrow(
      refused('ERR_POLLUX_UNSUPPORTED'),
    );
    expectUnknown(driven.poller, reader);
    driven.poller.add(reader, readable, 1);
    expect(() => driven.poller.modify(reader, readable, 2, edge)).toThrow(
      refused('ERR_POLLUX_UNSUPPORTED'),
    );
    expect([await driven.keys(0), await driven.keys(0)]).toEqual([[1], [1]]);
  });
});

describe.each(casesWith('edge'))('edge: $backend, $way', (row) => {
  test('reports what is there when it is added, and then only what is new', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader, writer] = readyPipe(scene);
    driven.poller.add(reader, readable, 1, edge);
    expect(await driven.keys(0)).toEqual([1]);
    expect(await driven.keys(5)).toEqual([]);
    write(writer, 'more');
    expect(await driven.keys(0)).toEqual([1]);
    // Half of it read: still nothing new.
    read(reader, 2);
    expect(await driven.keys(5)).toEqual([]);
    close(writer);
    expect(await driven.poll(0)).toEqual([{ key: 1, events: Events.readable | Events.hangup }]);
    expect(await driven.keys(5)).toEqual([]);
  });

  test('who reads until EAGAIN misses nothing', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [near, far] = scene.fds.trackAll(socketpair());
    driven.poller.add(near, readable, 1, edge);
    let [sent, got] = [0, 0];
    for (let i = 0; i < 200; i++) {
      sent += write(far, 'x'.repeat(1 + (i % 7)));
      if (i % 4 !== 0) continue;
      expect(await driven.keys(5000)).toEqual([1]);
      got += drain(near);
    }
    got += drain(near);
    expect(got).toBe(sent);
  });

  test('room to write is new only after there was none', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader, writer] = scene.fds.trackAll(pipe());
    driven.poller.add(writer, writable, 1, edge);
    expect(await driven.keys(0)).toEqual([1]);
    write(writer, 'x');
    expect(await driven.keys(5)).toEqual([]);
    fill(writer);
    drain(reader);
    expect(await driven.keys(0)).toEqual([1]);
    expect(await driven.keys(5)).toEqual([]);
  });

  test('modify reports again what is still there', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader] = readyPipe(scene);
    driven.poller.add(reader, readable, 1, edge);
    for (let key = 1; key < 5; key++) {
      expect(await driven.keys(0)).toEqual([key]);
      expect(await driven.keys(0)).toEqual([]);
      driven.poller.modify(reader, readable, key + 1, edge);
    }
  });
});
