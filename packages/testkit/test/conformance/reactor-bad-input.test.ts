// Wrong arguments: a typed error, thrown at once, that names the argument; and nothing has changed.
import { Interest, Reactor, type ReactorOptions } from '@pollux/core';
import { openFds, openFile, pipe, read, write } from '@pollux/testkit';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, readyPipes, thrownBy } from './reactor-support.js';
import {
  type Expected,
  expectRefusal,
  ignore,
  NOT_BOOLEANS,
  NOT_FUNCTIONS,
  NOT_INTEGERS,
  NOT_NUMBERS,
  NOT_OBJECTS,
  range,
  type,
  value,
} from './refusals.js';

const { readable } = Interest;

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  /** A reactor that has begun to work, and a check that it is as it was. */
  async function working(driven: DrivenReactor): Promise<() => Promise<void>> {
    const [fd] = readyPipes(fds, 1) as [number];
    let calls = 0;
    driven.reactor.watch(fd, readable, () => calls++).unref();
    driven.reactor.timer(60_000, ignore).unref();
    await driven.until(() => calls > 0);
    const before = openFds();
    expect(driven.reactor.alive).toBe(false);
    return async () => {
      expect(openFds()).toEqual(before);
      expect(driven.reactor.alive).toBe(false);
      calls = 0;
      await driven.until(() => calls > 1);
    };
  }

  test('watch', async () => {
    using driven = new DrivenReactor(row);
    const [fd] = fds.trackAll(pipe());
    const unchanged = await working(driven);
    const watch = driven.reactor.watch.bind(driven.reactor) as (...args: unknown[]) => unknown;
    const refused = (expected: Expected, ...args: unknown[]): void =>
      expectRefusal(() => watch(...args), expected);

    for (const bad of NOT_NUMBERS) {
      refused(type('fd'), bad, readable, ignore);
      refused(type('interest'), fd, bad, ignore);
    }
    for (const bad of [...NOT_INTEGERS, -1, 2 ** 31, 2 ** 53]) {
      refused(range('fd'), bad, readable, ignore);
    }
    for (const bad of [...NOT_INTEGERS, -1, 8, 9, 0x8000_0000, 2 ** 32, 2 ** 32 + 1, 2 ** 53]) {
      refused(range('interest'), fd, bad, ignore);
    }
    for (const bad of NOT_FUNCTIONS) {
      // An object alone would be options, of an event stream.
      if (JSON.stringify(bad) !== '{}') refused(type('callback'), fd, readable, bad);
      refused(type('callback'), fd, readable, bad, {});
    }
    for (const bad of NOT_OBJECTS) refused(type('options'), fd, readable, ignore, bad);
    for (const bad of [null, 1, {}, true]) {
      refused(type('options.mode'), fd, readable, ignore, { mode: bad });
    }
    for (const bad of ['', 'Level', 'once', '__proto__']) {
      refused(value('options.mode'), fd, readable, ignore, { mode: bad });
    }
    for (const bad of NOT_BOOLEANS) {
      refused(type('options.exclusive'), fd, readable, ignore, { exclusive: bad });
    }
    refused(type('fd'));
    await unchanged();
  });

  test('watch: what the system refuses', async () => {
    using driven = new DrivenReactor(row);
    const unchanged = await working(driven);
    const { anyFd } = driven.reactor.poller.capabilities;
    for (const fd of [777_777, 2 ** 31 - 1]) {
      const error = thrownBy(() => driven.reactor.watch(fd, readable, ignore));
      expect(error).toMatchObject({ code: 'EBADF', fd, syscall: expect.any(String) });
    }
    await unchanged();
    const file = fds.track(openFile('/proc/self/exe'));
    if (anyFd) driven.reactor.watch(file, readable, ignore).close();
    else {
      const error = thrownBy(() => driven.reactor.watch(file, readable, ignore));
      expect(error).toMatchObject({ code: 'EPERM', fd: file });
    }
    expect(driven.reactor.alive).toBe(false);
  });

  test('update, turn, timer, defer', async () => {
    using driven = new DrivenReactor(row);
    const [fd, writer] = fds.trackAll(pipe());
    const unchanged = await working(driven);
    const { reactor } = driven;
    const watcher = reactor.watch(fd, readable, ignore).unref();
    const update = watcher.update.bind(watcher) as (interest: unknown) => void;
    for (const bad of NOT_NUMBERS) expectRefusal(() => update(bad), type('interest'));
    for (const bad of [...NOT_INTEGERS, -1, 8, 2 ** 32 + 1]) {
      expectRefusal(() => update(bad), range('interest'));
    }
    expect(watcher).toMatchObject({ interest: readable, active: true });

    const turn = reactor.turn.bind(reactor) as (timeout: unknown) => number;
    for (const bad of NOT_NUMBERS.slice(1)) expectRefusal(() => turn(bad), type('timeoutMs'));
    for (const bad of [Number.NaN, -1, -0.1, Number.NEGATIVE_INFINITY]) {
      expectRefusal(() => turn(bad), range('timeoutMs'));
    }

    const timer = reactor.timer.bind(reactor) as (...args: unknown[]) => unknown;
    for (const bad of NOT_NUMBERS) expectRefusal(() => timer(bad, ignore), type('delayMs'));
    for (const bad of [Number.NaN, -1, -0.1, Number.NEGATIVE_INFINITY]) {
      expectRefusal(() => timer(bad, ignore), range('delayMs'));
    }
    for (const bad of NOT_FUNCTIONS) expectRefusal(() => timer(1, bad), type('callback'));
    for (const bad of NOT_OBJECTS) expectRefusal(() => timer(1, ignore, bad), type('options'));
    for (const bad of NOT_BOOLEANS) {
      expectRefusal(() => timer(1, ignore, { repeat: bad }), type('options.repeat'));
    }
    for (const bad of [0, Number.POSITIVE_INFINITY]) {
      expectRefusal(() => timer(bad, ignore, { repeat: true }), range('delayMs'));
    }

    const defer = reactor.defer.bind(reactor) as (callback: unknown) => void;
    for (const bad of NOT_FUNCTIONS) expectRefusal(() => defer(bad), type('callback'));
    await unchanged();
    // The watcher that was to be changed is as it was.
    write(writer, 'x');
    expect(read(fd)?.toString()).toBe('x');
  });

  test('the reactor’s own options', () => {
    const before = openFds();
    const make = (options: unknown) => () => new Reactor(options as ReactorOptions);
    for (const bad of NOT_OBJECTS) expectRefusal(make(bad), type('options'));
    for (const bad of [null, 1, {}]) {
      expectRefusal(make({ mode: bad }), type('options.mode'));
      expectRefusal(make({ driver: bad }), type('options.driver'));
      expectRefusal(make({ backend: bad }), type('options.backend'));
      expectRefusal(make({ clock: bad }), type('options.clock'));
      expectRefusal(make({ poller: bad }), type('options.poller'));
    }
    expectRefusal(make({ mode: 'async' }), value('options.mode'));
    expectRefusal(make({ driver: 'threads' }), value('options.driver'));
    expectRefusal(make({ backend: 'polls' }), value('options.backend'));
    expectRefusal(make({ avoid: 'epoll' }), type('options.avoid'));
    expectRefusal(make({ avoid: ['polls'] }), value('options.avoid'));
    expectRefusal(make({ avoid: [1] }), type('options.avoid'));
    expectRefusal(make({ require: 'edge' }), type('options.require'));
    expectRefusal(make({ require: ['speed'] }), value('options.require'));
    expectRefusal(make({ ignoreEnvironment: 1 }), type('options.ignoreEnvironment'));
    expect(openFds()).toEqual(before);
  });

  test('methods on the wrong receiver, and classes without new', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const [fd, other] = readyPipes(fds, 2) as [number, number];
    const handles = [
      reactor.watch(fd, readable, ignore),
      reactor.timer(1, ignore),
      reactor.check(ignore),
      reactor.batch(ignore),
      reactor.watch(fd, readable),
      ...(row.way === 'blocking' ? [] : [reactor.signal('SIGINT', ignore)]),
      ...(process.platform === 'linux' ? [reactor.child(process.pid, ignore)] : []),
    ];
    for (const real of [reactor, ...handles]) {
      for (const prototype of prototypesOf(real)) {
        for (const name of Reflect.ownKeys(prototype)) {
          const { value: method } = Object.getOwnPropertyDescriptor(prototype, name) ?? {};
          if (typeof method !== 'function' || name === 'constructor') continue;
          // It gives back whatever it was called on.
          if (name === Symbol.asyncIterator) continue;
          for (const receiver of [undefined, {}, Object.create(prototype), new Proxy(real, {})]) {
            const where = `${real.constructor.name}.${String(name)}`;
            // Those that take more than nothing are given what would be right.
            const call = async (): Promise<unknown> =>
              method.call(receiver, other, readable, ignore);
            await expect(call(), where).rejects.toBeInstanceOf(TypeError);
          }
        }
        expect(() => (prototype.constructor as () => void)()).toThrow(TypeError);
      }
    }
    expect(handles.every(({ closed }) => !closed) && !reactor.closed).toBe(true);
  });
});

/** Those of an object's classes. */
function prototypesOf(object: object): Record<string | symbol, unknown>[] {
  const prototype = Object.getPrototypeOf(object) as Record<string | symbol, unknown>;
  return prototype === Object.prototype ? [] : [prototype, ...prototypesOf(prototype)];
}
