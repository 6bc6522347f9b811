// AsyncLocalStorage and async_hooks: a callback runs in the context in which it was registered, not
// in that of whoever made it ready, resumed it, or took the turn.
import { AsyncLocalStorage, createHook, executionAsyncId } from 'node:async_hooks';
import { Interest } from '@pollux/core';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, insideTurn, macrotask, readyPipes } from './reactor-support.js';

const { readable } = Interest;
const storage = new AsyncLocalStorage<string>();

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  test('watchers, timers and deferred calls of one turn, and what they start', async () => {
    using driven = new DrivenReactor(row);
    const seen: [string, string, string | undefined][] = [];
    let started = 0;
    const callback = (own: string) => (): void => {
      const note = (where: string): void => {
        seen.push([own, where, storage.getStore()]);
      };
      started++;
      note('callback');
      process.nextTick(() => note('nextTick'));
      queueMicrotask(() => note('microtask'));
      void (async () => {
        await undefined;
        note('await');
        await new Promise((resolve) => setImmediate(resolve));
        note('immediate');
      })();
    };
    await insideTurn(driven, () => {
      readyPipes(fds, 2).forEach((fd, n) => {
        storage.run(`watcher ${n}`, () => {
          const call = callback(`watcher ${n}`);
          driven.reactor.watch(fd, readable, (_events, watcher) => {
            watcher.close();
            call();
          });
        });
      });
      for (const name of ['timer 0', 'timer 1']) {
        storage.run(name, () => driven.reactor.timer(0, callback(name)));
      }
      for (const name of ['deferred 0', 'deferred 1']) {
        storage.run(name, () => driven.reactor.defer(callback(name)));
      }
    });
    await driven.until(() => started === 6 && seen.length === 30);
    expect(seen.filter(([own, , store]) => own !== store)).toEqual([]);
  });

  test('registered outside of any: none, whoever takes the turn or resumes', async () => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    const seen: (string | undefined)[] = [];
    const note = (): void => {
      seen.push(storage.getStore());
    };
    const watcher = driven.reactor.watch(fd, readable, note, { mode: 'oneshot' });
    const timer = driven.reactor.timer(1, note, { repeat: true });
    await storage.run('of the turn', async () => {
      await driven.until(() => seen.length >= 2);
      watcher.resume();
      await driven.until(() => seen.length >= 4);
      timer.close();
    });
    expect(new Set(seen)).toEqual(new Set([undefined]));
  });

  test('a watcher and a repeating timer keep theirs over many calls', async () => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    const seen = { watcher: [] as unknown[], timer: [] as unknown[] };
    storage.run('watcher', () => {
      driven.reactor.watch(fd, readable, () => {
        seen.watcher.push(storage.getStore());
        storage.enterWith('changed inside');
      });
    });
    storage.run('timer', () => {
      driven.reactor.timer(0.5, () => seen.timer.push(storage.getStore()), { repeat: true });
    });
    await driven.until(() => seen.watcher.length > 5 && seen.timer.length > 5);
    // enterWith changes the resource it is called in, as with any of Node's handles.
    expect(seen.watcher[0]).toBe('watcher');
    expect(new Set(seen.timer)).toEqual(new Set(['timer']));
  });

  test('the caller of turn() finds its own context again', async () => {
    if (row.way !== 'blocking') return;
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    storage.run('registration', () => driven.reactor.watch(fd, readable, () => {}));
    await macrotask(() => {
      const outside = executionAsyncId();
      storage.run('turn', () => {
        expect(driven.reactor.turn(0)).toBe(1);
        expect(storage.getStore()).toBe('turn');
      });
      expect(executionAsyncId()).toBe(outside);
      expect(storage.getStore()).toBeUndefined();
    });
  });

  test('hooks see each call begin and end, and each object destroyed once', async () => {
    const events = new Map<number, { type: string; log: string }>();
    const add = (id: number, letter: string): void => {
      const entry = events.get(id);
      if (entry !== undefined) entry.log += letter;
    };
    const hook = createHook({
      init: (id, type) => {
        if (type.startsWith('POLLUX')) events.set(id, { type, log: '' });
      },
      before: (id) => add(id, '('),
      after: (id) => add(id, ')'),
      destroy: (id) => add(id, 'x'),
    }).enable();
    const inside = new Set<number>();
    try {
      using driven = new DrivenReactor(row);
      const [fd] = readyPipes(fds, 1) as [number];
      let deferred = 0;
      const note = (): void => {
        inside.add(executionAsyncId());
      };
      const closed = driven.reactor.watch(fd, readable, note);
      driven.reactor.watch(fd, readable, note); // closed by the reactor
      driven.reactor.timer(0, (timer) => {
        note();
        timer.close();
      });
      driven.reactor.timer(60_000, note).close();
      driven.reactor.timer(60_000, note); // closed by the reactor
      driven.reactor.defer(() => {
        note();
        deferred++;
      });
      await driven.until(() => deferred === 1 && inside.size === 4);
      closed.close();
      closed.close();
      driven.close();
      await macrotask(() => {});
      await macrotask(() => {});
    } finally {
      hook.disable();
    }
    // POLLUX alone is the wait thread's.
    const own = [...events.values()].filter(({ type }) => type !== 'POLLUX');
    const count = (type: string): number => own.filter((entry) => entry.type === type).length;
    expect([count('POLLUXWATCHER'), count('POLLUXTIMER'), count('POLLUXDEFER')]).toEqual([2, 3, 1]);
    for (const { type, log } of own) {
      if (type === 'POLLUXDEFER') expect(log).toMatch(/^\(\)x?$/);
      else expect(log).toMatch(/^(\(\))*x$/);
    }
    for (const id of inside) expect(events.get(id)?.log).toContain('()');
  });
});
