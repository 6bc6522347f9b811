// `timeoutMs` to the millisecond, on a clock that the test moves: when a watcher is told of silence,
// and what is no silence.
import { Events, Interest, Reactor, type ReactorOptions } from '@pollux/core';
import { MemoryPoller } from '@pollux/core/testing';
import { describe, expect, test } from 'vitest';

const { readable, writable } = Interest;
const ignore = (): void => {};

interface Told {
  at: number;
  events: number;
}

/** A blocking reactor in memory: a wait moves the clock to its end. */
function inMemory(options: ReactorOptions = {}) {
  const poller = new MemoryPoller();
  const { clock } = poller;
  const reactor = new Reactor({ mode: 'blocking', poller, clock, ...options });
  const told: Told[] = [];
  return {
    poller,
    clock,
    reactor,
    told,
    tell: (events: number): number => told.push({ at: clock.now(), events }),
    /** Turns until the clock says so. */
    until(ms: number): void {
      while (clock.now() < ms) reactor.turn(ms - clock.now());
    },
  };
}

const silence = (...times: number[]): Told[] => times.map((at) => ({ at, events: Events.timeout }));

describe('told', () => {
  test('after each so many milliseconds of silence', () => {
    const { reactor, told, tell, until } = inMemory();
    const watcher = reactor.watch(1, readable, tell, { timeoutMs: 10 });
    expect(watcher.timeoutMs).toBe(10);
    until(35);
    expect(told).toEqual(silence(10, 20, 30));
  });

  test('fractions count', () => {
    const { reactor, told, tell, until } = inMemory();
    reactor.watch(1, readable, tell, { timeoutMs: 0.25 });
    until(1);
    expect(told).toEqual(silence(0.25, 0.5, 0.75, 1));
  });

  test('without interest too, and never after Infinity', () => {
    const { reactor, told, tell, until } = inMemory();
    reactor.watch(1, 0, tell, { timeoutMs: 10 });
    reactor.watch(2, readable, tell, { timeoutMs: Number.POSITIVE_INFINITY });
    until(25);
    expect(told).toEqual(silence(10, 20));
  });

  test('counted from the last event', () => {
    const { reactor, poller, told, tell, until } = inMemory();
    reactor.watch(1, readable, tell, { timeoutMs: 10, mode: 'edge' });
    for (const at of [4, 13, 14]) {
      until(at);
      poller.set(1, 0);
      poller.set(1, readable);
      reactor.turn(0);
    }
    until(30);
    expect(told).toEqual([...[4, 13, 14].map((at) => ({ at, events: readable })), ...silence(24)]);
  });

  test('each watcher by its own time and its own events', () => {
    const { reactor, poller, clock, until } = inMemory();
    const told: [string, number, number][] = [];
    const watch = (name: string, interest: number, timeoutMs: number): void => {
      const tell = (events: number) => told.push([name, clock.now(), events]);
      reactor.watch(1, interest, tell, { timeoutMs, mode: 'edge' });
    };
    watch('reader', readable, 10);
    watch('writer', writable, 10);
    watch('patient', readable, 26);
    until(5);
    poller.set(1, readable);
    until(31);
    expect(told).toEqual([
      ['reader', 5, readable],
      ['patient', 5, readable],
      ['writer', 10, Events.timeout],
      ['reader', 15, Events.timeout],
      ['writer', 20, Events.timeout],
      ['reader', 25, Events.timeout],
      ['writer', 30, Events.timeout],
      ['patient', 31, Events.timeout],
    ]);
  });

  test('in the order of deadlines, among timers', () => {
    const { reactor, clock, until } = inMemory();
    const order: string[] = [];
    reactor.timer(10.5, () => order.push('later timer'));
    reactor.watch(1, readable, () => order.push('watcher'), { timeoutMs: 10.2 });
    reactor.timer(10, () => order.push('timer'));
    clock.advance(15);
    until(16);
    expect(order).toEqual(['timer', 'watcher', 'later timer']);
  });
});

describe('stopped and begun anew', () => {
  test('an event that waited out a stop longer than the time is not told with a timeout at once', () => {
    const { reactor, poller, clock, told, tell, until } = inMemory();
    reactor.watch(1, readable, () => reactor.stop(), { mode: 'oneshot' });
    reactor.watch(2, readable, tell, { mode: 'edge', timeoutMs: 10 });
    poller.set(1, readable);
    poller.set(2, readable);
    reactor.turn(0);
    expect(told).toEqual([]);
    clock.advance(25);
    until(40);
    expect(told).toEqual([{ at: 25, events: readable }, ...silence(35)]);
  });

  test('pause and resume', () => {
    const { reactor, told, tell, until } = inMemory();
    const watcher = reactor.watch(1, readable, tell, { timeoutMs: 10 });
    until(5);
    watcher.pause();
    until(50);
    expect(told).toEqual([]);
    watcher.resume();
    until(65);
    expect(told).toEqual(silence(60));
  });

  test('update, and resume of one that is not paused', () => {
    const { reactor, told, tell, until } = inMemory();
    const watcher = reactor.watch(1, readable, tell, { timeoutMs: 10 });
    until(5);
    watcher.update(writable);
    until(12);
    watcher.resume();
    until(25);
    expect(told).toEqual(silence(22));
  });

  test('close, also at the very moment', () => {
    const { reactor, told, tell, until } = inMemory();
    // Set first, so due first.
    reactor.timer(10, () => watcher.close());
    const watcher = reactor.watch(1, readable, tell, { timeoutMs: 10 });
    until(30);
    expect(told).toEqual([]);
    expect(reactor.stats()).toMatchObject({ watchers: 0, timers: 0 });
  });

  test('in its own callback: close, pause, pause and resume', () => {
    const { reactor, clock, until } = inMemory();
    const told: [string, number][] = [];
    reactor.watch(
      1,
      readable,
      (_events, self) => {
        told.push(['close', clock.now()]);
        self.close();
      },
      { timeoutMs: 10 },
    );
    reactor.watch(
      2,
      readable,
      (_events, self) => {
        told.push(['pause', clock.now()]);
        self.pause();
      },
      { timeoutMs: 11 },
    );
    reactor.watch(
      3,
      readable,
      (_events, self) => {
        told.push(['resume', clock.now()]);
        self.pause();
        clock.advance(3);
        self.resume();
      },
      { timeoutMs: 12 },
    );
    until(40);
    expect(told).toEqual([
      ['close', 10],
      ['pause', 11],
      ['resume', 12],
      ['resume', 27],
    ]);
  });

  test('by the timeout of another in the same turn', () => {
    const { reactor, told, tell, until, clock } = inMemory();
    reactor.watch(1, readable, () => victims.map((end) => end()), { timeoutMs: 10 });
    const [closed, paused, resumed] = [2, 3, 4].map((fd) =>
      reactor.watch(fd, readable, tell, { timeoutMs: 10 }),
    );
    const victims = [
      () => closed?.close(),
      () => paused?.pause(),
      () => {
        resumed?.pause();
        resumed?.resume();
      },
    ];
    clock.advance(10);
    until(19);
    expect(told).toEqual([]);
  });

  test('a oneshot is paused by its timeout, as by an event', () => {
    const { reactor, poller, told, tell, until } = inMemory();
    const active: boolean[] = [];
    const watcher = reactor.watch(
      1,
      readable,
      (events, self) => {
        active.push(self.active);
        tell(events);
      },
      { timeoutMs: 10, mode: 'oneshot' },
    );
    until(50);
    expect(told).toEqual(silence(10));
    poller.set(1, readable);
    until(60);
    expect(told).toEqual(silence(10));
    poller.set(1, 0);
    watcher.resume();
    until(65);
    poller.set(1, readable);
    until(100);
    expect(told).toEqual([...silence(10), { at: 65, events: readable }]);
    watcher.resume();
    until(101);
    expect(told.at(-1)).toEqual({ at: 100, events: readable });
    expect(active).toEqual([false, false, false]);
  });
});

describe('what is no silence', () => {
  test('an event that a full budget left waiting', () => {
    const { reactor, poller, clock, told, tell } = inMemory({ budget: { callbacks: 1 } });
    const slow = (): void => clock.advance(8);
    reactor.watch(1, readable, slow, { priority: 1 });
    reactor.watch(2, readable, tell, { timeoutMs: 10, mode: 'edge' });
    reactor.watch(3, readable, tell, { timeoutMs: 10, mode: 'oneshot' });
    for (const fd of [1, 2, 3]) poller.set(fd, readable);
    for (let turn = 0; turn < 10; turn++) reactor.turn(0);
    expect(told).toEqual([]);
    poller.set(1, 0);
    for (let turn = 0; turn < 3; turn++) reactor.turn(0);
    expect(told.map(({ events }) => events)).toEqual([readable, readable]);
  });

  test('what came while a callback took its time', () => {
    const { reactor, poller, clock, told, tell, until } = inMemory();
    reactor.watch(1, readable, tell, { timeoutMs: 10, mode: 'edge' });
    const slow = (): void => {
      clock.advance(20);
      poller.set(1, readable);
    };
    reactor.watch(2, readable, slow, { mode: 'oneshot' });
    until(5);
    poller.set(2, readable);
    until(30);
    expect(told).toEqual([{ at: 25, events: readable }]);
    until(36);
    expect(told.slice(1)).toEqual(silence(35));
  });
});

describe('a turn', () => {
  test('is not ended, nor counted, by a timeout that is not due after all', () => {
    const { reactor, poller, clock, told, tell } = inMemory();
    reactor.watch(1, readable, tell, { timeoutMs: 10, mode: 'edge' });
    clock.advance(9);
    poller.set(1, readable);
    expect(reactor.turn(0)).toBe(1);
    // Looked at when the 10 ms are over, and set anew for the rest.
    expect(reactor.turn(5)).toBe(0);
    expect(clock.now()).toBe(14);
    expect(reactor.turn(5)).toBe(1);
    expect(clock.now()).toBe(19);
    expect(told).toEqual([{ at: 9, events: readable }, ...silence(19)]);
    expect(reactor.stats().callbacks).toBe(2);
  });

  test('nor by a wall-clock timer that looks at its clock', () => {
    const { reactor, clock } = inMemory();
    reactor.at(Date.now() + 3_600_000, ignore);
    expect(reactor.turn(5000)).toBe(0);
    expect(clock.now()).toBe(5000);
    expect(reactor.stats().callbacks).toBe(0);
  });
});

test('attached, by the clock too', async () => {
  const poller = new MemoryPoller();
  const { clock } = poller;
  using reactor = new Reactor({ poller, clock });
  const told: Told[] = [];
  const tell = (events: number) => told.push({ at: clock.now(), events });
  reactor.watch(1, readable, tell, { timeoutMs: 10 });
  const round = async (): Promise<void> => {
    for (let n = 0; n < 3; n++) await new Promise((resolve) => setImmediate(resolve));
  };
  for (let ms = 1; ms <= 22; ms++) {
    clock.advance(1);
    await round();
  }
  expect(told).toEqual(silence(10, 20));
});
