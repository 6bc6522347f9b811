// What a poller opens: every descriptor is close-on-exec, and `close`, or a failure on the way, gives
// back each descriptor and ends the wait thread.
import { createPoller, Interest } from '@pollux/core';
import { close, dup, eventfd, isCloexec, openFds, raiseNofile, threadCount } from '@pollux/testkit';
import { backends, cases, checkLeaks, DrivenPoller, Scene } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { descriptorsOf, openedSince, readyPipe } from './poller-support.js';

const { readable } = Interest;
checkLeaks();

describe.each(cases)('$backend, $way', (row) => {
  test('all it opens is close-on-exec, also after it has rebuilt its set', async () => {
    using scene = new Scene();
    const before = openFds();
    using driven = new DrivenPoller(row);
    const own = () => openedSince(before);
    expect(own()).toHaveLength(descriptorsOf(row));
    expect(own().every(isCloexec)).toBe(true);
    const mine = own();
    const [reader] = readyPipe(scene);
    scene.fds.track(dup(reader));
    driven.poller.add(reader, readable, 1);
    close(reader);
    driven.poller.delete(reader);
    for (let tries = 0; driven.poller.counters().rebuilds === 0 && tries < 20; tries++)
      await driven.poll(5);
    expect(mine.every(isCloexec)).toBe(true);
    expect(driven.poller.counters().rebuilds).toBe(row.backend === 'epoll' ? 1 : 0);
  });

  test('close gives everything back, also in the middle of a wait', async () => {
    const before = openFds();
    const threads = threadCount();
    const opened = Array.from({ length: 20 }, () => new DrivenPoller(row));
    using scene = new Scene();
    for (const [i, driven] of opened.entries()) {
      driven.poller.add(readyPipe(scene)[0], i % 2 === 0 ? readable : 0, i);
      if (i % 3 === 0) await driven.poll(0);
      else if (row.way !== 'blocking') driven.poll(60_000).catch(() => {});
    }
    if (row.way === 'thread') expect(threadCount()).toBeGreaterThanOrEqual(threads + 20);
    for (const driven of opened) driven.close();
    expect(threadCount()).toBeLessThanOrEqual(threads);
    scene.fds.closeAll();
    expect(openFds()).toEqual(before);
  });

  test('attach and detach, again and again, leave no thread', async () => {
    if (row.way === 'blocking') return;
    using poller = createPoller({ backend: row.backend, ignoreEnvironment: true });
    const threads = threadCount();
    for (let i = 0; i < 50; i++) {
      const attachment = poller.attach(() => {}, row.way);
      expect(threadCount()).toBe(threads + (row.way === 'thread' ? 1 : 0));
      if (i % 2 === 0) attachment.arm(60_000);
      attachment.detach();
      attachment.detach();
      expect(threadCount()).toBeLessThanOrEqual(threads);
      expect(poller.wait(0)).toBe(0);
    }
  });
});

describe.each(backends)('%s', (backend) => {
  test('closing does not touch what was registered', () => {
    using scene = new Scene();
    const [reader] = readyPipe(scene);
    for (let i = 0; i < 3; i++) {
      using poller = createPoller({ backend, ignoreEnvironment: true });
      poller.add(reader, readable, 1);
      expect(poller.wait(0)).toBe(1);
    }
    expect(openFds()).toContain(reader);
  });

  test('one that nobody closes is closed when it is collected', async () => {
    const before = openFds();
    (() => {
      for (let i = 0; i < 5; i++) createPoller({ backend, ignoreEnvironment: true });
    })();
    expect(openedSince(before)).toHaveLength(5 * descriptorsOf({ backend, way: 'blocking' }));
    // Only --expose-gc, set here for this once, lets a test ask for it.
    const { setFlagsFromString } = await import('node:v8');
    const { runInNewContext } = await import('node:vm');
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    for (let tries = 0; openFds().length > before.length && tries < 200; tries++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(openFds()).toEqual(before);
  });

  test.each([0, 1])('EMFILE with %i descriptors left: an error, and nothing is leaked', (left) => {
    using scene = new Scene();
    raiseNofile();
    const source = scene.fds.track(eventfd());
    const full: number[] = [];
    try {
      for (;;) full.push(scene.fds.track(dup(source)));
    } catch (error) {
      expect(error).toMatchObject({ code: 'EMFILE' });
    }
    for (const fd of full.splice(0, left)) close(fd);
    let failure: unknown;
    try {
      createPoller({ backend, ignoreEnvironment: true });
    } catch (error) {
      failure = error;
    }
    for (const fd of full) close(fd);
    expect(failure).toMatchObject({ code: 'EMFILE', syscall: expect.any(String) });
  });
});
