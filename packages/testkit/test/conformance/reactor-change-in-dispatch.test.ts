// Watchers that change watchers while a batch is delivered: what is closed, paused or without
// interest is never called, not even if the same batch holds an event of it, and nothing else is
// lost.
import { Interest, type Watcher } from '@pollux/core';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, insideTurn, readyPipes } from './reactor-support.js';

const { readable } = Interest;

/** What ends a watcher's calls, and whether they can come back. */
const endings: Record<string, (watcher: Watcher) => void> = {
  close: (watcher) => watcher.close(),
  pause: (watcher) => watcher.pause(),
  'update(0)': (watcher) => watcher.update(0),
};

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  describe.each(Object.entries(endings))('%s', (_name, end) => {
    test('of another descriptor in the same batch', async () => {
      using driven = new DrivenReactor(row);
      const calls = [0, 0];
      const watchers: Watcher[] = [];
      // Whichever is called first ends the other: the order is the backend's.
      await insideTurn(driven, () => {
        readyPipes(fds, 2).forEach((fd, n) => {
          const callback = (): void => {
            calls[n]!++;
            end(watchers[1 - n]!);
          };
          watchers.push(driven.reactor.watch(fd, readable, callback));
        });
      });
      await driven.until(() => calls[0]! + calls[1]! > 3);
      expect(calls).toContain(0);
    });

    test('of another watcher on the same descriptor', async () => {
      using driven = new DrivenReactor(row);
      const [fd] = readyPipes(fds, 1) as [number];
      const calls = [0, 0];
      await insideTurn(driven, () => {
        driven.reactor.watch(fd, readable, () => {
          calls[0]!++;
          if (!second.closed && second.active) end(second);
        });
        const second = driven.reactor.watch(fd, readable, () => calls[1]!++);
      });
      await driven.until(() => calls[0]! > 3);
      expect(calls[1]).toBe(0);
    });

    test('of itself', async () => {
      using driven = new DrivenReactor(row);
      const [fd, other] = readyPipes(fds, 2) as [number, number];
      let calls = 0;
      let others = 0;
      driven.reactor.watch(fd, readable, (_events, self) => {
        calls++;
        end(self);
      });
      driven.reactor.watch(other, readable, () => others++);
      await driven.until(() => calls > 0 && others > 5);
      expect(calls).toBe(1);
    });

    test.each(['timer', 'defer'] as const)('in a callback of %s', async (from) => {
      using driven = new DrivenReactor(row);
      const [fd] = readyPipes(fds, 1) as [number];
      let calls = 0;
      let ended = false;
      let after = 0;
      const watcher = driven.reactor.watch(fd, readable, () => {
        calls++;
        if (ended) after++;
      });
      await driven.until(() => calls > 2);
      const callback = (): void => {
        end(watcher);
        ended = true;
      };
      if (from === 'timer') driven.reactor.timer(1, callback);
      else driven.reactor.defer(callback);
      await driven.until(() => ended);
      await driven.during(10);
      expect(after).toBe(0);
    });
  });

  test('pause and resume at once, of oneself and another, lose nothing', async () => {
    using driven = new DrivenReactor(row);
    const calls = [0, 0];
    let changes = 0;
    const watchers: Watcher[] = [];
    await insideTurn(driven, () => {
      readyPipes(fds, 2).forEach((fd, n) => {
        const callback = (): void => {
          calls[n]!++;
          // It drops what this batch has of the other: the first one could do so for ever.
          if (++changes > 20) return;
          for (const watcher of watchers) {
            watcher.pause();
            watcher.resume();
            watcher.update(readable);
          }
        };
        watchers.push(driven.reactor.watch(fd, readable, callback));
      });
    });
    await driven.until(() => calls.every((count) => count > 5));
  });

  test('a watcher made in a callback waits for the next turn', async () => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    const order: string[] = [];
    await insideTurn(driven, () => {
      driven.reactor.watch(fd, readable, (_events, self) => {
        order.push('first');
        self.close();
        driven.reactor.watch(fd, readable, (_more, next) => {
          order.push('second');
          next.close();
        });
        driven.reactor.defer(() => order.push('end of the turn'));
      });
    });
    await driven.until(() => order.length === 3);
    expect(order).toEqual(['first', 'end of the turn', 'second']);
    expect(driven.reactor.alive).toBe(false);
  });

  test('every watcher of a batch closes all of them', async () => {
    using driven = new DrivenReactor(row);
    let calls = 0;
    const watchers: Watcher[] = [];
    await insideTurn(driven, () => {
      for (const fd of readyPipes(fds, 50)) {
        const callback = (): void => {
          calls++;
          for (const watcher of watchers) watcher.close();
        };
        watchers.push(driven.reactor.watch(fd, readable, callback));
      }
    });
    await driven.until(() => calls > 0);
    await driven.during(10);
    expect(calls).toBe(1);
    expect(driven.reactor.alive).toBe(false);
  });
});
