// How a reactor deals with what watches HANDLEs, on a poller in memory that tells once of each, as that
// of iocp does: level and oneshot, what is dropped, and a refusal that nobody asked for. With real
// objects: packages/iocp/test/reactor-handles.test.ts.
import { AsyncLocalStorage } from 'node:async_hooks';
import { Events, Interest, systemError } from '@pollux/core';
import { MemoryPoller } from '@pollux/core/testing';
import { describe, expect, test } from 'vitest';
import { MemoryReactor, modes } from './memory-reactor.js';

const EBADF = -9;

/** Any number is a handle, and signalled as long as `set` says so. */
class HandlePoller extends MemoryPoller {
  readonly watched = new Map<number, number>();
  readonly gone = new Set<number>();

  watchHandle(handle: number, key: number): void {
    if (this.gone.has(handle)) throw systemError(EBADF, 'memory');
    const again = this.watched.has(handle);
    this.watched.set(handle, key);
    if (again) this.modify(handle, Interest.readable, key, { mode: 'oneshot' });
    else this.add(handle, Interest.readable, key, { mode: 'oneshot' });
  }

  unwatchHandle(handle: number): void {
    this.watched.delete(handle);
    this.delete(handle);
  }

  signal(handle: number, on: boolean): void {
    this.set(handle, on ? Events.readable : 0);
  }
}

describe.each(modes)('%s', (mode) => {
  function make() {
    const poller = new HandlePoller();
    const memory = new MemoryReactor(mode, { poller });
    const { reactor } = memory;
    const settle = () => memory.settle();
    return { poller, reactor, settle, [Symbol.dispose]: () => memory[Symbol.dispose]() };
  }

  test('level: again, until the object is reset', async () => {
    using made = make();
    const { poller, reactor, settle } = made;
    const calls: unknown[] = [];
    const watcher = reactor.watchHandle(40, (handle, self) => {
      calls.push(handle, self === watcher);
      if (calls.length === 6) poller.signal(40, false);
    });
    await settle();
    expect(calls).toEqual([]);
    poller.signal(40, true);
    await settle();
    expect(calls).toEqual([40, true, 40, true, 40, true]);
    poller.signal(40, true);
    poller.signal(40, false);
    await settle();
    expect(calls).toHaveLength(6);
    expect([watcher.active, reactor.alive]).toEqual([true, true]);
  });

  test('oneshot: once, and again after resume, which it may say itself', async () => {
    using made = make();
    const { poller, reactor, settle } = made;
    let calls = 0;
    const watcher = reactor.watchHandle(
      40,
      (_handle, self) => {
        expect(self.active).toBe(false);
        if (++calls === 1) self.resume();
      },
      { mode: 'oneshot' },
    );
    poller.signal(40, true);
    await settle();
    expect([calls, watcher.active, watcher.closed, reactor.alive]).toEqual([
      2,
      false,
      false,
      false,
    ]);
    watcher.resume();
    watcher.resume();
    await settle();
    expect(calls).toBe(3);
  });

  test('paused and closed: what was found already is not told', async () => {
    using made = make();
    const { poller, reactor, settle } = made;
    const called: number[] = [];
    const first = reactor.watchHandle(
      40,
      () => {
        called.push(40);
        second.pause();
        third.close();
        first.close();
      },
      { priority: 2 },
    );
    const second = reactor.watchHandle(44, () => called.push(44), { mode: 'oneshot' });
    const third = reactor.watchHandle(48, () => called.push(48));
    for (const handle of [40, 44, 48]) poller.signal(handle, true);
    await settle();
    expect(called).toEqual([40]);
    expect([...poller.watched.keys()]).toEqual([]);
    expect([first.closed, second.closed, second.active, third.closed]).toEqual([
      true,
      false,
      false,
      true,
    ]);
    second.resume();
    await settle();
    expect(called).toEqual([40, 44]);
  });

  test('paused and resumed in its own call, it is watched once', async () => {
    using made = make();
    const { poller, reactor, settle } = made;
    let calls = 0;
    reactor.watchHandle(40, (_handle, self) => {
      self.pause();
      self.resume();
      if (++calls === 3) poller.signal(40, false);
    });
    poller.signal(40, true);
    await settle();
    expect(calls).toBe(3);
  });

  test('beside descriptors of the same number: each is told of its own', async () => {
    using made = make();
    const { poller, reactor, settle } = made;
    const told: string[] = [];
    reactor.watch(4, Interest.readable, () => told.push('fd'), { mode: 'oneshot' });
    reactor.watchHandle(0, () => told.push('handle'), { mode: 'oneshot' });
    poller.signal(0, true);
    await settle();
    expect(told).toEqual(['handle']);
    poller.signal(4, true);
    await settle();
    expect(told).toEqual(['handle', 'fd']);
  });

  test('one watcher to a handle, also after it was told; free once that is closed', async () => {
    using made = make();
    const { poller, reactor, settle } = made;
    const first = reactor.watchHandle(40, () => {}, { mode: 'oneshot' });
    poller.signal(40, true);
    await settle();
    const again = () => reactor.watchHandle(40, () => {});
    expect(again).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    first.pause();
    expect(again).toThrow(expect.objectContaining({ code: 'EEXIST' }));
    first.close();
    const second = again();
    // A late close of the first takes nothing from the second.
    first.close();
    expect([...poller.watched.keys()]).toEqual([40]);
    second.close();
    expect([...poller.watched.keys()]).toEqual([]);
  });

  test('what the poller refuses is thrown, and nothing is left', () => {
    using made = make();
    const { poller, reactor } = made;
    const before = reactor.dump();
    poller.gone.add(40);
    const refused = expect.objectContaining({ code: 'EBADF', syscall: 'memory' });
    expect(() => reactor.watchHandle(40, () => {})).toThrow(refused);
    expect([reactor.dump(), reactor.alive]).toEqual([before, false]);
    poller.gone.clear();
    const watcher = reactor.watchHandle(40, () => {});
    watcher.pause();
    poller.gone.add(40);
    expect(() => watcher.resume()).toThrow(refused);
    expect([watcher.active, watcher.closed]).toEqual([false, false]);
  });

  test('closed while level watches it: the refusal is told as a throw, and it is paused', async () => {
    using made = make();
    const { poller, reactor, settle } = made;
    const uncaught: unknown[] = [];
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const store = new AsyncLocalStorage<string>();
    process.on('uncaughtException', (error) => uncaught.push(error));
    let calls = 0;
    const watcher = store.run('made here', () =>
      reactor.watchHandle(40, () => {
        calls++;
        poller.gone.add(40);
      }),
    );
    poller.signal(40, true);
    await settle();
    // The poller in memory has no native code, which reports at once.
    await new Promise((resolve) => setImmediate(resolve));
    process.removeAllListeners('uncaughtException');
    for (const other of others) process.on('uncaughtException', other);
    expect(uncaught).toEqual([expect.objectContaining({ code: 'EBADF' })]);
    expect([calls, watcher.active, watcher.closed, reactor.alive]).toEqual([
      1,
      false,
      false,
      false,
    ]);
  });

  test('the reactor closes them, in a callback too', async () => {
    using made = make();
    const { poller, reactor, settle } = made;
    let calls = 0;
    const watchers = [40, 44].map((handle) =>
      reactor.watchHandle(handle, () => {
        calls++;
        reactor.close();
      }),
    );
    for (const handle of [40, 44]) poller.signal(handle, true);
    await settle();
    expect([calls, ...watchers.map(({ closed }) => closed)]).toEqual([1, true, true]);
    expect([...poller.watched.keys()]).toEqual([]);
    const closed = expect.objectContaining({ code: 'ERR_POLLUX_CLOSED' });
    expect(() => watchers[0]?.resume()).toThrow(closed);
    expect(() => watchers[0]?.pause()).toThrow(closed);
    expect(() => reactor.watchHandle(48, () => {})).toThrow(closed);
  });

  test('stopped in a call: what was found is kept, and level goes on', async () => {
    using made = make();
    const { poller, reactor, settle } = made;
    const told: number[] = [];
    for (const handle of [40, 44]) {
      reactor.watchHandle(handle, () => {
        told.push(handle);
        poller.signal(handle, false);
        if (told.length === 1) reactor.stop();
      });
      poller.signal(handle, true);
    }
    if (mode === 'blocking') reactor.runSync();
    else await settle();
    expect(told).toEqual([40]);
    if (mode === 'attached') reactor.run();
    await settle();
    expect(told).toEqual([40, 44]);
    poller.signal(40, true);
    await settle();
    expect(told).toEqual([40, 44, 40]);
  });

  test('an injected poller closed first: they can still be closed', async () => {
    using made = make();
    const { poller, reactor, settle } = made;
    const [first, second] = [40, 44].map((handle) => reactor.watchHandle(handle, () => {}));
    await settle();
    poller.close();
    first?.close();
    second?.pause();
    expect(() => second?.resume()).toThrow(expect.objectContaining({ code: 'ERR_POLLUX_CLOSED' }));
    reactor.close();
    expect(second?.closed).toBe(true);
  });

  test('a line of the dump, and what console.log shows', () => {
    using made = make();
    const { reactor } = made;
    const watcher = reactor.watchHandle(40, () => {}).unref();
    expect(reactor.dump()).toContain('\n  a watcher of handle 40, unref\n');
    expect([watcher.handle, watcher.mode, watcher.priority]).toEqual([40, 'level', 0]);
    watcher.close();
    expect(reactor.dump()).not.toContain('handle');
  });
});
