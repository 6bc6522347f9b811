// `for await (const events of reactor.watch(fd, interest))`: the next event is looked for when the
// body has done with the one before, and the loop ends as a loop should: by break, by throw, by close,
// by abort, by what the system says.
import { type EventStream, Events, Interest, type StreamOptions } from '@pollux/core';
import { close, devNull, dup2, openFile, pipe, read, socketpair, write } from '@pollux/testkit';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, insideTurn, readyPipes, thrownBy, turnsIn } from './reactor-support.js';

const { readable, writable } = Interest;
const done = { done: true, value: undefined };
const ignore = (): void => {};

/** A promise that a test looks at while it drives the reactor. */
function watched<T>(promise: Promise<T>) {
  const state: { settled: boolean; value?: T; error?: unknown } = { settled: false };
  promise.then(
    (value) => Object.assign(state, { settled: true, value }),
    (error: unknown) => Object.assign(state, { settled: true, error }),
  );
  return state;
}

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  /** Drives the reactor until the promise is settled. */
  async function outcome<T>(driven: DrivenReactor, promise: Promise<T>) {
    const state = watched(promise);
    await driven.until(() => state.settled);
    return state;
  }

  test('data, a piece for each step, until the end of the file', async () => {
    using driven = new DrivenReactor(row);
    const [reader, writer] = pipe();
    fds.trackAll([reader, writer]);
    const pieces: string[] = [];
    const reading = (async () => {
      for await (const events of driven.reactor.watch(reader, readable)) {
        expect(events & readable).toBe(readable);
        const bytes = read(reader) as Buffer;
        if (bytes.length === 0) break;
        pieces.push(String(bytes));
      }
      return 'end';
    })();
    for (const [n, piece] of ['a', 'b', 'c'].entries()) {
      write(writer, piece);
      await driven.until(() => pieces.length === n + 1);
    }
    close(writer);
    expect(await outcome(driven, reading)).toMatchObject({ value: 'end' });
    expect(pieces).toEqual(['a', 'b', 'c']);
    expect(driven.reactor.alive).toBe(false);
    expect(driven.reactor.stats().watchers).toBe(0);
  });

  test('nothing is looked for while the body is at work', async () => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    const stream = driven.reactor.watch(fd, readable);
    await driven.during(5);
    expect(await turnsIn(driven, 20)).toBeLessThan(5);
    expect(driven.reactor.alive).toBe(false);
    for (let round = 0; round < 3; round++) {
      const next = stream.next();
      expect(driven.reactor.alive).toBe(true);
      expect((await outcome(driven, next)).value).toEqual({ done: false, value: readable });
      expect(driven.reactor.alive).toBe(false);
      await driven.during(5);
      expect(await turnsIn(driven, 20)).toBeLessThan(5);
    }
  });

  test.each(['break', 'return', 'throw'] as const)('%s closes it', async (how) => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    const stream = driven.reactor.watch(fd, readable);
    const loop = async (): Promise<string> => {
      for await (const _ of stream) {
        if (how === 'break') break;
        if (how === 'return') return 'returned';
        throw new Error('body');
      }
      return 'over';
    };
    const { value, error } = await outcome(driven, loop());
    expect([value, (error as Error)?.message]).toEqual(
      { break: ['over', undefined], return: ['returned', undefined], throw: [undefined, 'body'] }[
        how
      ],
    );
    expect(stream.closed).toBe(true);
    expect(driven.reactor.stats().watchers).toBe(0);
    expect(await stream.next()).toEqual(done);
    // The descriptor is the caller's.
    expect(String(read(fd))).toBe('x');
  });

  test('several next() at once are served in order, an event each', async () => {
    using driven = new DrivenReactor(row);
    const [reader, writer] = fds.trackAll(pipe());
    const stream = driven.reactor.watch(reader, readable);
    const order: number[] = [];
    const all = Promise.all(
      [0, 1, 2].map(async (n) => {
        const result = await stream.next();
        order.push(n);
        return result;
      }),
    );
    await driven.during(5);
    expect(order).toEqual([]);
    write(writer, 'x');
    const { value } = await outcome(driven, all);
    expect(value).toEqual(Array(3).fill({ done: false, value: readable }));
    expect(order).toEqual([0, 1, 2]);
    expect(driven.reactor.alive).toBe(false);
    stream.close();
  });

  const endings: Record<string, (stream: EventStream, driven: DrivenReactor) => unknown> = {
    'close()': (stream) => stream.close(),
    'return()': (stream) => stream.return(),
    'Symbol.dispose': (stream) => stream[Symbol.dispose](),
    'Symbol.asyncDispose': (stream) => stream[Symbol.asyncDispose](),
    'the reactor’s close()': (_stream, driven) => driven.close(),
  };
  test.each(Object.entries(endings))('%s ends who waits', async (_name, end) => {
    using driven = new DrivenReactor(row);
    const [reader] = fds.trackAll(pipe());
    const stream = driven.reactor.watch(reader, readable);
    const waiting = [stream.next(), stream.next()];
    await driven.during(5);
    end(stream, driven);
    expect(stream.closed).toBe(true);
    expect(await Promise.all(waiting)).toEqual([done, done]);
    expect(await stream.next()).toEqual(done);
    expect(await stream.return()).toEqual(done);
    stream.close();
    expect(stream.ref().unref()).toBe(stream);
    expect(driven.reactor.alive).toBe(false);
  });

  test.each(['close', 'reactor'] as const)('%s in a callback of the same batch', async (what) => {
    using driven = new DrivenReactor(row);
    const [first, second] = readyPipes(fds, 2) as [number, number];
    let waiting: Promise<unknown> = Promise.resolve();
    await insideTurn(driven, () => {
      const stream = driven.reactor.watch(second, readable, { priority: -1 });
      waiting = stream.next();
      driven.reactor.watch(first, readable, (_events, self) => {
        self.close();
        if (what === 'close') stream.close();
        else driven.close();
      });
    });
    expect((await outcome(driven, waiting)).value).toEqual(done);
  });

  test('a closed descriptor: next() rejects, and the process is not kept', async () => {
    using driven = new DrivenReactor(row);
    const [reader, writer] = pipe();
    fds.track(writer);
    const stream = driven.reactor.watch(reader, readable);
    close(reader);
    for (let round = 0; round < 2; round++) {
      await expect(stream.next()).rejects.toMatchObject({ code: 'EBADF', fd: reader });
      expect(driven.reactor.alive).toBe(false);
    }
    stream.close();
    expect(await stream.next()).toEqual(done);
  });

  test('closed after it was found: whoever waits next is told, not uncaughtException', async () => {
    using driven = new DrivenReactor(row);
    const [first] = readyPipes(fds, 1) as [number];
    const [reader, writer] = pipe();
    fds.track(writer);
    write(writer, 'x');
    let waiting: PromiseSettledResult<unknown>[] | undefined;
    await insideTurn(driven, () => {
      const stream = driven.reactor.watch(reader, readable, { priority: -1 });
      void Promise.allSettled([stream.next(), stream.next(), stream.next()]).then((results) => {
        waiting = results;
      });
      driven.reactor.watch(first, readable, (_events, self) => {
        self.close();
        close(reader);
      });
    });
    await driven.until(() => waiting !== undefined);
    expect(waiting).toMatchObject([
      { value: { done: false, value: readable } },
      { reason: { code: 'EBADF', fd: reader } },
      { reason: { code: 'EBADF', fd: reader } },
    ]);
    expect(driven.reactor.alive).toBe(false);
  });

  test('a number that was closed and reused: who waits is told that it is over', async () => {
    using driven = new DrivenReactor(row);
    const [reader, writer] = pipe();
    fds.track(writer);
    const stream = driven.reactor.watch(reader, readable);
    const waiting = stream.next();
    await driven.during(5);
    close(reader);
    fds.track(dup2(fds.track(devNull()), reader));
    driven.reactor.watch(reader, readable, ignore, { alwaysReady: true }).close();
    if (!driven.reactor.poller.capabilities.anyFd) expect(stream.closed).toBe(true);
    stream.close();
    expect(await waiting).toEqual(done);
  });

  test('ref and unref', async () => {
    using driven = new DrivenReactor(row);
    const [reader] = fds.trackAll(pipe());
    const stream = driven.reactor.watch(reader, readable).unref();
    const waiting = stream.next();
    expect(driven.reactor.alive).toBe(false);
    expect(stream.ref()).toBe(stream);
    expect(driven.reactor.alive).toBe(true);
    stream.unref();
    expect(driven.reactor.alive).toBe(false);
    stream.close();
    expect(await waiting).toEqual(done);
  });

  test('timeoutMs: silence is an event of its own', async () => {
    using driven = new DrivenReactor(row);
    const [reader, writer] = fds.trackAll(pipe());
    const stream = driven.reactor.watch(reader, readable, { timeoutMs: 5 });
    const heard: number[] = [];
    const began = performance.now();
    const loop = (async () => {
      for await (const events of stream) {
        heard.push(events);
        if (events !== Events.timeout) break;
        if (heard.length === 2) write(writer, 'x');
      }
    })();
    await outcome(driven, loop);
    expect(heard.slice(0, 2)).toEqual([Events.timeout, Events.timeout]);
    expect(heard.at(-1)).toBe(readable);
    expect(performance.now() - began).toBeGreaterThanOrEqual(10);
  });

  test('timeoutMs does not run between two steps', async () => {
    using driven = new DrivenReactor(row);
    const [reader, writer] = fds.trackAll(pipe());
    const stream = driven.reactor.watch(reader, readable, { timeoutMs: 500 });
    await driven.during(520);
    expect(driven.reactor.stats().timers).toBe(0);
    write(writer, 'x');
    expect((await outcome(driven, stream.next())).value).toEqual({ done: false, value: readable });
    stream.close();
  });

  test.each([
    ['/proc/self/status', () => openFile('/proc/self/status')],
    ['/dev/null', devNull],
  ] as const)('alwaysReady: %s to its end', async (_name, open) => {
    using driven = new DrivenReactor(row);
    const fd = fds.track(open());
    if (!driven.reactor.poller.capabilities.anyFd) {
      const error = thrownBy(() => driven.reactor.watch(fd, readable));
      expect(error).toMatchObject({ code: 'EPERM', fd });
    }
    let steps = 0;
    const loop = (async () => {
      for await (const _ of driven.reactor.watch(fd, readable, { alwaysReady: true })) {
        steps++;
        if ((read(fd, 100) as Buffer).length === 0) break;
      }
    })();
    await outcome(driven, loop);
    expect(steps).toBeGreaterThan(0);
    await driven.during(5);
    expect(await turnsIn(driven, 20)).toBeLessThan(5);
  });

  test('beside watchers of the same descriptor', async () => {
    using driven = new DrivenReactor(row);
    const [first, second] = fds.trackAll(socketpair());
    let writes = 0;
    driven.reactor.watch(first, writable, () => writes++);
    const stream = driven.reactor.watch(first, readable);
    for (let round = 0; round < 3; round++) {
      const waiting = stream.next();
      write(second, 'x');
      expect((await outcome(driven, waiting)).value).toEqual({ done: false, value: readable });
      read(first);
      const before = writes;
      await driven.until(() => writes > before + 2);
    }
    stream.close();
    const before = writes;
    await driven.until(() => writes > before + 2);
  });

  test('refused: nothing to wait for, a mode, a wrong option', () => {
    using driven = new DrivenReactor(row);
    const [reader] = fds.trackAll(pipe());
    const watch = (interest: number, options: unknown) => () =>
      driven.reactor.watch(reader, interest, options as StreamOptions);
    for (const [action, code, name] of [
      [watch(0, {}), 'ERR_OUT_OF_RANGE', 'interest'],
      [watch(readable, { mode: 'edge' }), 'ERR_INVALID_ARG_VALUE', 'options.mode'],
      [watch(readable, { mode: 'level' }), 'ERR_INVALID_ARG_VALUE', 'options.mode'],
      [watch(readable, { exclusive: true }), 'ERR_INVALID_ARG_VALUE', 'options.mode'],
      [watch(readable, { timeoutMs: 0 }), 'ERR_OUT_OF_RANGE', 'options.timeoutMs'],
      [watch(readable, { priority: 3 }), 'ERR_OUT_OF_RANGE', 'options.priority'],
      [watch(readable, { alwaysReady: 1 }), 'ERR_INVALID_ARG_TYPE', 'options.alwaysReady'],
      [watch(readable, { signal: {} }), 'ERR_INVALID_ARG_TYPE', 'options.signal'],
    ] as const) {
      const error = thrownBy(action);
      expect(error).toMatchObject({ code });
      expect(error.message).toContain(`"${name}"`);
    }
    expect(driven.reactor.stats().watchers).toBe(0);
  });
});
