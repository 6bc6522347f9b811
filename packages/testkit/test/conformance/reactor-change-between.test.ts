// Watchers that are changed between two callbacks of a batch by what is not a watcher: a nextTick or
// promise of the callback before, a hook, a batch, a timeout. The change holds for what was found
// already, as if a callback had made it.
import { Interest, type Watcher } from '@pollux/core';
import { pipe } from '@pollux/testkit';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, insideTurn, readyPipes } from './reactor-support.js';

const { readable } = Interest;

const endings: Record<string, (watcher: Watcher) => void> = {
  close: (watcher) => watcher.close(),
  pause: (watcher) => watcher.pause(),
  'update(0)': (watcher) => watcher.update(0),
};

const laters: Record<string, (action: () => void) => void> = {
  nextTick: (action) => process.nextTick(action),
  promise: (action) => void Promise.resolve().then(action),
  microtask: (action) => queueMicrotask(action),
  'a nextTick of a promise of a nextTick': (action) =>
    process.nextTick(() => void Promise.resolve().then(() => process.nextTick(action))),
  'an async function': (action) =>
    void (async () => {
      await undefined;
      await undefined;
      action();
    })(),
};

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  describe.each(Object.entries(endings))('%s', (name, end) => {
    test.each(Object.entries(laters))('in %s: the rest of the batch', async (_later, later) => {
      using driven = new DrivenReactor(row);
      const watchers: Watcher[] = [];
      let calls = 0;
      await insideTurn(driven, () => {
        for (const fd of readyPipes(fds, 4)) {
          for (let n = 0; n < 2; n++) {
            const callback = (): void => {
              calls++;
              later(() => {
                for (const watcher of watchers) if (!watcher.closed) end(watcher);
              });
            };
            watchers.push(driven.reactor.watch(fd, readable, callback));
          }
        }
      });
      await driven.until(() => calls > 0);
      await driven.during(10);
      expect(calls).toBe(1);
    });

    test.each([
      ['check', 'what the wait has just found'],
      ['prepare', 'what the wait under way will find'],
    ] as const)('in a %s hook: %s', async (kind, _what) => {
      using driven = new DrivenReactor(row);
      const [fd] = readyPipes(fds, 1) as [number];
      let calls = 0;
      let inHook = 0;
      const watcher = driven.reactor.watch(fd, readable, () => calls++);
      await driven.until(() => calls > 2);
      driven.reactor[kind]((_ms, hook) => {
        inHook = calls;
        end(watcher);
        hook.close();
      });
      await driven.until(() => inHook > 0);
      await driven.during(10);
      expect(calls).toBe(inHook);
    });

    test('in a batch’s callback that comes first', async () => {
      using driven = new DrivenReactor(row);
      let calls = 0;
      let batches = 0;
      await insideTurn(driven, () => {
        const batch = driven.reactor.batch(
          () => {
            batches++;
            batch.close();
            for (const watcher of watchers) end(watcher);
          },
          { priority: 1 },
        );
        const [first, second, third] = readyPipes(fds, 3) as [number, number, number];
        const watchers = [first, second].map((fd) =>
          driven.reactor.watch(fd, readable, () => calls++),
        );
        batch.add(third, readable, 0);
      });
      await driven.until(() => batches > 0);
      await driven.during(10);
      expect([batches, calls]).toEqual([1, 0]);
    });

    test('in a timeout, of itself and of another', async () => {
      using driven = new DrivenReactor(row);
      const [[quiet], [loud]] = [fds.trackAll(pipe()), [readyPipes(fds, 1)[0] as number]];
      let timeouts = 0;
      let calls = 0;
      let before = 0;
      const watcher = driven.reactor.watch(loud, readable, () => calls++);
      const callback = (_events: number, self: Watcher): void => {
        timeouts++;
        before = calls;
        end(self);
        end(watcher);
      };
      driven.reactor.watch(quiet, readable, callback, { timeoutMs: 5 });
      await driven.until(() => timeouts > 0);
      await driven.during(15);
      expect(calls).toBe(before);
      // Without interest it is still active, and silence is what it hears.
      if (name === 'update(0)') expect(timeouts).toBeGreaterThan(0);
      else expect(timeouts).toBe(1);
    });
  });

  test.each(Object.entries(laters))('pause in %s, resume in the next', async (_name, later) => {
    using driven = new DrivenReactor(row);
    const calls = [0, 0];
    const watchers: Watcher[] = [];
    let changes = 0;
    await insideTurn(driven, () => {
      readyPipes(fds, 2).forEach((fd, n) => {
        const callback = (): void => {
          calls[n]!++;
          // To do so for ever is to starve the other.
          if (++changes > 10) return;
          later(() => {
            for (const watcher of watchers) watcher.pause();
            later(() => {
              for (const watcher of watchers) watcher.resume();
            });
          });
        };
        watchers.push(driven.reactor.watch(fd, readable, callback));
      });
    });
    await driven.until(() => calls.every((count) => count > 3));
  });

  test.each(Object.entries(laters))('the reactor closed in %s', async (_name, later) => {
    using driven = new DrivenReactor(row);
    let calls = 0;
    await insideTurn(driven, () => {
      for (const fd of readyPipes(fds, 3)) {
        driven.reactor.watch(fd, readable, () => {
          calls++;
          later(() => driven.close());
        });
      }
      driven.reactor.timer(0, () => calls++);
    });
    await driven.until(() => driven.reactor.closed);
    await driven.during(5);
    expect(calls).toBe(1);
  });
});
