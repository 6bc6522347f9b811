// The budget of a turn, in callbacks and in time: what is over it is served in the next turn, after a
// look at what else is ready. Nothing is lost, and nobody is forgotten.
import { Interest, type Mode, type ReactorOptions } from '@pollux/core';
import { macrotask } from '@pollux/testkit';
import { describe, expect, test } from 'vitest';
import { MemoryReactor, modes } from './memory-reactor.js';

const { readable, writable } = Interest;

interface Call {
  readonly name: string;
  readonly turn: number;
}

describe.each(modes)('%s', (mode) => {
  /** A reactor whose calls are noted with the turn they came in, counted from 0. */
  const setUp = (budget: ReactorOptions['budget']) => {
    const driven = new MemoryReactor(mode, budget === undefined ? {} : { budget });
    const calls: Call[] = [];
    let first: number | undefined;
    const note = (name: string): void => {
      const { turns } = driven.reactor.stats();
      first ??= turns;
      calls.push({ name, turn: turns - first });
    };
    /** Ready once: its callback takes the readiness away. */
    const once = (fd: number, priority = 0, how: Mode = 'level', take = true): void => {
      driven.poller.set(fd, readable);
      driven.reactor.watch(
        fd,
        readable,
        () => {
          note(`fd ${fd}`);
          if (take) driven.poller.set(fd, 0);
        },
        { priority, mode: how },
      );
    };
    const until = async (count: number): Promise<void> => {
      for (let n = 0; calls.length < count; n++) {
        expect(n).toBeLessThan(1000);
        await macrotask(() => mode === 'blocking' && driven.reactor.turn(0));
      }
    };
    return { driven, calls, note, once, until, [Symbol.dispose]: () => driven.reactor.close() };
  };
  const turnsOf = (calls: readonly Call[]): number[] => calls.map(({ turn }) => turn);

  test('so many callbacks a turn, in order, until all are served', async () => {
    using scene = setUp({ callbacks: 2 });
    for (let fd = 0; fd < 7; fd++) scene.once(fd);
    await scene.until(7);
    expect(scene.calls.map(({ name }) => name)).toEqual(
      [0, 1, 2, 3, 4, 5, 6].map((fd) => `fd ${fd}`),
    );
    expect(turnsOf(scene.calls)).toEqual([0, 0, 1, 1, 2, 2, 3]);
    await scene.driven.settle();
    expect(scene.calls).toHaveLength(7);
  });

  test('so much time a turn, one callback at least', async () => {
    for (const timeMs of [10, 1e-9]) {
      using scene = setUp({ timeMs });
      const { driven } = scene;
      for (let fd = 0; fd < 6; fd++) {
        driven.poller.set(fd, readable);
        driven.reactor.watch(fd, readable, () => {
          scene.note(`fd ${fd}`);
          driven.clock.advance(4);
          driven.poller.set(fd, 0);
        });
      }
      await scene.until(6);
      expect(turnsOf(scene.calls)).toEqual(timeMs === 10 ? [0, 0, 0, 1, 1, 1] : [0, 1, 2, 3, 4, 5]);
    }
  });

  test.each(['edge', 'oneshot'] as const)('%s: what is reported once is not lost', async (how) => {
    using scene = setUp({ callbacks: 1 });
    for (let fd = 0; fd < 5; fd++) scene.once(fd, 0, how, false);
    await scene.until(5);
    expect(turnsOf(scene.calls)).toEqual([0, 1, 2, 3, 4]);
    await scene.driven.settle();
    expect(scene.calls).toHaveLength(5);
  });

  test('more that is found on one left over is added to what it gets', async () => {
    using scene = setUp({ callbacks: 1 });
    const { driven } = scene;
    scene.once(1);
    const got: number[] = [];
    driven.poller.set(2, readable);
    const watcher = driven.reactor.watch(2, readable | writable, (events) => {
      got.push(events);
      watcher.close();
    });
    // It is left over when the first is served, and then becomes writable too.
    const hook = driven.reactor.check(() => {
      if (scene.calls.length > 0) return;
      hook.close();
      driven.reactor.defer(() => driven.poller.set(2, readable | writable));
    });
    await scene.until(1);
    while (got.length === 0) await macrotask(() => mode === 'blocking' && driven.reactor.turn(0));
    expect(got).toEqual([readable | writable]);
  });

  test('a more urgent one that comes later overtakes what was left over', async () => {
    using scene = setUp({ callbacks: 1 });
    const { driven } = scene;
    for (let fd = 0; fd < 4; fd++) scene.once(fd, -1);
    driven.reactor.defer(() => scene.once(9, 2));
    await scene.until(5);
    expect(scene.calls.map(({ name }) => name)).toEqual(['fd 0', 'fd 9', 'fd 1', 'fd 2', 'fd 3']);
  });

  test('one left over that is closed or paused does not come, and costs no budget', async () => {
    using scene = setUp({ callbacks: 1 });
    const { driven } = scene;
    scene.once(0);
    const watchers = [1, 2].map((fd) => {
      driven.poller.set(fd, readable);
      return driven.reactor.watch(fd, readable, () => scene.note('too late'));
    });
    scene.once(3);
    driven.reactor.defer(() => {
      watchers[0]?.close();
      watchers[1]?.pause();
    });
    await scene.until(2);
    expect(scene.calls).toEqual([
      { name: 'fd 0', turn: 0 },
      { name: 'fd 3', turn: 1 },
    ]);
  });

  test('timers and deferred calls are served under a flood, and do not count', async () => {
    using scene = setUp({ callbacks: 1 });
    const { driven } = scene;
    for (let fd = 0; fd < 10; fd++) scene.once(fd, 2, 'level', false);
    for (let n = 0; n < 3; n++) driven.reactor.timer(0, () => scene.note('timer'));
    for (let n = 0; n < 3; n++) driven.reactor.defer(() => scene.note('deferred'));
    await scene.until(20);
    const served = scene.calls.slice(0, 9).map(({ name }) => name.slice(0, 2));
    expect(served).toEqual(['fd', 'ti', 'ti', 'ti', 'de', 'de', 'de', 'fd', 'fd']);
    // Each in its turn.
    const flood = scene.calls.filter(({ name }) => name.startsWith('fd')).slice(0, 10);
    expect(new Set(flood.map(({ name }) => name)).size).toBe(10);
  });

  test('while something is left over, nothing waits, and the idle hooks do not come', async () => {
    using scene = setUp({ callbacks: 1 });
    const { driven } = scene;
    for (let fd = 0; fd < 4; fd++) scene.once(fd);
    driven.reactor.timer(1000, () => {});
    const hook = driven.reactor.idle(() => {
      scene.note('idle');
      hook.close();
    });
    await scene.until(5);
    expect(scene.calls.at(-1)?.name).toBe('idle');
    expect(driven.now).toBe(0);
  });

  test('without a budget all are served in one turn', async () => {
    using scene = setUp(undefined);
    for (let fd = 0; fd < 3000; fd++) scene.once(fd);
    await scene.until(3000);
    expect(new Set(turnsOf(scene.calls))).toEqual(new Set([0]));
  });
});
