// A loop inside a loop is refused with ERR_POLLUX_NESTED wherever it is tried, and a method of the
// other mode with a code of its own; both leave the turn under way as it was.
import { Interest, Reactor } from '@pollux/core';
import { attachedCases, backends, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, macrotask, readyPipes, thrownBy } from './reactor-support.js';

const { readable } = Interest;
const NESTED = 'ERR_POLLUX_NESTED';

describe.each(backends)('%s', (backend) => {
  const fds = countedFds();
  const open = (): Reactor => new Reactor({ backend, ignoreEnvironment: true, mode: 'blocking' });

  test.each(['turn', 'runSync'] as const)('%s() in a callback of any kind', async (what) => {
    using reactor = open();
    const codes: Record<string, string | undefined> = {};
    const nested = (where: string) => (): void => {
      codes[where] = thrownBy(() => (what === 'turn' ? reactor.turn(0) : reactor.runSync())).code;
    };
    const places = [
      'prepare',
      'nextTick of prepare',
      'check',
      'watcher',
      'nextTick of watcher',
      'promise of watcher',
      'batch',
      'step of batch',
      'inactivity',
      'timer',
      'wall-clock timer',
      'deferred',
      'last nextTick',
      'idle',
    ];
    const [first, second, silent] = readyPipes(fds, 3) as [number, number, number];
    for (const kind of ['prepare', 'check'] as const) {
      reactor[kind]((_timeout, hook) => {
        nested(kind)();
        if (kind === 'prepare') process.nextTick(nested('nextTick of prepare'));
        hook.close();
      });
    }
    reactor.watch(first, readable, (_events, watcher) => {
      nested('watcher')();
      process.nextTick(nested('nextTick of watcher'));
      Promise.resolve().then(nested('promise of watcher'));
      watcher.close();
    });
    const batch = reactor.batch(() => {
      nested('batch')();
      batch.drive(() => {
        nested('step of batch')();
        return false;
      });
      batch.close();
    });
    batch.add(second, readable, 0);
    reactor.watch(
      silent,
      Interest.priority,
      (_events, watcher) => {
        nested('inactivity')();
        watcher.close();
      },
      { timeoutMs: 1 },
    );
    reactor.timer(0, nested('timer'));
    reactor.at(0, nested('wall-clock timer'));
    reactor.defer(() => {
      nested('deferred')();
      process.nextTick(nested('last nextTick'));
    });
    reactor.idle((_argument, hook) => {
      nested('idle')();
      hook.close();
    });
    await macrotask(() => reactor.runSync());
    expect(codes).toEqual(Object.fromEntries(places.map((place) => [place, NESTED])));
    // And nothing of it is left: outside, both work.
    reactor.defer(() => {});
    expect(reactor.turn(0)).toBe(1);
    reactor.runSync();
  });

  test('another reactor may take its turns in a callback', () => {
    using outer = open();
    using inner = open();
    const called: string[] = [];
    inner.timer(1, () => {
      called.push('inner');
      expect(thrownBy(() => outer.turn()).code).toBe(NESTED);
    });
    outer.defer(() => {
      inner.runSync();
      called.push('outer');
    });
    outer.runSync();
    expect(called).toEqual(['inner', 'outer']);
  });

  test('a turn that threw in its wait is over', () => {
    using reactor = open();
    reactor.poller.close();
    expect(thrownBy(() => reactor.turn(0)).code).toBe('ERR_POLLUX_CLOSED');
    expect(thrownBy(() => reactor.turn(0)).code).toBe('ERR_POLLUX_CLOSED');
  });

  test('run() of a blocking reactor is refused, inside and outside', () => {
    using reactor = open();
    let inside: string | undefined;
    expect(thrownBy(() => reactor.run()).code).toBe('ERR_POLLUX_BLOCKING');
    reactor.defer(() => {
      inside = thrownBy(() => reactor.run()).code;
    });
    reactor.runSync();
    expect(inside).toBe('ERR_POLLUX_BLOCKING');
  });
});

describe.each(attachedCases)('attached, $backend, $way', (row) => {
  test('turn() and runSync() are refused, inside and outside', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const codes = (): (string | undefined)[] => [
      thrownBy(() => reactor.turn()).code,
      thrownBy(() => reactor.turn(0)).code,
      thrownBy(() => reactor.runSync()).code,
    ];
    const expected = Array(3).fill('ERR_POLLUX_ATTACHED');
    expect(codes()).toEqual(expected);
    let inside: unknown;
    reactor.timer(0, () => {
      inside = codes();
    });
    await reactor.run();
    expect(inside).toEqual(expected);
  });

  test('a second run() is refused in callbacks too, and the first goes on', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const codes: (string | undefined)[] = [];
    const nested = (): void => {
      codes.push(thrownBy(() => reactor.run()).code);
    };
    reactor.timer(0, () => {
      nested();
      process.nextTick(nested);
      reactor.defer(nested);
      const hook = reactor.check(() => {
        nested();
        hook.close();
      });
      reactor.timer(1, nested);
    });
    await reactor.run();
    expect(codes).toEqual(Array(5).fill(NESTED));
  });

  test('a blocking reactor may take turns in a callback of an attached one', async () => {
    using driven = new DrivenReactor(row);
    using inner = new Reactor({ backend: row.backend, ignoreEnvironment: true, mode: 'blocking' });
    let called = 0;
    inner.timer(1, () => called++);
    driven.reactor.timer(0, () => inner.runSync());
    await driven.reactor.run();
    expect(called).toBe(1);
  });
});
