// reactor.watchHandle on real objects of Windows: events, processes and waitable timers, in every way
// of waiting.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Reactor } from '@pollux/core';
import {
  closeHandle,
  createEvent,
  createTimer,
  handleCount,
  openProcess,
  resetEvent,
  setEvent,
} from '@pollux/testkit';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { afterEach, describe, expect, test } from 'vitest';

const rows = cases.filter(({ backend }) => backend === 'iocp');
const opened: number[] = [];

/** To be closed after the test. */
function tracked(handle: number): number {
  opened.push(handle);
  return handle;
}

afterEach(() => {
  for (const handle of opened.splice(0)) closeHandle(handle);
});

describe.skipIf(rows.length > 0)('without iocp', () => {
  test('handles are refused', () => {
    using reactor = new Reactor();
    expect(() => reactor.watchHandle(4, () => {})).toThrow(
      expect.objectContaining({ code: 'ERR_POLLUX_UNSUPPORTED' }),
    );
    expect(reactor.alive).toBe(false);
  });
});

describe.each(rows)('$backend, $way', (row) => {
  test('an event that resets itself: one call for each time it is set', async () => {
    using driven = new DrivenReactor(row);
    const event = tracked(createEvent(false));
    const told: number[] = [];
    const watcher = driven.reactor.watchHandle(event, (handle) => told.push(handle));
    for (let times = 1; times <= 3; times++) {
      setEvent(event);
      await driven.until(() => told.length === times);
      await driven.during(10);
    }
    expect(told).toEqual([event, event, event]);
    watcher.close();
    setEvent(event);
    await driven.during(10);
    expect(told).toHaveLength(3);
  });

  test('an event that is reset by hand: called until it is', async () => {
    using driven = new DrivenReactor(row);
    const event = tracked(createEvent(true));
    let calls = 0;
    driven.reactor.watchHandle(event, async () => {
      await undefined;
      if (++calls >= 3) resetEvent(event);
    });
    setEvent(event);
    await driven.until(() => calls >= 3);
    await driven.during(20);
    // What the last callback of a turn has queued runs before the next wait of a blocking reactor, and
    // after the next wait of an attached one has begun.
    expect(calls).toBeLessThanOrEqual(row.way === 'blocking' ? 3 : 4);
    const before = calls;
    setEvent(event);
    await driven.until(() => calls > before);
  });

  test('oneshot: once, until resume', async () => {
    using driven = new DrivenReactor(row);
    const event = tracked(createEvent(true));
    let calls = 0;
    const watcher = driven.reactor.watchHandle(event, () => calls++, { mode: 'oneshot' });
    setEvent(event);
    await driven.until(() => calls === 1);
    await driven.during(10);
    expect([calls, watcher.active, driven.reactor.alive]).toEqual([1, false, false]);
    watcher.resume();
    await driven.until(() => calls === 2);
  });

  test('a process that ends', async () => {
    using driven = new DrivenReactor(row);
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], {
      stdio: 'ignore',
    });
    const exited = once(child, 'exit');
    const handle = tracked(openProcess(child.pid as number));
    let ended = false;
    const watcher = driven.reactor.watchHandle(handle, (_handle, self) => {
      ended = true;
      self.close();
    });
    await driven.during(20);
    expect([ended, driven.reactor.alive]).toEqual([false, true]);
    child.kill();
    await driven.until(() => ended, 20_000);
    expect([watcher.closed, driven.reactor.alive]).toEqual([true, false]);
    await exited;
    // One that has ended before is told of at once.
    let late = false;
    driven.reactor.watchHandle(
      handle,
      () => {
        late = true;
      },
      { mode: 'oneshot' },
    );
    await driven.until(() => late);
  });

  test('waitable timers: once, and on and on', async () => {
    using driven = new DrivenReactor(row);
    const [once, often] = [tracked(createTimer(20)), tracked(createTimer(5, 5))];
    const calls = { once: 0, often: 0 };
    driven.reactor.watchHandle(once, () => calls.once++);
    driven.reactor.watchHandle(often, (_handle, self) => {
      if (++calls.often === 5) self.close();
    });
    await driven.until(() => calls.once === 1 && calls.often === 5);
    await driven.during(20);
    expect(calls).toEqual({ once: 1, often: 5 });
  });

  test('priorities, and a close in the same turn', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const events = [-1, 2, 0].map(() => tracked(createEvent(true)));
    const told: number[] = [];
    const watchers = [-1, 2, 0].map((priority, i) =>
      reactor.watchHandle(
        events[i] as number,
        () => {
          told.push(priority);
          if (priority === 0) watchers[0]?.close();
        },
        { priority, mode: 'oneshot' },
      ),
    );
    reactor.stop();
    for (const event of events) setEvent(event);
    // The system's threads have posted all three by then, on a busy machine too.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    if (row.way !== 'blocking') reactor.run();
    await driven.until(() => told.length === 2);
    await driven.during(10);
    expect(told).toEqual([2, 0]);
  });

  test('what a callback throws is reported, and level goes on', async () => {
    using driven = new DrivenReactor(row);
    const event = tracked(createEvent(false));
    const uncaught: string[] = [];
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', ({ message }) => uncaught.push(message));
    driven.reactor.watchHandle(event, () => {
      throw new Error('in the callback');
    });
    for (let times = 1; times <= 2; times++) {
      setEvent(event);
      await driven.until(() => uncaught.length === times);
    }
    process.removeAllListeners('uncaughtException');
    for (const other of others) process.on('uncaughtException', other);
    expect(uncaught).toEqual(['in the callback', 'in the callback']);
  });

  test('ref and unref, `using`, and an AbortSignal', () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const event = tracked(createEvent(false));
    {
      using watcher = reactor.watchHandle(event, () => {});
      expect([watcher.hasRef(), reactor.alive]).toEqual([true, true]);
      expect(watcher.unref()).toBe(watcher);
      expect(reactor.alive).toBe(false);
      expect(watcher.ref().hasRef()).toBe(true);
    }
    expect(reactor.alive).toBe(false);
    const controller = new AbortController();
    const watcher = reactor.watchHandle(event, () => {}, { signal: controller.signal });
    controller.abort();
    expect([watcher.closed, reactor.alive]).toEqual([true, false]);
  });

  test('refused: what is no handle, and a second watcher', () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const event = createEvent(false);
    const watcher = reactor.watchHandle(event, () => {});
    const watch = () => reactor.watchHandle(event, () => {});
    expect(watch).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    watcher.close();
    closeHandle(event);
    const closed = { code: 'EBADF', syscall: 'RegisterWaitForSingleObject' };
    expect(watch).toThrow(expect.objectContaining(closed));
    expect(reactor.alive).toBe(false);
  });

  test('reactors come and go with their handles watched, and no handle is left', async () => {
    const events = Array.from({ length: 70 }, () => tracked(createEvent(true)));
    const round = async () => {
      const driven = new DrivenReactor(row);
      let calls = 0;
      const watchers = events.map((event) => driven.reactor.watchHandle(event, () => calls++));
      for (const [i, event] of events.entries()) if (i % 2 === 0) setEvent(event);
      await driven.until(() => calls >= 35);
      driven.close();
      expect(watchers.every(({ closed }) => closed)).toBe(true);
      for (const event of events) resetEvent(event);
    };
    await round();
    const before = handleCount();
    for (let i = 0; i < 10; i++) await round();
    expect(handleCount()).toBeLessThan(before + 20);
  });
});
