// What keeps a reactor, and with it the process, alive: what is active, ref'd and open.
import { Interest } from '@pollux/core';
import { attachedCases, cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, readyPipes, runFixture } from './reactor-support.js';

const { readable } = Interest;
const ignore = (): void => {};

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  test('alive counts active, ref’d watchers', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const [fd] = readyPipes(fds, 1) as [number];
    expect(reactor.alive).toBe(false);
    const watcher = reactor.watch(fd, readable, ignore);
    expect([watcher.hasRef(), reactor.alive]).toEqual([true, true]);
    expect(watcher.unref()).toBe(watcher);
    watcher.unref();
    expect([watcher.hasRef(), reactor.alive]).toEqual([false, false]);
    expect(watcher.ref()).toBe(watcher);
    expect([watcher.hasRef(), reactor.alive]).toEqual([true, true]);
    watcher.pause();
    expect([watcher.hasRef(), reactor.alive]).toEqual([true, false]);
    watcher.unref();
    watcher.resume();
    expect(reactor.alive).toBe(false);
    watcher.ref();
    const other = reactor.watch(fd, readable, ignore);
    watcher.close();
    expect(reactor.alive).toBe(true);
    other.close();
    expect(reactor.alive).toBe(false);
    // After close they say nothing and change nothing.
    watcher.unref().ref();
    other.ref().unref();
    expect(reactor.alive).toBe(false);
  });

  test('alive counts ref’d timers until they are over', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const timer = reactor.timer(1, ignore);
    expect([timer.hasRef(), reactor.alive]).toEqual([true, true]);
    expect(timer.unref()).toBe(timer);
    expect([timer.hasRef(), reactor.alive]).toEqual([false, false]);
    expect(timer.ref()).toBe(timer);
    await driven.until(() => !reactor.alive);
    timer.ref();
    expect(reactor.alive).toBe(false);
    let calls = 0;
    const repeating = reactor.timer(1, () => calls++, { repeat: true }).unref();
    await driven.until(() => calls > 2);
    expect(reactor.alive).toBe(false);
    repeating.ref();
    await driven.until(() => calls > 4);
    expect(reactor.alive).toBe(true);
    repeating.close();
    expect(reactor.alive).toBe(false);
  });

  test('a oneshot counts until it has fired, and again after resume', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const [fd] = readyPipes(fds, 1) as [number];
    const watcher = reactor.watch(fd, readable, ignore, { mode: 'oneshot' });
    expect(reactor.alive).toBe(true);
    await driven.until(() => !reactor.alive);
    watcher.resume();
    expect(reactor.alive).toBe(true);
    await driven.until(() => !reactor.alive);
  });

  test('a deferred call counts until it was made', async () => {
    using driven = new DrivenReactor(row);
    const during: boolean[] = [];
    driven.reactor.defer(() => {
      during.push(driven.reactor.alive);
      driven.reactor.defer(() => during.push(driven.reactor.alive));
      during.push(driven.reactor.alive);
    });
    expect(driven.reactor.alive).toBe(true);
    await driven.until(() => during.length === 3);
    expect(during).toEqual([false, true, false]);
  });
});

// In an attached reactor `alive` is what holds the process; so it is tried on processes.
describe.each(attachedCases)('a process with a reactor on $backend, $way', ({ backend, way }) => {
  const ends = async (scenario: string): Promise<void> => {
    const ended = await runFixture('reactor-liveness', [backend, way, scenario]);
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(ended.said).toContainEqual({ backend, driver: way });
    expect(ended.said.at(-1)).toEqual({ exit: 'as expected' });
  };

  test.concurrent.each([
    'nothing-used',
    'watcher-closed',
    'watcher-paused',
    'watcher-unref',
    'watcher-unref-then-paused-and-resumed',
    'oneshot-fired',
    'timer-closed',
    'timer-unref',
    'repeating-unref',
    'reactor-closed',
    'reactor-closed-in-callback',
    'refused-watch',
  ])('ends at once: %s', ends);

  test.concurrent.each([
    'watcher',
    'watcher-unref-ref',
    'watcher-resumed',
    'oneshot',
    'timer',
    'timer-unref-ref',
    'deferred',
    'deferred-in-deferred',
    'deferred-beside-unref',
  ])('stays until it was served: %s', ends);
});
