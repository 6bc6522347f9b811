// Bad arguments: each method throws at once a TypeError or RangeError with Node's code and the name
// of the argument, and nothing has changed. And what is no argument but a misuse: after close, while
// attached.
import { createPoller, Interest, type Poller } from '@pollux/core';
import { openFds } from '@pollux/testkit';
import { backends, cases, checkLeaks, DrivenPoller, Scene } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { expectUnknown, readyPipe, refused } from './poller-support.js';

const { readable } = Interest;
checkLeaks();

type Loose = Record<string, (...args: unknown[]) => unknown>;
const notNumbers = [undefined, null, '3', true, 3n, {}, [], Symbol.iterator, () => 3];
const notIntegers = [Number.NaN, 1.5, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

/** Which argument is wrong, how, and in which calls of a poller (fd stands for a good one). */
type Row = [name: string, error: typeof TypeError | typeof RangeError, code: string, bad: unknown];
const rows = (name: string, error: Row[1], code: string, bads: readonly unknown[]): Row[] =>
  bads.map((bad) => [name, error, code, bad]);
const wrongType = (name: string, bads: readonly unknown[]) =>
  rows(name, TypeError, 'ERR_INVALID_ARG_TYPE', bads);
const outOfRange = (name: string, bads: readonly unknown[]) =>
  rows(name, RangeError, 'ERR_OUT_OF_RANGE', bads);

const fdRows = [
  ...wrongType('fd', notNumbers),
  ...outOfRange('fd', [...notIntegers, -1, -2, 2 ** 31, 2 ** 32, 2 ** 53]),
];
const interestRows = [
  ...wrongType('interest', notNumbers),
  ...outOfRange('interest', [...notIntegers, -1, 8, 16, 32, 9, 2 ** 31]),
];
const keyRows = [
  ...wrongType('key', notNumbers),
  ...outOfRange('key', [...notIntegers, -1, 2 ** 32, 2 ** 53]),
];
const optionRows = [
  ...wrongType('options', [null, 'edge', 1, true]),
  ...wrongType('options.mode', [null, 0, {}]).map(within('mode')),
  ...rows('options.mode', TypeError, 'ERR_INVALID_ARG_VALUE', ['', 'Level', 'et']).map(
    within('mode'),
  ),
  ...wrongType('options.exclusive', [null, 0, 'true', {}]).map(within('exclusive')),
];
function within(option: string): (row: Row) => Row {
  return ([name, error, code, bad]) => [name, error, code, { [option]: bad }];
}

describe.each(cases)('$backend, $way', (row) => {
  function expectRefusals(
    poller: Poller,
    wrong: readonly Row[],
    call: (bad: unknown) => [string, ...unknown[]],
  ): void {
    for (const [name, error, code, bad] of wrong) {
      const [method, ...args] = call(bad);
      let thrown: unknown;
      try {
        (poller as unknown as Loose)[method]!(...args);
      } catch (caught) {
        thrown = caught;
      }
      const where = `${method}: ${name} ${String(bad)}`;
      expect(thrown, where).toBeInstanceOf(error);
      expect(thrown, where).toMatchObject({ code, message: expect.stringContaining(`"${name}"`) });
    }
  }

  test('add and modify: nothing is registered, nothing changed', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const { poller } = driven;
    const [reader] = readyPipe(scene);
    const [fresh] = readyPipe(scene);
    poller.add(reader, readable, 1);
    for (const [method, fd] of [
      ['add', fresh],
      ['modify', reader],
    ] as const) {
      expectRefusals(poller, fdRows, (bad) => [method, bad, readable, 2]);
      expectRefusals(poller, interestRows, (bad) => [method, fd, bad, 2]);
      expectRefusals(poller, keyRows, (bad) => [method, fd, readable, bad]);
      expectRefusals(poller, optionRows, (bad) => [method, fd, readable, 2, bad]);
    }
    expectUnknown(poller, fresh);
    expect([await driven.keys(0), await driven.keys(0)]).toEqual([[1], [1]]);
  });

  test('interest: bits that 32 do not hold are not cut off', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader] = readyPipe(scene);
    const wrong = outOfRange('interest', [2 ** 32, 2 ** 32 + 1, 2 ** 53]);
    expectRefusals(driven.poller, wrong, (bad) => ['add', reader, bad, 2]);
    driven.poller.add(reader, readable, 1);
    expectRefusals(driven.poller, wrong, (bad) => ['modify', reader, bad, 2]);
    expect(await driven.keys(0)).toEqual([1]);
  });

  test('delete and canWatch', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader] = readyPipe(scene);
    driven.poller.add(reader, readable, 1);
    for (const method of ['delete', 'canWatch'])
      expectRefusals(driven.poller, fdRows, (bad) => [method, bad]);
    expect(await driven.keys(0)).toEqual([1]);
  });

  test('use after close: a misuse with a code, and close itself is none', () => {
    using scene = new Scene();
    const [reader] = readyPipe(scene);
    const before = openFds();
    const driven = new DrivenPoller(row);
    const { poller } = driven;
    poller.add(reader, readable, 1);
    driven.close();
    expect(openFds()).toEqual(before);
    const uses: (() => unknown)[] = [
      () => poller.add(reader, readable, 1),
      () => poller.modify(reader, readable, 1),
      () => poller.delete(reader),
      () => poller.wait(0),
      () => poller.notify(),
      () => poller.canWatch(reader),
      () => poller.counters(),
      () => poller.attach(() => {}),
      () => poller.fd,
    ];
    for (const use of uses)
      expect(use).toThrow(refused('ERR_POLLUX_CLOSED', { name: 'PolluxError' }));
    poller.close();
    poller[Symbol.dispose]();
    expect(poller.events).toBeInstanceOf(Uint32Array);
    expect(poller.backend).toBe(row.backend);
  });
});

describe.each(backends)('%s', (backend) => {
  const open = () => createPoller({ backend, ignoreEnvironment: true });

  test('wait: a timeout is a number of at least 0', () => {
    using poller = open();
    for (const bad of [null, '5', true, 5n, {}, Symbol.iterator]) {
      expect(() => poller.wait(bad as never)).toThrow(
        refused('ERR_INVALID_ARG_TYPE', {
          name: 'TypeError',
          message: expect.stringContaining('timeoutMs'),
        }),
      );
    }
    for (const bad of [Number.NaN, -1, -0.001, Number.NEGATIVE_INFINITY]) {
      expect(() => poller.wait(bad)).toThrow(
        refused('ERR_OUT_OF_RANGE', {
          name: 'RangeError',
          message: expect.stringContaining('timeoutMs'),
        }),
      );
    }
    expect(poller.wait(0)).toBe(0);
  });

  test('attach: takes a function, once; wait belongs to the other thread then', () => {
    using scene = new Scene();
    using poller = open();
    poller.add(readyPipe(scene)[0], readable, 1);
    for (const bad of [undefined, null, 'f', {}, 1]) {
      expect(() => poller.attach(bad as never)).toThrow(
        refused('ERR_INVALID_ARG_TYPE', { message: expect.stringContaining('onReady') }),
      );
    }
    expect(poller.wait(0)).toBe(1);
    const attachment = poller.attach(() => {});
    expect(() => poller.attach(() => {})).toThrow(refused('ERR_POLLUX_ATTACHED'));
    expect(() => poller.wait(0)).toThrow(refused('ERR_POLLUX_ATTACHED'));
    attachment.arm(60_000);
    expect(() => poller.wait(0)).toThrow(refused('ERR_POLLUX_ATTACHED'));
    expect(() => attachment.arm(0)).toThrow(refused('EALREADY'));
    attachment.detach();
    expect(poller.wait(1000)).toBe(1);
    poller.close();
    attachment.detach();
  });
});
