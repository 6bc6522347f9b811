// `reactor.batch`: many descriptors, one call a turn with all that are ready, and a change of one that
// was found and not yet delivered makes its record void.
import { type Batch, Events, Interest } from '@pollux/core';
import { close, dup2, pipe, read, socketpair, write } from '@pollux/testkit';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, insideTurn, readyPipes, thrownBy } from './reactor-support.js';

const { readable, writable } = Interest;

/** The records as pairs, void ones included. */
function pairs(records: Uint32Array, count: number): [number, number][] {
  return Array.from({ length: count }, (_, n) => [
    records[2 * n] as number,
    (records[2 * n + 1] as number) & (Events.readable | Events.writable),
  ]);
}

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  test('many ready descriptors come in one call, each with its key', async () => {
    using driven = new DrivenReactor(row);
    const calls: [number, number][][] = [];
    const ready = readyPipes(fds, 200);
    const [silent] = fds.trackAll(pipe());
    let made: Batch | undefined;
    await insideTurn(driven, () => {
      made = driven.reactor.batch((records, count, batch) => {
        expect(batch).toBe(made);
        calls.push(pairs(records, count));
        batch.close();
      });
      for (const [n, fd] of ready.entries()) made.add(fd, readable, 1_000_000 + n);
      made.add(silent, readable, 7);
      expect(made.size).toBe(201);
    });
    await driven.until(() => calls.length > 0);
    expect(calls).toHaveLength(1);
    const sorted = calls[0]?.sort(([a], [b]) => a - b);
    expect(sorted).toEqual(ready.map((_fd, n) => [1_000_000 + n, readable]));
    expect([made?.size, made?.closed]).toEqual([0, true]);
    await driven.during(5);
    expect(calls).toHaveLength(1);
  });

  test('level: what is not read comes again; what is modified comes as it was modified', async () => {
    using driven = new DrivenReactor(row);
    const [near] = fds.trackAll(socketpair());
    const seen: [number, number][] = [];
    using batch = driven.reactor.batch((records, count) => seen.push(...pairs(records, count)));
    batch.add(near, writable, 1);
    await driven.until(() => seen.length >= 3);
    batch.modify(near, writable, 4_294_967_295);
    seen.length = 0;
    await driven.until(() => seen.length >= 3);
    expect(new Set(seen.map(([key]) => key))).toEqual(new Set([4_294_967_295]));
    batch.modify(near, 0, 2);
    seen.length = 0;
    await driven.during(5);
    expect(seen).toEqual([]);
  });

  test('modified or deleted in the callback: the record is void at once', async () => {
    using driven = new DrivenReactor(row);
    const ready = readyPipes(fds, 4);
    const calls: [number, number][][] = [];
    await insideTurn(driven, () => {
      const batch = driven.reactor.batch((records, count) => {
        const before = pairs(records, count);
        const [first, second] = before.map(([key]) => key) as [number, number];
        batch.delete(first);
        batch.modify(second, readable, second);
        calls.push(before, pairs(records, count));
        batch.close();
        calls.push(pairs(records, count));
      });
      for (const fd of ready) batch.add(fd, readable, fd);
    });
    await driven.until(() => calls.length > 0);
    const [before = [], after = [], closed = []] = calls;
    expect(before.map(([, events]) => events)).toEqual([readable, readable, readable, readable]);
    expect(after.map(([, events]) => events)).toEqual([0, 0, readable, readable]);
    expect(closed.map(([, events]) => events)).toEqual([0, 0, 0, 0]);
    expect(after.map(([key]) => key)).toEqual(before.map(([key]) => key));
  });

  test('changed by a watcher before the delivery: void too', async () => {
    using driven = new DrivenReactor(row);
    const [urgent, deleted, modified, left] = readyPipes(fds, 4) as [
      number,
      number,
      number,
      number,
    ];
    const calls: [number, number][][] = [];
    await insideTurn(driven, () => {
      const batch = driven.reactor.batch((records, count) => {
        calls.push(pairs(records, count));
        batch.close();
      });
      driven.reactor.watch(
        urgent,
        readable,
        (_events, watcher) => {
          batch.delete(deleted);
          batch.modify(modified, 0, modified);
          watcher.close();
        },
        { priority: 2 },
      );
      for (const fd of [deleted, modified, left]) batch.add(fd, readable, fd);
    });
    await driven.until(() => calls.length > 0);
    await driven.during(3);
    expect(new Map(calls[0])).toEqual(
      new Map([
        [deleted, 0],
        [modified, 0],
        [left, readable],
      ]),
    );
  });

  test('closed by a watcher before the delivery: no call', async () => {
    using driven = new DrivenReactor(row);
    const [urgent, ...others] = readyPipes(fds, 4) as [number, number, number, number];
    let calls = 0;
    let watched = 0;
    await insideTurn(driven, () => {
      const batch = driven.reactor.batch(() => calls++);
      for (const fd of others) batch.add(fd, readable, fd);
      driven.reactor.watch(
        urgent,
        readable,
        (_events, watcher) => {
          watched++;
          batch.close();
          watcher.close();
        },
        { priority: 1 },
      );
    });
    await driven.until(() => watched === 1);
    await driven.during(5);
    expect([calls, driven.reactor.alive]).toEqual([0, false]);
  });

  test('priority and budget hold for it, as one callback', async () => {
    using driven = new DrivenReactor(row, { budget: { callbacks: 1 } });
    const ready = readyPipes(fds, 6);
    const order: string[] = [];
    await insideTurn(driven, () => {
      for (const [priority, pair] of [
        [-1, ready.slice(0, 2)],
        [1, ready.slice(2, 4)],
        [0, ready.slice(4)],
      ] as const) {
        const batch = driven.reactor.batch(
          (_records, count, self) => {
            order.push(`${priority}: ${count}`);
            self.close();
          },
          { priority },
        );
        expect(batch.priority).toBe(priority);
        for (const fd of pair) batch.add(fd, readable, fd);
      }
    });
    await driven.until(() => order.length === 3);
    expect(order).toEqual(['1: 2', '0: 2', '-1: 2']);
  });

  test('a record left over by the budget is void once its descriptor is deleted', async () => {
    using driven = new DrivenReactor(row, { budget: { callbacks: 1 } });
    const [first, kept, gone] = readyPipes(fds, 3) as [number, number, number];
    const calls: [number, number][][] = [];
    await insideTurn(driven, () => {
      const batch = driven.reactor.batch(
        (records, count) => {
          calls.push(pairs(records, count));
          batch.close();
        },
        { priority: -2 },
      );
      driven.reactor.watch(first, readable, (_events, watcher) => {
        watcher.close();
        // After this turn's watchers; the batch is still to come.
        driven.reactor.defer(() => batch.delete(gone));
      });
      for (const fd of [kept, gone]) batch.add(fd, readable, fd);
    });
    await driven.until(() => calls.length > 0);
    const events = new Map(calls[0]);
    expect(events.get(kept)).toBe(readable);
    expect(events.get(gone) ?? 0).toBe(0);
  });

  test('drive: what was queued runs first, and what a step throws costs nobody else', async () => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    const order: string[] = [];
    const caught: string[] = [];
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const onError = (error: Error): void => {
      caught.push(error.message);
    };
    process.on('uncaughtException', onError);
    try {
      const batch = driven.reactor.batch(() => {
        const names = ['a', 'b', 'c'];
        batch.drive(() => {
          const name = names.shift();
          if (name === undefined) return false;
          order.push(name);
          process.nextTick(() => order.push(`nextTick of ${name}`));
          Promise.resolve().then(() => order.push(`promise of ${name}`));
          if (name === 'b') throw new Error('by b');
          return true;
        });
        batch.close();
      });
      batch.add(fd, readable, 0);
      await driven.until(() => order.length === 9 && caught.length === 1);
    } finally {
      process.off('uncaughtException', onError);
      for (const listener of listeners) process.on('uncaughtException', listener);
    }
    expect(caught).toEqual(['by b']);
    expect(order).toEqual(
      ['a', 'b', 'c'].flatMap((name) => [name, `nextTick of ${name}`, `promise of ${name}`]),
    );
    using other = driven.reactor.batch(() => {});
    expect(() => other.drive(undefined as unknown as () => boolean)).toThrow(TypeError);
  });

  test('drive: after a stop, or a close, of the reactor it calls nobody', async () => {
    for (const end of ['stop', 'close'] as const) {
      using driven = new DrivenReactor(row);
      const [fd] = readyPipes(fds, 1) as [number];
      const called: string[] = [];
      let over = false;
      const batch = driven.reactor.batch(() => {
        batch.drive(() => {
          called.push('first');
          driven.reactor[end]();
          return true;
        });
        batch.drive(() => {
          called.push('second');
          return false;
        });
        over = true;
      });
      batch.add(fd, readable, 0);
      await driven.until(() => over);
      expect(called).toEqual(['first']);
    }
  });

  test('drive: what a nextTick throws is reported, and the step goes on', async () => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    const caught: string[] = [];
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const onError = (error: Error): void => {
      caught.push(error.message);
    };
    process.on('uncaughtException', onError);
    let steps = 0;
    try {
      const batch = driven.reactor.batch(() => {
        batch.drive(() => {
          steps++;
          process.nextTick(() => {
            throw new Error(`tick ${steps}`);
          });
          process.nextTick(() => caught.push(`after ${steps}`));
          return steps < 3;
        });
        batch.close();
      });
      batch.add(fd, readable, 0);
      await driven.until(() => steps === 3 && caught.length === 6);
    } finally {
      process.off('uncaughtException', onError);
      for (const listener of listeners) process.on('uncaughtException', listener);
    }
    expect(caught).toEqual(['tick 1', 'after 1', 'tick 2', 'after 2', 'tick 3', 'after 3']);
  });

  test('onClose: once, whoever closes it', async () => {
    for (const end of ['close', 'signal', 'reactor'] as const) {
      using driven = new DrivenReactor(row);
      const aborter = new AbortController();
      let closes = 0;
      const batch = driven.reactor.batch(() => {}, {
        signal: aborter.signal,
        onClose: () => closes++,
      });
      if (end === 'close') batch.close();
      if (end === 'signal') aborter.abort();
      if (end === 'reactor') driven.reactor.close();
      batch.close();
      expect(closes).toBe(1);
    }
  });

  test('a descriptor belongs to watchers or to one batch: EEXIST', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const [mine] = fds.trackAll(pipe());
    const [watched] = fds.trackAll(pipe());
    using batch = reactor.batch(() => {});
    using other = reactor.batch(() => {});
    batch.add(mine, readable, 1);
    using watcher = reactor.watch(watched, readable, () => {});
    const codes = [
      () => reactor.watch(mine, readable, () => {}),
      () => reactor.watch(mine, readable),
      () => batch.add(mine, readable, 2),
      () => other.add(mine, readable, 2),
      () => batch.add(watched, readable, 2),
    ].map((action) => thrownBy(action).code);
    expect(codes).toEqual(Array(5).fill('EEXIST'));
    const absent = [
      () => other.modify(mine, readable, 2),
      () => other.delete(mine),
      () => batch.delete(watched),
      () => batch.modify(watched, readable, 2),
    ].map((action) => thrownBy(action).code);
    expect(absent).toEqual(Array(4).fill('ENOENT'));
    expect([batch.size, other.size, watcher.closed]).toEqual([1, 0, false]);
    // Free again, it may go to the other.
    batch.delete(mine);
    other.add(mine, readable, 1);
    watcher.close();
    batch.add(watched, readable, 2);
  });

  test('a number that was closed and reused goes to whoever asks next', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const reuse = (fd: number): void => {
      const [reader, writer] = fds.trackAll(pipe());
      write(writer, 'x');
      close(fd);
      dup2(reader, fd);
      fds.track(fd);
    };
    const [number] = fds.trackAll(pipe());
    const called: string[] = [];
    using first = reactor.batch(() => called.push('first batch'));
    using second = reactor.batch(() => called.push('second batch'));
    first.add(number, readable, 1);
    reuse(number);
    second.add(number, readable, 1);
    expect([first.size, first.active, second.size]).toEqual([0, false, 1]);
    reuse(number);
    const watcher = reactor.watch(number, readable, () => called.push('watcher'));
    expect([second.size, second.active]).toEqual([0, false]);
    await driven.until(() => called.length > 0);
    expect(new Set(called)).toEqual(new Set(['watcher']));
    reuse(number);
    first.add(number, readable, 1);
    expect([watcher.closed, first.size]).toEqual([true, 1]);
    called.length = 0;
    await driven.until(() => called.length > 0);
    expect(new Set(called)).toEqual(new Set(['first batch']));
  });

  test('it keeps the reactor alive while it has descriptors and is ref’d', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const [one, two] = fds.trackAll(pipe());
    const batch = reactor.batch(() => {});
    expect([batch.size, reactor.alive]).toEqual([0, false]);
    batch.add(one, readable, 1);
    batch.add(two, 0, 2);
    expect([batch.size, reactor.alive]).toEqual([2, true]);
    batch.delete(one);
    expect([batch.size, reactor.alive]).toEqual([1, true]);
    batch.unref();
    expect(reactor.alive).toBe(false);
    batch.ref();
    batch.delete(two);
    expect([batch.size, reactor.alive]).toEqual([0, false]);
    batch.add(one, readable, 1);
    batch.close();
    batch.close();
    expect([batch.size, batch.closed, reactor.alive]).toEqual([0, true, false]);
    const code = 'ERR_POLLUX_CLOSED';
    expect(thrownBy(() => batch.add(one, readable, 1)).code).toBe(code);
    expect(thrownBy(() => batch.modify(one, readable, 1)).code).toBe(code);
    expect(thrownBy(() => batch.delete(one)).code).toBe(code);
    // The descriptor is free.
    reactor.watch(one, readable, () => {}).close();
  });

  test('refused arguments leave no trace', async () => {
    using driven = new DrivenReactor(row);
    const [fd] = fds.trackAll(pipe());
    using batch = driven.reactor.batch(() => {});
    for (const [action, code] of [
      [() => batch.add(-1, readable, 1), 'ERR_OUT_OF_RANGE'],
      [() => batch.add(fd, 64, 1), 'ERR_OUT_OF_RANGE'],
      [() => batch.add(fd, readable, -1), 'ERR_OUT_OF_RANGE'],
      [() => batch.add(fd, readable, 2 ** 32), 'ERR_OUT_OF_RANGE'],
      [() => batch.add('1' as unknown as number, readable, 1), 'ERR_INVALID_ARG_TYPE'],
      [() => batch.add(999, readable, 1), 'EBADF'],
      [() => batch.modify(fd, readable, 1), 'ENOENT'],
      [() => driven.reactor.batch(undefined as unknown as () => void), 'ERR_INVALID_ARG_TYPE'],
      [() => driven.reactor.batch(() => {}, { priority: 3 }), 'ERR_OUT_OF_RANGE'],
    ] as const) {
      expect(thrownBy(action).code).toBe(code);
    }
    expect([batch.size, driven.reactor.alive]).toEqual([0, false]);
    batch.add(fd, readable, 1);
  });

  test('10,000 bytes through 100 pipes, read in batches: all of them', async () => {
    using driven = new DrivenReactor(row, { budget: { callbacks: 1 } });
    let got = 0;
    let calls = 0;
    using batch = driven.reactor.batch((records, count) => {
      calls++;
      for (let n = 0; n < count; n++) {
        if (records[2 * n + 1]) got += read(records[2 * n] as number, 50)?.length ?? 0;
      }
    });
    const writers = Array.from({ length: 100 }, () => {
      const [reader, writer] = fds.trackAll(pipe());
      batch.add(reader, readable, reader);
      return writer;
    });
    for (const writer of writers) write(writer, 'x'.repeat(100));
    await driven.until(() => got === 10_000);
    expect(calls).toBeLessThanOrEqual(200);
  });
});
