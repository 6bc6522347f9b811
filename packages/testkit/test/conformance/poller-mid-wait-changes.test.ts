// Registrations change while the wait thread blocks: each change takes effect soon, not with the next
// event. And a descriptor that was deleted is let go at once: a TCP peer sees its end although select
// had it in its hands.
import { Events, Interest } from '@pollux/core';
import { close, drain, dup2, kernelPoll, pipe, tcpPair, write } from '@pollux/testkit';
import {
  attachedCases,
  checkLeaks,
  DrivenPoller,
  type Found,
  Scene,
} from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { readyPipe } from './poller-support.js';

const { readable, writable } = Interest;
checkLeaks();

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe.each(attachedCases)('$backend, $way', (row) => {
  /** Begins to wait, and lets the thread reach its system call (it may not: that must do too). */
  async function blocked(driven: DrivenPoller): Promise<{ found: Promise<Found[]> }> {
    const found = driven.poll(60_000);
    await sleep(10);
    return { found };
  }

  test('an added descriptor that is ready ends the wait', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const { found } = await blocked(driven);
    driven.poller.add(readyPipe(scene)[0], readable, 1);
    expect(await found).toEqual([{ key: 1, events: Events.readable }]);
  });

  test('so does one that becomes ready later', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const { found } = await blocked(driven);
    const [reader, writer] = scene.fds.trackAll(pipe());
    driven.poller.add(reader, readable, 1);
    await sleep(10);
    write(writer, 'x');
    expect(await found).toEqual([{ key: 1, events: Events.readable }]);
  });

  test('a pause that ends, an interest that widens, a oneshot that is armed anew', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [paused] = readyPipe(scene);
    const [narrow] = scene.fds.trackAll(tcpPair());
    const [fired] = readyPipe(scene);
    driven.poller.add(paused, 0, 1);
    driven.poller.add(narrow, readable, 2);
    driven.poller.add(fired, readable, 3, { mode: 'oneshot' });
    expect(await driven.keys(0)).toEqual([3]);
    const changes: [fd: number, interest: number][] = [
      [paused, readable],
      [narrow, readable | writable],
      [fired, readable],
    ];
    for (const [i, [fd, interest]] of changes.entries()) {
      const { found } = await blocked(driven);
      driven.poller.modify(fd, interest, 10 + i, { mode: 'oneshot' });
      expect((await found).map(({ key }) => key)).toEqual([10 + i]);
    }
  });

  test('what was deleted or paused meanwhile is not reported', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [deleted, paused, kept] = [pipe(), pipe(), pipe()].map((ends) =>
      scene.fds.trackAll(ends),
    ) as [number, number][];
    for (const [key, [reader]] of [deleted!, paused!, kept!].entries())
      driven.poller.add(reader, readable, key);
    const { found } = await blocked(driven);
    driven.poller.delete(deleted![0]);
    driven.poller.modify(paused![0], 0, 1);
    for (const [, writer] of [deleted!, paused!]) write(writer, 'x');
    await sleep(10);
    write(kept![1], 'x');
    expect(await found).toEqual([{ key: 2, events: Events.readable }]);
  });

  test('a batch that is on its way drops what was deleted, and has the new key of what was changed', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const pipes = Array.from({ length: 3 }, () => scene.fds.trackAll(pipe()));
    for (const [key, [reader]] of pipes.entries()) driven.poller.add(reader, readable, key);
    const { found } = await blocked(driven);
    for (const [, writer] of pipes) write(writer, 'x');
    // The thread has found them, or will, but JavaScript has not been called yet.
    const until = performance.now() + 10;
    while (performance.now() < until);
    driven.poller.delete(pipes[0]![0]);
    driven.poller.modify(pipes[1]![0], readable, 11);
    const keys = (await found).map(({ key }) => key);
    expect(keys).not.toContain(0);
    expect(keys).not.toContain(1);
    expect(await driven.keys(0)).toEqual([2, 11]);
  });

  test('a number that is closed and reused in the middle', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [number] = scene.fds.trackAll(pipe());
    driven.poller.add(number, readable, 1);
    const { found } = await blocked(driven);
    const [ready] = readyPipe(scene);
    dup2(ready, number);
    driven.poller.add(number, readable, 2);
    expect(await found).toEqual([{ key: 2, events: Events.readable }]);
  });

  test('delete lets go of a TCP descriptor: closed then, its peer hears of it', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [near, far] = scene.fds.trackAll(tcpPair());
    const [end, ender] = scene.fds.trackAll(pipe());
    driven.poller.add(near, readable, 1);
    driven.poller.add(end, readable, 2);
    const { found } = await blocked(driven);
    driven.poller.delete(near);
    close(near);
    for (let tries = 0; kernelPoll([far], ['rdhup'])[0]!.length === 0; tries++) {
      expect(tries, 'no FIN').toBeLessThan(1000);
      await sleep(2);
    }
    write(ender, 'x');
    expect((await found).map(({ key }) => key)).toEqual([2]);
  });

  test('hundreds of changes in one wait, as a server does them', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const pipes = Array.from({ length: 100 }, () => scene.fds.trackAll(pipe()));
    const { found } = await blocked(driven);
    for (const [key, [reader, writer]] of pipes.entries()) {
      driven.poller.add(reader, readable, key);
      driven.poller.modify(reader, 0, key);
      if (key % 2 === 0) driven.poller.delete(reader);
      else driven.poller.modify(reader, readable, 1000 + key);
      if (key % 25 === 0) await sleep(1);
      if (key !== 99) drain(reader);
      else write(writer, 'x');
    }
    expect(await found).toEqual([{ key: 1099, events: Events.readable }]);
    // Not one wakeup for each of 300 changes: they are coalesced while nobody has looked.
    expect(driven.rounds).toBeLessThan(100);
  });
});
