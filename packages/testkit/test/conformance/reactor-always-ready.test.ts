// Files that never block and that epoll refuses (EPERM: regular files, /dev/null) are served as ready
// in each turn if their watchers ask for it. On select they are watched as any other; what a user sees
// is the same.
import { Events, Interest, type Watcher } from '@pollux/core';
import { close, devNull, dup2, openFds, openFile, pipe, read, write } from '@pollux/testkit';
import { attachedCases, cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import {
  countedFds,
  insideTurn,
  readyPipes,
  thrownBy,
  turnsIn,
  within,
} from './reactor-support.js';

const { readable, writable, priority } = Interest;
const alwaysReady = true;
const ignore = (): void => {};
const files = { 'a regular file': () => openFile('/proc/self/exe'), '/dev/null': devNull };

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  describe.each(Object.entries(files))('%s', (_name, open) => {
    test('is ready again and again, for what each watcher wants', async () => {
      using driven = new DrivenReactor(row);
      const fd = fds.track(open());
      const heard = [new Set<number>(), new Set<number>(), new Set<number>()];
      const calls = [0, 0, 0];
      const wanted = [readable, writable, readable | writable];
      const watchers = wanted.map((interest, n) =>
        driven.reactor.watch(
          fd,
          interest,
          (events) => {
            heard[n]?.add(events);
            calls[n]!++;
          },
          { alwaysReady },
        ),
      );
      await driven.until(() => calls.every((count) => count > 10));
      expect(heard).toEqual(wanted.map((interest) => new Set([interest])));
      for (const watcher of watchers) {
        expect(watcher.alwaysReady).toBe(true);
        watcher.close();
      }
      expect(driven.reactor.alive).toBe(false);
      calls.fill(0);
      await driven.during(10);
      expect(calls).toEqual([0, 0, 0]);
    });

    test('is refused without the option, as ever, and nothing has changed', async (context) => {
      using driven = new DrivenReactor(row);
      context.skip(driven.reactor.poller.capabilities.anyFd, 'select watches any file');
      const fd = fds.track(open());
      const refused = (): void => {
        const error = thrownBy(() => driven.reactor.watch(fd, readable, ignore));
        expect(error).toMatchObject({ code: 'EPERM', fd });
      };
      refused();
      expect(driven.reactor.alive).toBe(false);
      let calls = 0;
      const watcher = driven.reactor.watch(fd, readable, () => calls++, { alwaysReady });
      await driven.until(() => calls > 2);
      // One more, that did not ask for it, is refused; the first goes on.
      const before = openFds();
      refused();
      expect(openFds()).toEqual(before);
      expect(driven.reactor.stats().watchers).toBe(1);
      expect(watcher.active).toBe(true);
      calls = 0;
      await driven.until(() => calls > 2);
      watcher.close();
      refused();
    });
  });

  test('a paused one neither calls nor spins; resumed from outside it goes on', async () => {
    using driven = new DrivenReactor(row);
    const fd = fds.track(openFile('/proc/self/exe'));
    let calls = 0;
    const watcher = driven.reactor.watch(fd, readable, () => calls++, { alwaysReady });
    for (const [silence, sound] of [
      [() => watcher.pause(), () => watcher.resume()],
      [() => watcher.update(0), () => watcher.update(readable)],
    ] as const) {
      calls = 0;
      await driven.until(() => calls > 2);
      silence();
      calls = 0;
      await driven.during(5);
      expect(await turnsIn(driven, 30)).toBeLessThan(5);
      expect(calls).toBe(0);
      sound();
    }
    await driven.until(() => calls > 2);
  });

  test('one that waits for urgent data alone does not spin', async () => {
    using driven = new DrivenReactor(row);
    const fd = fds.track(openFile('/proc/self/exe'));
    let calls = 0;
    driven.reactor.watch(fd, priority, () => calls++, { alwaysReady });
    await driven.during(5);
    expect(await turnsIn(driven, 30)).toBeLessThan(5);
    expect(calls).toBe(0);
  });

  test('oneshot: once for each resume, and no turns in between', async () => {
    using driven = new DrivenReactor(row);
    const fd = fds.track(openFile('/proc/self/exe'));
    let calls = 0;
    let inside = 0;
    const options = { alwaysReady, mode: 'oneshot' } as const;
    const watcher = driven.reactor.watch(fd, readable, () => calls++, options);
    driven.reactor.watch(fd, readable, (_events, self) => ++inside < 10 && self.resume(), options);
    await driven.until(() => calls === 1 && inside === 10);
    for (let round = 2; round < 5; round++) {
      await driven.during(5);
      expect(await turnsIn(driven, 20)).toBeLessThan(5);
      expect([calls, inside]).toEqual([round - 1, 10]);
      watcher.resume();
      await driven.until(() => calls === round);
    }
  });

  test('made, or begun later, with interest 0', async () => {
    using driven = new DrivenReactor(row);
    const fd = fds.track(openFile('/proc/self/exe'));
    let calls = 0;
    const watcher = driven.reactor.watch(fd, 0, () => calls++, { alwaysReady });
    await driven.during(5);
    expect(calls).toBe(0);
    watcher.update(readable);
    await driven.until(() => calls > 2);
  });

  test('a budget of one callback: it starves nobody, and is not starved', async () => {
    using driven = new DrivenReactor(row, { budget: { callbacks: 1 } });
    const calls = new Map<string, number>();
    const count = (name: string) => (): void => {
      calls.set(name, (calls.get(name) ?? 0) + 1);
    };
    const file = fds.track(openFile('/proc/self/exe'));
    const [fd] = readyPipes(fds, 1) as [number];
    driven.reactor.watch(file, readable, count('file'), { alwaysReady });
    driven.reactor.watch(file, readable, count('file too'), { alwaysReady });
    driven.reactor.watch(fd, readable, count('pipe'));
    driven.reactor.timer(1, count('timer'), { repeat: true });
    await driven.until(() => calls.size === 4 && [...calls.values()].every((n) => n > 5));
  });

  test('closed or paused by another in the same batch: not called', async () => {
    using driven = new DrivenReactor(row);
    const file = fds.track(openFile('/proc/self/exe'));
    const called: string[] = [];
    await insideTurn(driven, () => {
      const victims: Watcher[] = [];
      const call = (name: string): Watcher =>
        driven.reactor.watch(file, readable, () => called.push(name), { alwaysReady });
      driven.reactor.watch(
        file,
        readable,
        (_events, self) => {
          called.push('first');
          victims[0]?.close();
          victims[1]?.pause();
          victims[2]?.update(0);
          self.close();
        },
        { alwaysReady },
      );
      victims.push(call('closed'), call('paused'), call('updated'));
    });
    await driven.until(() => called.length > 0);
    await driven.during(10);
    expect(called).toEqual(['first']);
  });

  test('its number closed and reused by what can be watched', async () => {
    using driven = new DrivenReactor(row);
    const [reader, writer] = fds.trackAll(pipe());
    const fd = fds.track(openFile('/proc/self/exe'));
    let old = 0;
    const watcher = driven.reactor.watch(fd, readable, () => old++, { alwaysReady });
    await driven.until(() => old > 2);
    dup2(reader, fd);
    let calls = 0;
    driven.reactor.watch(fd, readable, () => {
      calls++;
      read(fd);
    });
    // The old file's watcher went with it where the primitive can tell the files apart.
    if (!driven.reactor.poller.capabilities.anyFd) expect(watcher.closed).toBe(true);
    watcher.close();
    old = 0;
    write(writer, 'x');
    await driven.until(() => calls > 0);
    await driven.during(10);
    expect([calls, old]).toEqual([1, 0]);
  });

  test('a pipe’s number closed and reused by a file', async () => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    let old = 0;
    const watcher = driven.reactor.watch(fd, readable, () => old++);
    await driven.until(() => old > 2);
    const file = openFile('/proc/self/exe');
    dup2(file, fd);
    close(file);
    let calls = 0;
    driven.reactor.watch(fd, readable, () => calls++, { alwaysReady });
    if (!driven.reactor.poller.capabilities.anyFd) expect(watcher.closed).toBe(true);
    watcher.close();
    await driven.until(() => calls > 2);
  });

  test('does nothing to what the primitive can watch', async () => {
    using driven = new DrivenReactor(row);
    const [reader, writer] = fds.trackAll(pipe());
    let calls = 0;
    driven.reactor.watch(reader, readable, () => calls++, { alwaysReady });
    await driven.during(5);
    expect(await turnsIn(driven, 20)).toBeLessThan(5);
    expect(calls).toBe(0);
    write(writer, 'x');
    await driven.until(() => calls > 2);
  });

  test('a writable end of /dev/null takes what is written, and the file is read to its end', async () => {
    using driven = new DrivenReactor(row);
    const [source, sink] = [fds.track(openFile('/proc/self/status')), fds.track(devNull())];
    let text = '';
    let ended = false;
    driven.reactor.watch(
      source,
      readable,
      (events, watcher) => {
        expect(events).toBe(Events.readable);
        const bytes = read(source, 100) as Buffer;
        text += bytes;
        ended = bytes.length === 0;
        if (ended) watcher.close();
      },
      { alwaysReady },
    );
    let written = 0;
    driven.reactor.watch(
      sink,
      writable,
      (_events, watcher) => {
        written += write(sink, 'x'.repeat(100));
        if (written >= 1000) watcher.close();
      },
      { alwaysReady },
    );
    await driven.until(() => ended && written >= 1000);
    expect(text).toContain('Name:');
    expect(driven.reactor.alive).toBe(false);
  });
});

describe.each(attachedCases)('$backend, $way: while Node’s loop sleeps', (row) => {
  const fds = countedFds();

  test.each(['ref', 'unref'] as const)('a watcher made there, %s', async (how) => {
    using driven = new DrivenReactor(row);
    const fd = fds.track(openFile('/proc/self/exe'));
    // The driver is at rest, waiting for nothing.
    driven.reactor.timer(0, ignore);
    await turnsIn(driven, 20);
    let calls = 0;
    const enough = new Promise<string>((resolve) => {
      const callback = (): void => {
        if (++calls === 50) resolve('enough');
      };
      driven.reactor.watch(fd, readable, callback, { alwaysReady })[how]();
    });
    expect(await within(enough, 'late')).toBe('enough');
  });

  test.each(['ref', 'unref'] as const)('an idle hook made there, %s', async (how) => {
    using driven = new DrivenReactor(row);
    driven.reactor.timer(0, ignore);
    await turnsIn(driven, 20);
    let calls = 0;
    const enough = new Promise<string>((resolve) => {
      const callback = (): void => {
        if (++calls === 50) resolve('enough');
      };
      driven.reactor.idle(callback)[how]();
    });
    expect(await within(enough, 'late')).toBe('enough');
  });
});
