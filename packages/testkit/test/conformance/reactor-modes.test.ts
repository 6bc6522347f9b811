// Level, oneshot and edge: how often a watcher is called, and which may share a descriptor.
import { Interest } from '@pollux/core';
import { openFds, pipe, read, socketpair, write } from '@pollux/testkit';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, insideTurn, readyPipes, thrownBy } from './reactor-support.js';

const { readable, writable } = Interest;
const oneshot = { mode: 'oneshot' } as const;
const edge = { mode: 'edge' } as const;
const ignore = (): void => {};

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  test('a oneshot is called once, then paused until resume', async () => {
    using driven = new DrivenReactor(row);
    const [reader] = readyPipes(fds, 1) as [number];
    const activeInside: boolean[] = [];
    const watcher = driven.reactor.watch(
      reader,
      readable,
      () => activeInside.push(watcher.active),
      oneshot,
    );
    for (let round = 1; round <= 5; round++) {
      await driven.until(() => activeInside.length >= round);
      await driven.during(5);
      expect(activeInside).toEqual(Array(round).fill(false));
      expect(watcher.active).toBe(false);
      if (round % 2 === 0) watcher.resume();
      else watcher.update(readable);
      expect(watcher.active).toBe(true);
    }
  });

  test('a oneshot may resume or update itself in its callback', async () => {
    using driven = new DrivenReactor(row);
    const [reader] = readyPipes(fds, 1) as [number];
    const [first] = fds.trackAll(socketpair());
    let resumed = 0;
    let updated = 0;
    driven.reactor.watch(
      reader,
      readable,
      (_events, watcher) => {
        if (++resumed < 10) watcher.resume();
      },
      oneshot,
    );
    driven.reactor.watch(
      first,
      writable,
      (_events, watcher) => {
        if (++updated < 10) watcher.update(writable);
      },
      oneshot,
    );
    await driven.until(() => resumed >= 10 && updated >= 10);
    await driven.during(10);
    expect([resumed, updated]).toEqual([10, 10]);
  });

  test('a oneshot beside level watchers is called once, and they go on', async () => {
    using driven = new DrivenReactor(row);
    const [reader] = readyPipes(fds, 1) as [number];
    let once = 0;
    let always = 0;
    driven.reactor.watch(reader, readable, () => always++);
    const watcher = driven.reactor.watch(reader, readable, () => once++, oneshot);
    for (let round = 1; round <= 3; round++) {
      always = 0;
      await driven.until(() => always >= 5);
      expect(once).toBe(round);
      watcher.resume();
    }
  });

  test('a oneshot writer beside a level reader leaves the reader armed, and the other way', async () => {
    using driven = new DrivenReactor(row);
    const [first, second] = fds.trackAll(socketpair());
    let reads = 0;
    let writes = 0;
    const reader = driven.reactor.watch(first, readable, () => {
      reads++;
      read(first);
    });
    driven.reactor.watch(first, writable, () => writes++, oneshot);
    await driven.until(() => writes === 1);
    write(second, 'x');
    await driven.until(() => reads === 1);
    // Now a level writer, and a oneshot reader that is left when the writer goes.
    reader.close();
    const writer = driven.reactor.watch(first, writable, () => writes++);
    driven.reactor.watch(first, readable, () => reads++, oneshot);
    await driven.until(() => writes > 5);
    expect(reads).toBe(1);
    writer.close();
    write(second, 'x');
    await driven.until(() => reads === 2);
    await driven.during(10);
    expect(reads).toBe(2);
  });

  test('two oneshots of one descriptor are each called once', async () => {
    using driven = new DrivenReactor(row);
    const [reader] = readyPipes(fds, 1) as [number];
    const calls = [0, 0];
    let watchers: { resume(): void }[] = [];
    await insideTurn(driven, () => {
      watchers = calls.map((_, n) =>
        driven.reactor.watch(reader, readable, () => calls[n]!++, oneshot),
      );
    });
    await driven.until(() => calls.every((count) => count > 0));
    await driven.during(10);
    expect(calls).toEqual([1, 1]);
    watchers[0]?.resume();
    await driven.until(() => calls[0] === 2);
    await driven.during(10);
    expect(calls).toEqual([2, 1]);
    for (const watcher of watchers) watcher.resume();
    await driven.until(() => calls[0] === 3 && calls[1] === 2);
  });

  test('a oneshot that fired stays silent when another watcher comes and goes', async () => {
    using driven = new DrivenReactor(row);
    const [reader] = readyPipes(fds, 1) as [number];
    let once = 0;
    let level = 0;
    driven.reactor.watch(reader, readable, () => once++, oneshot);
    await driven.until(() => once === 1);
    const other = driven.reactor.watch(reader, readable, () => level++);
    await driven.until(() => level > 2);
    other.pause();
    other.resume();
    await driven.until(() => level > 5);
    other.close();
    await driven.during(10);
    expect(once).toBe(1);
  });

  test('edge calls when something new comes, and edges share a descriptor', async (context) => {
    using driven = new DrivenReactor(row);
    context.skip(!driven.reactor.poller.capabilities.edge);
    const [reader, writer] = fds.trackAll(pipe());
    const calls = [0, 0];
    for (const n of [0, 1]) driven.reactor.watch(reader, readable, () => calls[n]!++, edge);
    for (let round = 1; round <= 3; round++) {
      write(writer, 'x');
      await driven.until(() => calls.every((count) => count >= round));
      await driven.during(5);
      expect(calls).toEqual([round, round]);
    }
  });

  test('edge is refused where the primitive has none, and nothing is left of it', async (context) => {
    using driven = new DrivenReactor(row);
    context.skip(driven.reactor.poller.capabilities.edge);
    const [reader] = readyPipes(fds, 1) as [number];
    const before = openFds();
    const error = thrownBy(() => driven.reactor.watch(reader, readable, ignore, edge));
    expect(error).toMatchObject({ name: 'PolluxError', code: 'ERR_POLLUX_UNSUPPORTED' });
    expect(error.message).toContain('options.mode');
    expect(driven.reactor.alive).toBe(false);
    // The driver may have started; nothing else may.
    if (row.way === 'blocking') expect(openFds()).toEqual(before);
    let calls = 0;
    driven.reactor.watch(reader, readable, () => calls++);
    await driven.until(() => calls > 1);
  });

  test('edge does not share a descriptor with level or oneshot', async (context) => {
    using driven = new DrivenReactor(row);
    context.skip(!driven.reactor.poller.capabilities.edge);
    const [reader] = readyPipes(fds, 1) as [number];
    for (const [first, second] of [
      [{ mode: 'level' }, edge],
      [edge, { mode: 'level' }],
      [edge, oneshot],
      [oneshot, edge],
    ] as const) {
      let calls = 0;
      using watcher = driven.reactor.watch(reader, readable, () => calls++, first);
      const error = thrownBy(() => driven.reactor.watch(reader, readable, ignore, second));
      expect(error).toMatchObject({ name: 'PolluxError', code: 'ERR_POLLUX_MIXED_MODES' });
      expect(watcher.active).toBe(true);
      await driven.until(() => calls > 0);
    }
    expect(driven.reactor.alive).toBe(false);
  });

  test('a refused edge watcher does not wake a oneshot that has fired, or a paused one', async (context) => {
    using driven = new DrivenReactor(row);
    context.skip(!driven.reactor.poller.capabilities.edge);
    const [fired, paused] = readyPipes(fds, 2) as [number, number];
    const calls = [0, 0];
    const once = driven.reactor.watch(fired, readable, () => calls[0]!++, oneshot);
    const silent = driven.reactor.watch(paused, readable, () => calls[1]!++);
    silent.pause();
    await driven.until(() => calls[0] === 1);
    for (const fd of [fired, paused]) {
      const error = thrownBy(() => driven.reactor.watch(fd, readable, ignore, edge));
      expect(error).toMatchObject({ code: 'ERR_POLLUX_MIXED_MODES' });
    }
    await driven.during(10);
    expect(calls).toEqual([1, 0]);
    once.resume();
    silent.resume();
    await driven.until(() => calls[0] === 2 && calls[1]! > 0);
  });
});
