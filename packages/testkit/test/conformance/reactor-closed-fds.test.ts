// Descriptors that are closed, and numbers that are used again, while something watches them: the
// number is not the file.
import { Interest, type Watcher } from '@pollux/core';
import { close, dup, dup2, pipe, write } from '@pollux/testkit';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, insideTurn, readyPipes, thrownBy } from './reactor-support.js';

const { readable } = Interest;
const ignore = (): void => {};

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  /** Puts the reading end of a new, empty pipe in the place of `fd`; returns the writing end. */
  function reuse(fd: number): number {
    const [reader, writer] = pipe();
    fds.track(writer);
    close(fd);
    dup2(reader, fd);
    fds.track(fd);
    close(reader);
    return writer;
  }

  test('closing a watcher whose descriptor was closed before is fine', async () => {
    using driven = new DrivenReactor(row);
    for (const mode of ['level', 'oneshot'] as const) {
      for (const paused of [false, true]) {
        const [fd] = readyPipes(fds, 1) as [number];
        const watchers = [1, 2].map(() => driven.reactor.watch(fd, readable, ignore, { mode }));
        if (paused) watchers[0]?.pause();
        close(fd);
        for (const watcher of watchers) watcher.close();
      }
    }
    expect(driven.reactor.alive).toBe(false);
    // And so it is for the reactor, which closes what is left.
    const [fd] = readyPipes(fds, 1) as [number];
    driven.reactor.watch(fd, readable, ignore);
    driven.reactor.watch(fd, readable, ignore).pause();
    close(fd);
    driven.close();
  });

  test('pausing is fine too; resuming says what is wrong, and changes nothing', () => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    const watcher = driven.reactor.watch(fd, readable, ignore);
    close(fd);
    watcher.pause();
    expect(watcher.active).toBe(false);
    for (const again of [() => watcher.resume(), () => watcher.update(Interest.writable)]) {
      expect(thrownBy(again)).toMatchObject({ code: 'EBADF', fd });
      expect(watcher).toMatchObject({ active: false, interest: readable, closed: false });
    }
    expect(driven.reactor.alive).toBe(false);
    watcher.close();
  });

  test('a closed number is refused, and leaves nothing', () => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    close(fd);
    const error = thrownBy(() => driven.reactor.watch(fd, readable, ignore));
    expect(error).toMatchObject({ code: 'EBADF', fd, errno: expect.any(Number) });
    expect(driven.reactor.alive).toBe(false);
  });

  test('a descriptor closed inside the batch, after its watcher: not called', async () => {
    using driven = new DrivenReactor(row);
    const called: number[] = [];
    const pair = readyPipes(fds, 2);
    await insideTurn(driven, () => {
      const watchers = pair.map((fd, n): Watcher => {
        const callback = (): void => {
          called.push(n);
          watchers[1 - n]?.close();
          if (called.length === 1) close(pair[1 - n] as number);
        };
        return driven.reactor.watch(fd, readable, callback);
      });
    });
    await driven.until(() => called.length > 3);
    expect(new Set(called).size).toBe(1);
  });

  test('closed without a word inside the batch: the others go on', async () => {
    using driven = new DrivenReactor(row);
    const pair = readyPipes(fds, 2);
    const calls = [0, 0];
    let survivor = -1;
    await insideTurn(driven, () => {
      pair.forEach((fd, n) => {
        driven.reactor.watch(fd, readable, () => {
          calls[n]!++;
          if (survivor >= 0) return;
          survivor = n;
          close(pair[1 - n] as number);
        });
      });
    });
    await driven.until(() => survivor >= 0 && calls[survivor]! > 5);
    // What was found before, and select's one report of the closed number, may still come.
    expect(calls[1 - survivor]).toBeLessThanOrEqual(2);
  });

  test('a number closed and reused inside the batch: the new watcher hears of the new file', async () => {
    using driven = new DrivenReactor(row);
    const pair = readyPipes(fds, 2);
    const old: number[] = [];
    let fresh = 0;
    let writer = -1;
    await insideTurn(driven, () => {
      const watchers = pair.map((fd, n) =>
        driven.reactor.watch(fd, readable, () => {
          old.push(n);
          if (writer >= 0) return;
          const other = pair[1 - n] as number;
          watchers[1 - n]?.close();
          writer = reuse(other);
          driven.reactor.watch(other, readable, () => fresh++);
        }),
      );
    });
    await driven.until(() => old.length > 5);
    expect(new Set(old).size).toBe(1);
    expect(fresh).toBe(0);
    write(writer, 'x');
    await driven.until(() => fresh > 0);
  });

  test('the same while the old watcher is open: it is closed, silently', async () => {
    using driven = new DrivenReactor(row);
    const pair = readyPipes(fds, 2);
    const old: number[] = [];
    let fresh = 0;
    let writer = -1;
    let watchers: Watcher[] = [];
    await insideTurn(driven, () => {
      watchers = pair.map((fd, n) =>
        driven.reactor.watch(fd, readable, () => {
          old.push(n);
          if (writer >= 0) return;
          const other = pair[1 - n] as number;
          writer = reuse(other);
          driven.reactor.watch(other, readable, () => fresh++);
        }),
      );
    });
    await driven.until(() => old.length > 5);
    expect(new Set(old).size).toBe(1);
    expect(watchers.map(({ closed }) => closed).filter(Boolean)).toHaveLength(1);
    expect(fresh).toBe(0);
    write(writer, 'x');
    await driven.until(() => fresh > 0);
  });

  test.each([
    ['level', 'level'],
    ['oneshot', 'level'],
    ['edge', 'level'],
    ['level', 'edge'],
  ] as const)(
    'on a reused number, the old %s watchers are closed for one of %s',
    async (mode, newMode) => {
      using driven = new DrivenReactor(row);
      const edge = mode === 'edge' || newMode === 'edge';
      if (edge && !driven.reactor.poller.capabilities.edge) return;
      const [fd] = readyPipes(fds, 1) as [number];
      const stale: string[] = [];
      const active = driven.reactor.watch(fd, readable, () => stale.push('active'), { mode });
      const paused = driven.reactor.watch(fd, readable, () => stale.push('paused'), { mode });
      paused.pause();
      const writer = reuse(fd);
      let fresh = 0;
      const watcher = driven.reactor.watch(fd, readable, () => fresh++, { mode: newMode });
      expect([active.closed, paused.closed, watcher.closed]).toEqual([true, true, false]);
      expect(thrownBy(() => paused.resume())).toMatchObject({ code: 'ERR_POLLUX_CLOSED' });
      stale.length = 0;
      await driven.during(10);
      expect(fresh).toBe(0);
      write(writer, 'x');
      await driven.until(() => fresh > 0);
      expect(stale).toEqual([]);
      active.close();
      paused.close();
      write(writer, 'x');
      await driven.until(() => fresh > 1);
      watcher.close();
      expect(driven.reactor.alive).toBe(false);
    },
  );

  test('a reused number whose only watcher is paused', async () => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    const paused = driven.reactor.watch(fd, readable, ignore);
    paused.pause();
    const writer = reuse(fd);
    expect(thrownBy(() => paused.resume())).toMatchObject({ code: 'ENOENT', fd });
    expect(paused.active).toBe(false);
    let fresh = 0;
    driven.reactor.watch(fd, readable, () => fresh++);
    expect(paused.closed).toBe(true);
    write(writer, 'x');
    await driven.until(() => fresh > 0);
  });

  test('a watcher of a number that another file has now can be closed', async () => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    const watcher = driven.reactor.watch(fd, readable, ignore);
    const writer = reuse(fd);
    watcher.close();
    expect(driven.reactor.alive).toBe(false);
    let fresh = 0;
    driven.reactor.watch(fd, readable, () => fresh++);
    await driven.during(5);
    expect(fresh).toBe(0);
    write(writer, 'x');
    await driven.until(() => fresh > 0);
  });

  test('another descriptor of the same open file has its own watchers', async () => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    const twin = fds.track(dup(fd));
    const calls = [0, 0];
    const first = driven.reactor.watch(fd, readable, () => calls[0]!++);
    driven.reactor.watch(twin, readable, () => calls[1]!++);
    await driven.until(() => calls.every((count) => count > 1));
    first.close();
    close(fd);
    calls.fill(0);
    await driven.until(() => calls[1]! > 1);
    expect(calls[0]).toBe(0);
  });
});
