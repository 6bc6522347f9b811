// Ten thousand watchers on one reactor, with numbers far above FD_SETSIZE.
import { Interest, type Watcher } from '@pollux/core';
import { close, dup, FdScope, pipe, raiseNofile, read, write } from '@pollux/testkit';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const { readable } = Interest;
const COUNT = 10_000;

describe.each(cases)('$backend, $way', (row) => {
  const fds = new FdScope();
  let enough = false;
  let readers: number[] = [];
  let writers: number[] = [];

  beforeAll(() => {
    // 10,000 pipes would need 20,000 numbers: of a thousand pipes, ten descriptors of each reader.
    enough = raiseNofile() >= COUNT + 2000;
    if (!enough) return;
    const pipes = Array.from({ length: COUNT / 10 }, () => fds.trackAll(pipe()));
    writers = pipes.map(([, writer]) => writer);
    readers = pipes.flatMap(([reader]) => [
      reader,
      ...Array.from({ length: 9 }, () => fds.track(dup(reader))),
    ]);
  });
  afterAll(() => fds.closeAll());

  test('each is called with what is its own, and all can go', async (context) => {
    context.skip(!enough, 'RLIMIT_NOFILE is too low');
    using driven = new DrivenReactor(row);
    const called = new Set<number>();
    const watchers: Watcher[] = readers.map((fd, n) =>
      driven.reactor.watch(
        fd,
        readable,
        (events, watcher) => {
          if (events === readable && watcher.fd === fd) called.add(n);
        },
        { mode: 'oneshot' },
      ),
    );
    expect(Math.max(...readers)).toBeGreaterThanOrEqual(COUNT);
    await driven.during(10);
    expect(called.size).toBe(0);

    // Few ready among many.
    for (const n of [0, 500, 999]) write(writers[n] as number, 'x');
    await driven.until(() => called.size === 30, 10_000);
    await driven.during(5);
    const expected = [0, 500, 999].flatMap((n) => Array.from({ length: 10 }, (_, m) => n * 10 + m));
    expect([...called].sort((a, b) => a - b)).toEqual(expected);

    // All ready at once: more than any batch holds.
    called.clear();
    for (const writer of writers) write(writer, 'x');
    for (const n of expected) watchers[n]?.resume();
    await driven.until(() => called.size === COUNT, 15_000);

    // A oneshot beside a close: each second one goes, the rest are armed again.
    watchers.forEach((watcher, n) => {
      if (n % 2 === 0) watcher.close();
      else watcher.resume();
    });
    called.clear();
    await driven.until(() => called.size === COUNT / 2, 15_000);
    expect([...called].every((n) => n % 2 === 1)).toBe(true);
    expect(driven.reactor.alive).toBe(false);
    for (const watcher of watchers) watcher.close();
    for (const [n, writer] of writers.entries()) {
      write(writer, 'x');
      while (read(readers[n * 10] as number) !== null);
    }
  });

  test('a hundred thousand watchers made and closed leave nothing behind', async () => {
    using driven = new DrivenReactor(row);
    const [reader, writer] = pipe();
    write(writer, 'x');
    let calls = 0;
    const before = driven.reactor.watch(reader, readable, () => calls++);
    for (let n = 0; n < 100_000; n++) driven.reactor.watch(reader, readable, () => {}).close();
    await driven.until(() => calls > 2);
    before.close();
    expect(driven.reactor.alive).toBe(false);
    close(reader);
    close(writer);
  });
});
