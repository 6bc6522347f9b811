// `reactor.now`: the time at which the turn began, the same all turn, until somebody brings it up to
// date.
import { Interest } from '@pollux/core';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, insideTurn, readyPipes } from './reactor-support.js';

function spin(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end; );
}

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  test('is the same in every callback of a turn, and later in the next', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const seen: Record<string, number> = {};
    const note = (name: string) => (): void => {
      seen[name] = reactor.now;
      spin(0.5);
    };
    await insideTurn(driven, () => {
      const hook = reactor.check(() => {
        hook.close();
        note('check')();
      });
      for (const fd of readyPipes(fds, 2)) {
        reactor.watch(fd, Interest.readable, (_events, watcher) => {
          note(`watcher ${fd}`)();
          watcher.close();
          reactor.timer(0, note('timer'));
          reactor.defer(note('deferred'));
          process.nextTick(note('nextTick'));
        });
      }
    });
    await driven.until(() => Object.keys(seen).length === 6);
    expect(new Set(Object.values(seen)).size).toBe(1);
    const [time] = Object.values(seen);
    let later = 0;
    reactor.defer(() => {
      later = reactor.now;
    });
    await driven.until(() => later > 0);
    expect(later).toBeGreaterThan(time as number);
  });

  test('updateNow brings it to the present', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    await insideTurn(driven, () => {
      const began = reactor.now;
      spin(2);
      expect(reactor.now).toBe(began);
      const before = performance.now();
      const now = reactor.updateNow();
      expect(now).toBeGreaterThanOrEqual(before);
      expect(now).toBeGreaterThanOrEqual(began + 2);
      expect(reactor.now).toBe(now);
    });
    // The turn's time is counted from its beginning all the same.
    expect(reactor.stats().busyMs).toBeGreaterThanOrEqual(2);
  });
});
