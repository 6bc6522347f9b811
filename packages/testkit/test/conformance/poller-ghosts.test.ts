// A ghost: a descriptor was closed and deleted, but a dup keeps its open file alive, and epoll goes
// on reporting it under the old number. Nobody can take it out of the set (EPOLL_CTL_DEL goes by
// number and file), so what it reports is dropped and counted, and when it keeps coming the set is
// made anew. None of that may be noticed by anybody else, in whatever mode or state.
import { Events, Interest } from '@pollux/core';
import {
  close,
  connectNonblocking,
  drain,
  dup,
  dup2,
  pipe,
  tcpListener,
  write,
} from '@pollux/testkit';
import { cases, casesWith, checkLeaks, DrivenPoller, Scene } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { cpuMs, readyPipe, refused } from './poller-support.js';

const { readable } = Interest;
checkLeaks();

// select has no edge mode, and kqueue lets go of a number when it is closed.
const haunted = casesWith('edge').filter(({ backend }) => backend === 'epoll');
describe.each(haunted)('$backend, $way', (row) => {
  /** Leaves a ghost that is ready, and gives back its number and the dup that keeps it alive. */
  function haunt(scene: Scene, driven: DrivenPoller, mode: 'level' | 'edge' = 'level') {
    const [reader, writer] = readyPipe(scene);
    const alive = scene.fds.track(dup(reader));
    driven.poller.add(reader, readable, 666, { mode });
    close(reader);
    driven.poller.delete(reader);
    return { number: reader, alive, writer };
  }

  /** Waits until the set was made anew: two batches at least, which a busy machine may take long for. */
  async function exorcised(driven: DrivenPoller): Promise<void> {
    for (let tries = 0; driven.poller.counters().rebuilds === 0; tries++) {
      expect(tries, 'no rebuild').toBeLessThan(200);
      expect(await driven.poll(10)).toEqual([]);
    }
    expect(driven.poller.counters().rebuilds).toBe(1);
  }

  test('what it reports is dropped and counted, the set is made anew, and nothing spins', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    haunt(scene, driven);
    const spent = await cpuMs(async () => {
      expect(await driven.poll(100)).toEqual([]);
      expect(await driven.poll(100)).toEqual([]);
    });
    expect(spent).toBeLessThan(100);
    expect(driven.rounds).toBeLessThan(10);
    const { stale, rebuilds } = driven.poller.counters();
    expect(stale).toBeGreaterThan(0);
    expect(stale).toBeLessThan(10);
    expect(rebuilds).toBe(1);
  });

  test('all other registrations survive it, as they were', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const { poller } = driven;
    const make = () => scene.fds.trackAll(pipe());
    const [level, paused, armed, fired, edge] = [make(), make(), make(), make(), make()] as const;
    const listener = scene.fds.trackFd(tcpListener());
    poller.add(level[0], readable, 1);
    poller.add(paused[0], 0, 2);
    poller.add(armed[0], readable, 3, { mode: 'oneshot' });
    poller.add(fired[0], readable, 4, { mode: 'oneshot' });
    poller.add(edge[0], readable, 5, { mode: 'edge' });
    poller.add(listener.fd, readable, 6, { exclusive: true });
    for (const [, writer] of [paused, fired]) write(writer, 'x');
    expect(await driven.keys(0)).toEqual([4]);

    haunt(scene, driven);
    await exorcised(driven);

    expect(await driven.keys(5)).toEqual([]);
    for (const [, writer] of [level, armed, edge]) write(writer, 'x');
    scene.fds.track(connectNonblocking(listener.port));
    expect(await driven.keys(0)).toEqual([1, 3, 5, 6]);
    expect(await driven.keys(0)).toEqual([1, 6]);
    // What was paused or had fired is silent still, and can be armed.
    poller.modify(paused[0], readable, 12, { mode: 'oneshot' });
    poller.modify(fired[0], readable, 14, { mode: 'oneshot' });
    expect(await driven.keys(0)).toEqual([1, 6, 12, 14]);
    for (const [reader] of [level, armed, fired, edge]) {
      expect(() => poller.add(reader, readable, 9)).toThrow(refused('EEXIST'));
    }
    for (const [reader] of [level, paused, armed, fired, edge]) poller.delete(reader);
    poller.delete(listener.fd);
    expect(await driven.keys(5)).toEqual([]);
  });

  test('one that had fired, and was closed meanwhile, is no hindrance', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [fired] = readyPipe(scene);
    driven.poller.add(fired, readable, 1, { mode: 'oneshot' });
    expect(await driven.keys(0)).toEqual([1]);
    close(fired);
    haunt(scene, driven);
    await exorcised(driven);
    const [ready] = readyPipe(scene);
    const number = scene.fds.track(dup2(ready, fired));
    driven.poller.add(number, readable, 2);
    expect(await driven.keys(0)).toEqual([2]);
  });

  test('its number names another registered file', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const { number } = haunt(scene, driven);
    const [reader, writer] = scene.fds.trackAll(pipe());
    const again = scene.fds.track(dup2(reader, number));
    driven.poller.add(again, readable, 1);
    await exorcised(driven);
    write(writer, 'x');
    expect(await driven.poll(0)).toEqual([{ key: 1, events: Events.readable }]);
  });

  test('many ghosts cost few rebuilds', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    for (let i = 0; i < 300; i++) haunt(scene, driven);
    await exorcised(driven);
    await driven.poll(10);
    const { stale } = driven.poller.counters();
    expect(await driven.keys(20)).toEqual([]);
    expect(driven.poller.counters().stale).toBe(stale);
    expect(driven.poller.counters().rebuilds).toBeLessThan(5);
  });

  test('one that reports once, or goes with its dup, costs none', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    haunt(scene, driven, 'edge');
    expect(await driven.keys(20)).toEqual([]);
    const { alive } = haunt(scene, driven);
    close(alive);
    expect(await driven.keys(20)).toEqual([]);
    expect(driven.poller.counters().rebuilds).toBe(0);
  });

  test.each([readable, 0])(
    'it is added again under its own number, interest %i',
    async (interest) => {
      using scene = new Scene();
      using driven = new DrivenPoller(row);
      const { number, alive } = haunt(scene, driven);
      scene.fds.track(dup2(alive, number));
      driven.poller.add(number, interest, 1);
      expect(await driven.keys(interest === 0 ? 20 : 0)).toEqual(interest === 0 ? [] : [1]);
      driven.poller.modify(number, readable, 2);
      expect(await driven.keys(0)).toEqual([2]);
      drain(number);
      expect(await driven.keys(20)).toEqual([]);
      driven.poller.delete(number);
      expect(driven.poller.counters().rebuilds).toBe(0);
    },
  );

  test('closed, not deleted, with a dup: it is heard of until delete, and not after', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader] = readyPipe(scene);
    scene.fds.track(dup(reader));
    driven.poller.add(reader, readable, 1);
    close(reader);
    await driven.poll(0);
    driven.poller.delete(reader);
    expect(await cpuMs(async () => expect(await driven.keys(100)).toEqual([]))).toBeLessThan(80);
  });

  test('it is found out although registrations change in every cycle', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader, writer] = scene.fds.trackAll(pipe());
    driven.poller.add(reader, readable, 0);
    haunt(scene, driven);
    for (let key = 1; key < 50; key++) {
      const cycle = driven.once(1);
      // While the wait thread blocks, in one of the two ways.
      driven.poller.modify(reader, readable, key);
      await cycle;
    }
    expect(driven.poller.counters().rebuilds).toBe(1);
    expect(driven.poller.counters().stale).toBeLessThan(10);
    write(writer, 'x');
    expect(await driven.keys(0)).toEqual([49]);
  });

  test('the number of the set stays; who watches it from outside adds it again', async () => {
    using scene = new Scene();
    using outer = new DrivenPoller(row);
    using driven = new DrivenPoller(row);
    const { fd } = driven.poller;
    outer.poller.add(fd!, readable, 1);
    haunt(scene, driven);
    await exorcised(driven);
    expect(driven.poller.fd).toBe(fd);
    outer.poller.add(fd!, readable, 2);
    const [ready] = readyPipe(scene);
    driven.poller.add(ready, readable, 3);
    expect(await outer.keys(0)).toEqual([2]);
    expect(await driven.keys(0)).toEqual([3]);
  });
});

// A primitive that goes by the number alone has none: the same story ends in silence.
const without = cases.filter(({ backend }) => backend !== 'epoll');
describe.skipIf(without.length === 0).each(without)('without: $backend, $way', (row) => {
  test('a closed and deleted number whose dup is open is silent, and nothing is made anew', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader] = readyPipe(scene);
    scene.fds.track(dup(reader));
    driven.poller.add(reader, readable, 666);
    expect(await driven.keys(0)).toEqual([666]);
    close(reader);
    driven.poller.delete(reader);
    const [ready] = readyPipe(scene);
    driven.poller.add(ready, readable, 1);
    expect(await driven.keys(0)).toEqual([1]);
    driven.poller.delete(ready);
    expect(await driven.poll(20)).toEqual([]);
    expect(driven.poller.counters().rebuilds).toBe(0);
  });
});
