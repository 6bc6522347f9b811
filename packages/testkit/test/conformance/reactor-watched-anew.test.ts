// A descriptor whose last watcher is closed, and that is watched anew before the next wait: for the
// poller that is one change. The number may have been closed and reused in between.
import { Interest, Reactor } from '@pollux/core';
import { MemoryPoller } from '@pollux/core/testing';
import { close, drain, dup, dup2, pipe, write } from '@pollux/testkit';
import { cases, DrivenReactor, modeCases } from '@pollux/testkit/conformance';
import { describe, expect, test, vi } from 'vitest';
import { countedFds, insideTurn, readyPipes, thrownBy } from './reactor-support.js';

const { readable } = Interest;
const never = (): never => {
  throw new Error('called');
};

describe.each(modeCases)('$backend, $way, $mode', ({ mode, ...row }) => {
  const fds = countedFds();

  test('the new watcher is told of what is there already; the old one of nothing', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const [fd] = readyPipes(fds, 1) as [number];
    let calls = 0;
    const count = (): void => {
      calls++;
    };
    for (let round = 1; round <= 3; round++) {
      await insideTurn(driven, () => {
        for (let n = 0; n < 3; n++) reactor.watch(fd, readable, never, { mode }).close();
        const watcher = reactor.watch(fd, readable, count, { mode });
        reactor.timer(0, () => reactor.defer(() => watcher.close()));
      });
      await driven.until(() => calls >= round);
    }
    await driven.during(20);
    expect(reactor.alive).toBe(false);
  });

  test('outside a turn as well', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const [fd] = readyPipes(fds, 1) as [number];
    for (let round = 0; round < 3; round++) {
      let called = false;
      reactor.watch(fd, readable, never, { mode }).close();
      const watcher = reactor.watch(
        fd,
        readable,
        () => {
          called = true;
        },
        { mode },
      );
      await driven.until(() => called);
      watcher.close();
    }
  });
});

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  test('what is watched anew in a turn is one change of the poller', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const [fd] = readyPipes(fds, 1) as [number];
    const watcher = reactor.watch(fd, readable, () => drain(fd));
    const changes = (['add', 'modify', 'delete'] as const).map((name) =>
      vi.spyOn(reactor.poller, name),
    );
    await insideTurn(driven, () => {
      watcher.close();
      reactor.watch(fd, readable, () => drain(fd)).close();
      reactor.watch(fd, readable, () => drain(fd));
    });
    expect(changes.map(({ mock }) => mock.calls.length)).toEqual([0, 2, 0]);
  });

  test('what is not watched anew is gone after the turn', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const [fd] = readyPipes(fds, 1) as [number];
    await insideTurn(driven, () => {
      for (let n = 0; n < 2; n++) reactor.watch(fd, readable, never).close();
      expect(reactor.dump()).not.toContain(`fd ${fd}`);
    });
    await driven.during(10);
    expect(thrownBy(() => reactor.poller.modify(fd, readable, 0))).toMatchObject({
      code: 'ENOENT',
    });
    expect(reactor.alive).toBe(false);
  });

  /** Closes a watcher, and then has the number name another, empty pipe. */
  function reusedAfter(driven: DrivenReactor, fd: number): number {
    driven.reactor.watch(fd, readable, never).close();
    const [reader, writer] = pipe();
    fds.track(writer);
    dup2(reader, fd);
    close(reader);
    return writer;
  }

  test('a number reused in between: events are those of the new file', async () => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    let calls = 0;
    let writer = -1;
    await insideTurn(driven, () => {
      writer = reusedAfter(driven, fd);
      driven.reactor.watch(fd, readable, () => {
        calls++;
        drain(fd);
      });
    });
    await driven.during(20);
    expect(calls).toBe(0);
    write(writer, 'y');
    await driven.until(() => calls === 1);
  });

  test('the old file lives on as a duplicate: it is not heard, and does not keep the loop busy', async () => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    fds.track(dup(fd));
    let calls = 0;
    let writer = -1;
    await insideTurn(driven, () => {
      writer = reusedAfter(driven, fd);
    });
    await driven.during(20);
    const { turns } = driven.reactor.stats();
    await driven.during(50);
    // Each step of a blocking one is a turn of 5 ms.
    expect(driven.reactor.stats().turns - turns).toBeLessThan(20);
    driven.reactor.watch(fd, readable, () => {
      calls++;
      drain(fd);
    });
    await driven.during(10);
    expect(calls).toBe(0);
    write(writer, 'y');
    await driven.until(() => calls === 1);
  });

  test('closed in between: refused, and the number is free for another', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const [reader, writer] = pipe();
    await insideTurn(driven, () => {
      reactor.watch(reader, readable, never).close();
      close(reader);
      expect(thrownBy(() => reactor.watch(reader, readable, never))).toMatchObject({
        code: 'EBADF',
      });
      expect(dup2(writer, reader)).toBe(reader);
    });
    close(writer);
    fds.track(reader);
    let ended = false;
    reactor.watch(reader, Interest.writable, (_events, watcher) => {
      ended = true;
      watcher.close();
    });
    await driven.until(() => ended);
  });

  test('a batch may have it at once, and give it back', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const [fd] = readyPipes(fds, 1) as [number];
    const keys: number[] = [];
    const batch = reactor.batch((records, count) => {
      for (let i = 0; i < count; i++) keys.push(records[2 * i] as number);
      batch.delete(fd);
    });
    let calls = 0;
    await insideTurn(driven, () => {
      reactor.watch(fd, readable, never).close();
      batch.add(fd, readable, 7);
    });
    await driven.until(() => keys.length === 1);
    reactor.watch(fd, readable, (_events, watcher) => {
      calls++;
      watcher.close();
    });
    await driven.until(() => calls === 1);
    expect(keys).toEqual([7]);
  });

  test('stopped in the turn, and gone on', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const [fd] = readyPipes(fds, 1) as [number];
    let calls = 0;
    await insideTurn(driven, () => {
      reactor.watch(fd, readable, never).close();
      reactor.stop();
    });
    await driven.during(10);
    reactor.watch(fd, readable, (_events, watcher) => {
      calls++;
      watcher.close();
    });
    if (reactor.mode === 'attached') await reactor.run();
    else reactor.runSync();
    expect(calls).toBe(1);
  });
});

test('a poller that is not the reactor’s own forgets at once', () => {
  const poller = new MemoryPoller();
  using reactor = new Reactor({ poller, mode: 'blocking' });
  reactor.watch(3, readable, never).close();
  expect(thrownBy(() => poller.modify(3, readable, 0))).toMatchObject({ code: 'ENOENT' });
});
