// Between two callbacks of a batch, what the first one queued runs, nextTicks and promises, as
// between two timers of Node's own.
import { Interest } from '@pollux/core';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, insideTurn, macrotask, readyPipes } from './reactor-support.js';

const { readable } = Interest;

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  /** A callback that queues a little of everything, in an order that Node would not keep. */
  function queueing(log: string[], name: string): () => void {
    return () => {
      log.push(`${name} begins`);
      Promise.resolve()
        .then(() => {
          log.push(`${name} promise`);
          process.nextTick(() => log.push(`${name} nextTick of a promise`));
        })
        .then(() => log.push(`${name} then`));
      queueMicrotask(() => log.push(`${name} microtask`));
      process.nextTick(() => {
        log.push(`${name} nextTick`);
        queueMicrotask(() => log.push(`${name} microtask of a nextTick`));
        process.nextTick(() => log.push(`${name} nextTick of a nextTick`));
      });
      log.push(`${name} ends`);
    };
  }

  /** The same between two immediates, which is how Node itself does it. */
  async function asNodeDoes(...names: string[]): Promise<string[]> {
    const log: string[] = [];
    await macrotask(() => {
      for (const name of names) setImmediate(queueing(log, name));
    });
    await macrotask(() => {});
    await macrotask(() => {});
    return log;
  }

  test('two descriptors of one batch', async () => {
    using driven = new DrivenReactor(row);
    const log: string[] = [];
    const order: string[] = [];
    let deferred = 0;
    await insideTurn(driven, () => {
      readyPipes(fds, 2).forEach((fd, n) => {
        driven.reactor.watch(fd, readable, (_events, watcher) => {
          const name = `watcher ${n}`;
          order.push(name);
          watcher.close();
          if (order.length === 1) driven.reactor.defer(() => deferred++);
          queueing(log, name)();
        });
      });
    });
    await driven.until(() => deferred === 1);
    // One turn: both were called before what is deferred.
    expect(order).toHaveLength(2);
    await macrotask(() => {});
    expect(log).toEqual(await asNodeDoes(...order));
  });

  test('two watchers of one descriptor, two timers, two deferred calls', async () => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    const log: string[] = [];
    const names = ['first', 'second', 'timer', 'other timer', 'deferred', 'other deferred'];
    const [first, second, timer, otherTimer, deferred, otherDeferred] = names.map((name) =>
      queueing(log, name),
    ) as [() => void, () => void, () => void, () => void, () => void, () => void];
    await insideTurn(driven, () => {
      driven.reactor.watch(fd, readable, (_events, watcher) => {
        driven.reactor.defer(deferred);
        driven.reactor.defer(otherDeferred);
        watcher.close();
        first();
      });
      driven.reactor.watch(fd, readable, (_events, watcher) => {
        watcher.close();
        second();
      });
      driven.reactor.timer(0, timer);
      driven.reactor.timer(0, otherTimer);
    });
    await driven.until(() => log.includes('other deferred ends'));
    await macrotask(() => {});
    expect(log).toEqual(await asNodeDoes(...names));
  });

  test('what the last callback queued runs before Node goes on', async () => {
    using driven = new DrivenReactor(row);
    const log: string[] = [];
    driven.reactor.timer(0, () => {
      setImmediate(() => log.push('immediate'));
      queueing(log, 'timer')();
    });
    await driven.until(() => log.includes('immediate'));
    expect(log).toEqual([...(await asNodeDoes('timer')), 'immediate']);
  });

  const queues: Record<string, (action: () => void) => unknown> = {
    nextTick: (action) => process.nextTick(action),
    promise: (action) => Promise.resolve().then(action),
    await: async (action) => {
      await undefined;
      action();
    },
  };

  test.each(Object.entries(queues))(
    'a %s may close, pause or narrow the watcher that is next',
    async (_name, queue) => {
      for (const change of ['close', 'pause', 'update'] as const) {
        using driven = new DrivenReactor(row);
        const called: number[] = [];
        await insideTurn(driven, () => {
          const watchers = readyPipes(fds, 2).map((fd, n) =>
            driven.reactor.watch(fd, readable, () => {
              called.push(n);
              if (called.length > 1) return;
              queue(() => {
                const other = watchers[1 - n]!;
                if (change === 'update') other.update(0);
                else other[change]();
              });
            }),
          );
        });
        await driven.until(() => called.length > 3);
        expect(new Set(called).size).toBe(1);
      }
    },
  );

  test('an async callback goes on before the next one is called', async () => {
    using driven = new DrivenReactor(row);
    const log: string[] = [];
    await insideTurn(driven, () => {
      for (const fd of readyPipes(fds, 3)) {
        driven.reactor.watch(fd, readable, async (_events, watcher) => {
          watcher.close();
          log.push('begins');
          await undefined;
          log.push('goes on');
          await new Promise<void>((resolve) => process.nextTick(resolve));
          log.push('ends');
        });
      }
    });
    await driven.until(() => log.length === 9);
    expect(log).toEqual(Array(3).fill(['begins', 'goes on', 'ends']).flat());
  });

  test('a watcher that queues for ever is Node’s trouble, not more: a long chain is run to its end', async () => {
    using driven = new DrivenReactor(row);
    const log: string[] = [];
    await insideTurn(driven, () => {
      for (const name of ['first', 'second']) {
        driven.reactor.timer(0, () => {
          let links = 0;
          const link = (): void => {
            if (++links === 1000) log.push(`${name} chain`);
            else if (links % 2 === 0) process.nextTick(link);
            else queueMicrotask(link);
          };
          log.push(name);
          link();
        });
      }
    });
    await driven.until(() => log.length === 4);
    expect(log).toEqual(['first', 'first chain', 'second', 'second chain']);
  });
});

describe('a blocking turn', () => {
  const fds = countedFds();

  test('taken inside a promise drains nextTicks, and leaves promises to the end', async () => {
    for (const row of cases.filter(({ way }) => way === 'blocking')) {
      using driven = new DrivenReactor(row);
      const log: string[] = [];
      for (const fd of readyPipes(fds, 2)) {
        driven.reactor.watch(fd, readable, () => {
          log.push('watcher');
          process.nextTick(() => log.push('nextTick'));
          queueMicrotask(() => log.push('promise'));
        });
      }
      await Promise.resolve();
      expect(driven.reactor.turn(0)).toBe(2);
      await macrotask(() => {});
      expect(log.filter((entry) => entry !== 'promise')).toEqual([
        'watcher',
        'nextTick',
        'watcher',
        'nextTick',
      ]);
      expect(log.filter((entry) => entry === 'promise')).toHaveLength(2);
    }
  });
});
