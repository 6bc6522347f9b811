// A reactor over @pollux/core/testing: readiness is what the test says, time passes when the test
// says so, and everything happens in a known order. Both modes.
import { Events, Interest, Reactor } from '@pollux/core';
import { ManualClock, MemoryPoller } from '@pollux/core/testing';
import { describe, expect, test } from 'vitest';
import { macrotask, thrownBy } from './reactor-support.js';

const { readable, writable } = Interest;

describe.each(['blocking', 'attached'] as const)('%s', (mode) => {
  class Bench implements Disposable {
    readonly clock = new ManualClock();
    readonly poller = new MemoryPoller(this.clock);
    readonly log: string[] = [];
    readonly reactor = new Reactor({ mode, poller: this.poller, clock: this.clock });

    /** Lets everything that is due happen, and returns what was logged since. */
    async settle(): Promise<string[]> {
      for (let n = 0; n < 6; n++) {
        await macrotask(() => {
          if (mode === 'blocking' && !this.reactor.closed) this.reactor.turn(0);
        });
      }
      return this.log.splice(0);
    }

    say(entry: string): () => void {
      return () => {
        this.log.push(`${entry} at ${this.clock.now()}`);
      };
    }

    [Symbol.dispose](): void {
      this.reactor.close();
      this.poller.close();
    }
  }

  test('it is the memory that is asked', () => {
    using bench = new Bench();
    expect(bench.reactor.backend).toBe('memory');
    expect(bench.reactor.driver).toBe(mode === 'blocking' ? 'blocking' : 'thread');
    expect(bench.reactor.poller).toBe(bench.poller);
  });

  test('timers come when the clock is moved, not before, to the fraction', async () => {
    using bench = new Bench();
    const { reactor, clock } = bench;
    reactor.timer(10, bench.say('ten'));
    reactor.timer(2.5, bench.say('two and a half'));
    reactor.timer(10, bench.say('ten too'));
    const repeating = reactor.timer(4, bench.say('each four'), { repeat: true });
    expect(await bench.settle()).toEqual([]);
    clock.advance(2.4);
    expect(await bench.settle()).toEqual([]);
    clock.advance(0.1);
    expect(await bench.settle()).toEqual(['two and a half at 2.5']);
    clock.advance(7.5);
    // In the order of deadlines: 4, then 10; of what was missed at 8 nothing is made up for.
    expect(await bench.settle()).toEqual(['each four at 10', 'ten at 10', 'ten too at 10']);
    clock.advance(1.9);
    expect(await bench.settle()).toEqual([]);
    clock.advance(0.2);
    expect(await bench.settle()).toEqual(['each four at 12.1']);
    repeating.close();
    clock.advance(100);
    expect(await bench.settle()).toEqual([]);
    expect(reactor.alive).toBe(false);
  });

  test('no burst after a long stall, whatever the interval', async () => {
    using bench = new Bench();
    for (const period of [0.1, 0.3, 1, 7]) {
      bench.reactor.timer(period, bench.say(`each ${period}`), { repeat: true });
    }
    bench.clock.advance(1000);
    expect((await bench.settle()).sort()).toEqual(
      [0.1, 0.3, 1, 7].map((period) => `each ${period} at 1000`),
    );
    bench.clock.advance(0.05);
    expect(await bench.settle()).toEqual([]);
  });

  test('readiness of each mode', async () => {
    using bench = new Bench();
    const { reactor, poller } = bench;
    const count = { level: 0, oneshot: 0, edge: 0 };
    for (const [fd, name] of ['level', 'oneshot', 'edge'].entries()) {
      const kind = name as keyof typeof count;
      reactor.watch(fd, readable, () => count[kind]++, { mode: kind });
    }
    await bench.settle();
    expect(count).toEqual({ level: 0, oneshot: 0, edge: 0 });
    for (const fd of [0, 1, 2]) poller.set(fd, Events.readable);
    await bench.settle();
    expect(count.level).toBeGreaterThan(1);
    expect([count.oneshot, count.edge]).toEqual([1, 1]);
    poller.set(2, 0);
    poller.set(2, Events.readable);
    poller.set(0, 0);
    const { level } = count;
    await bench.settle();
    expect(count).toEqual({ level, oneshot: 1, edge: 2 });
  });

  test('a reader and a writer on one descriptor; an error is for both', async () => {
    using bench = new Bench();
    const { reactor, poller } = bench;
    const seen: [string, number][] = [];
    const reader = reactor.watch(5, readable, (events, watcher) => {
      seen.push(['reader', events]);
      watcher.pause();
    });
    const writer = reactor.watch(5, writable, (events, watcher) => {
      seen.push(['writer', events]);
      watcher.pause();
    });
    poller.set(5, Events.writable);
    await bench.settle();
    expect(seen.splice(0)).toEqual([['writer', Events.writable]]);
    poller.set(5, Events.error);
    reader.resume();
    writer.resume();
    await bench.settle();
    expect(seen.splice(0)).toEqual([
      ['reader', Events.readable | Events.error],
      ['writer', Events.writable | Events.error],
    ]);
  });

  test('one turn: watchers, timers, deferred calls', async () => {
    using bench = new Bench();
    const { reactor, poller, clock } = bench;
    reactor.watch(1, readable, (_events, watcher) => {
      bench.say('watcher')();
      watcher.close();
      reactor.defer(bench.say('deferred'));
      reactor.timer(0, bench.say('timer of the watcher'));
    });
    reactor.timer(5, bench.say('timer'));
    await bench.settle();
    clock.advance(5);
    poller.set(1, Events.readable);
    expect(await bench.settle()).toEqual([
      'watcher at 5',
      'timer at 5',
      'timer of the watcher at 5',
      'deferred at 5',
    ]);
  });

  test('a timer of 0 ms set in a timer waits for the next turn, even if the clock stands', async () => {
    using bench = new Bench();
    let left = 3;
    const again = (): void => {
      bench.say(`timer ${left}`)();
      bench.reactor.defer(bench.say('deferred'));
      if (--left > 0) bench.reactor.timer(0, again);
    };
    bench.reactor.timer(0, again);
    expect(await bench.settle()).toEqual([
      'timer 3 at 0',
      'deferred at 0',
      'timer 2 at 0',
      'deferred at 0',
      'timer 1 at 0',
      'deferred at 0',
    ]);
  });

  test('a closed reactor leaves the poller to its owner', async () => {
    using bench = new Bench();
    bench.reactor.watch(1, readable, bench.say('watcher'));
    bench.poller.set(1, Events.readable);
    bench.reactor.close();
    expect(await bench.settle()).toEqual([]);
    expect(bench.poller.wait(0)).toBe(0);
    bench.poller.add(1, readable, 9);
    expect(bench.poller.wait(0)).toBe(1);
  });
});

test('a blocking turn moves the clock to its end instead of waiting', () => {
  const poller = new MemoryPoller();
  using reactor = new Reactor({ mode: 'blocking', poller, clock: poller.clock });
  let calls = 0;
  reactor.timer(3_600_000.5, () => calls++);
  expect(reactor.turn(1000)).toBe(0);
  expect(poller.clock.now()).toBe(1000);
  expect(reactor.turn()).toBe(1);
  expect(poller.clock.now()).toBe(3_600_000.5);
  expect([calls, reactor.turn()]).toEqual([1, 0]);
});

test('attached, its poller does not wait by hand, and is attached once', () => {
  const poller = new MemoryPoller();
  using reactor = new Reactor({ poller, clock: poller.clock });
  reactor.timer(1, () => {});
  expect(thrownBy(() => poller.wait(0))).toMatchObject({ code: 'ERR_POLLUX_ATTACHED' });
  using other = new Reactor({ poller, clock: poller.clock });
  expect(thrownBy(() => other.timer(1, () => {}))).toMatchObject({ code: 'ERR_POLLUX_ATTACHED' });
  expect(other.alive).toBe(false);
});
