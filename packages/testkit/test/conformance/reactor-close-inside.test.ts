// The reactor closed in a hook, a batch, a timeout, a stream's body, an abort listener, a signal or a
// child's end: that callback is the last one, and nothing is left. The other places are in
// reactor-close.test.ts. And `using` for everything that has an end.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Interest, type Reactor } from '@pollux/core';
import { pipe } from '@pollux/testkit';
import { attachedCases, cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, insideTurn, readyPipes } from './reactor-support.js';

const { readable } = Interest;
const ignore = (): void => {};

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  const places: Record<string, (reactor: Reactor, close: () => void) => void> = {
    'a prepare hook': (reactor, close) => reactor.prepare(close),
    'a check hook': (reactor, close) => reactor.check(close),
    'an idle hook': (reactor, close) => reactor.idle(close),
    'a batch': (reactor, close) => {
      const batch = reactor.batch(close, { priority: 2 });
      for (const fd of readyPipes(fds, 3)) batch.add(fd, readable, fd);
    },
    'a batch, in a step of it': (reactor, close) => {
      const step = (): boolean => {
        close();
        return true;
      };
      const batch = reactor.batch(() => batch.drive(step), { priority: 2 });
      for (const fd of readyPipes(fds, 3)) batch.add(fd, readable, fd);
    },
    'a timeout': (reactor, close) => {
      for (const [fd] of [pipe(), pipe()].map((ends) => fds.trackAll(ends))) {
        reactor.watch(fd, readable, close, { timeoutMs: 2 });
      }
    },
    'a stream’s body': (reactor, close) => {
      const [fd] = readyPipes(fds, 1) as [number];
      void (async () => {
        for await (const _ of reactor.watch(fd, readable, { priority: 2 })) close();
      })();
    },
    'an abort listener': (reactor, close) => {
      const controller = new AbortController();
      const { signal } = controller;
      for (const fd of readyPipes(fds, 3)) {
        reactor.watch(fd, readable, () => controller.abort(), { signal, priority: 2 });
      }
      signal.addEventListener('abort', close);
    },
  };

  test.each(Object.entries(places))('in %s', async (_name, prepare) => {
    const driven = new DrivenReactor(row);
    const { reactor } = driven;
    let closed = 0;
    let after = 0;
    const later = (): void => {
      if (reactor.closed) after++;
    };
    await insideTurn(driven, () => {
      for (const fd of readyPipes(fds, 2)) {
        // Once, so that an idle hook has its turn.
        reactor.watch(fd, readable, later, { priority: -2, mode: 'oneshot' });
      }
      reactor.timer(1, later, { repeat: true });
      reactor.defer(later);
      prepare(reactor, () => {
        closed++;
        reactor.close();
      });
    });
    await driven.until(() => reactor.closed);
    await driven.during(10);
    expect([closed, after]).toEqual([1, 0]);
    expect(reactor.alive).toBe(false);
  });

  test('using: everything is closed where its block ends', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const [fd, other] = readyPipes(fds, 2) as [number, number];
    let made: readonly { readonly closed: boolean }[];
    {
      using watcher = reactor.watch(fd, readable, ignore);
      using timer = reactor.timer(60_000, ignore);
      using at = reactor.at(Date.now() + 60_000, ignore);
      using hook = reactor.idle(ignore);
      using batch = reactor.batch(ignore);
      batch.add(other, readable, 1);
      using stream = reactor.watch(fd, readable);
      await using awaited = reactor.watch(fd, readable);
      void stream.next();
      made = [watcher, timer, at, hook, batch, stream, awaited];
      expect(reactor.alive).toBe(true);
    }
    expect(made.map(({ closed }) => closed)).toEqual(Array(7).fill(true));
    expect(reactor.alive).toBe(false);
    expect(reactor.stats()).toMatchObject({ watchers: 0, timers: 0 });
    // Thrown out of the block: likewise.
    let thrown: { readonly closed: boolean } | undefined;
    expect(() => {
      using watcher = reactor.watch(fd, readable, ignore);
      thrown = watcher;
      throw new Error('out');
    }).toThrow('out');
    expect(thrown?.closed).toBe(true);
  });
});

describe.each(attachedCases)('$backend, $way', (row) => {
  countedFds();

  // On Windows process.kill sends nothing: it ends the process.
  test.skipIf(process.platform === 'win32')('in a signal’s callback', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const before = process.listenerCount('SIGUSR2');
    let calls = 0;
    for (let n = 0; n < 2; n++) {
      reactor.signal('SIGUSR2', () => {
        calls++;
        reactor.close();
      });
    }
    process.kill(process.pid, 'SIGUSR2');
    await driven.until(() => reactor.closed);
    await driven.during(10);
    expect(calls).toBe(1);
    expect(process.listenerCount('SIGUSR2')).toBe(before);
  });

  test('in the callback of a child’s end', async (context) => {
    context.skip(process.platform !== 'linux', 'pidfd is Linux only');
    const child = spawn(process.execPath, ['--eval', ''], { stdio: 'ignore' });
    const exited = once(child, 'exit');
    try {
      using driven = new DrivenReactor(row);
      const { reactor } = driven;
      let calls = 0;
      for (let n = 0; n < 2; n++) {
        reactor.child(child.pid as number, () => {
          calls++;
          reactor.close();
        });
      }
      await driven.until(() => reactor.closed, 15_000);
      await driven.during(5);
      expect(calls).toBe(1);
    } finally {
      await exited;
    }
  });
});
