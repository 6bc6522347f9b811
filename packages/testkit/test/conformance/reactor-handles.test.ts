// reactor.watchHandle where there are no HANDLEs, and what it is given in error: refused at once, and
// nothing has changed. What it does on Windows: packages/iocp/test/reactor-handles.test.ts.
import { Reactor } from '@pollux/core';
import { MemoryPoller } from '@pollux/core/testing';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, thrownBy } from './reactor-support.js';
import {
  type Expected,
  expectRefusal,
  ignore,
  NOT_FUNCTIONS,
  NOT_INTEGERS,
  NOT_NUMBERS,
  NOT_OBJECTS,
  range,
  type,
  value,
} from './refusals.js';

const unsupported = { name: 'PolluxError', code: 'ERR_POLLUX_UNSUPPORTED' };

describe.each(cases)('$backend, $way', (row) => {
  countedFds();

  test('wrong arguments', () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const before = reactor.dump();
    const refused = (expected: Expected, ...given: unknown[]): void => {
      const watch = reactor.watchHandle.bind(reactor) as (...args: unknown[]) => unknown;
      expectRefusal(() => watch(...given), expected);
    };
    for (const handle of NOT_NUMBERS) refused(type('handle'), handle, ignore);
    for (const handle of [...NOT_INTEGERS, -1, 2 ** 32]) refused(range('handle'), handle, ignore);
    for (const callback of NOT_FUNCTIONS) refused(type('callback'), 4, callback);
    for (const options of NOT_OBJECTS) refused(type('options'), 4, ignore, options);
    for (const mode of ['edge', 'once', '']) refused(value('options.mode'), 4, ignore, { mode });
    refused(type('options.mode'), 4, ignore, { mode: 1 });
    for (const priority of [...NOT_INTEGERS, 3, -3]) {
      refused(range('options.priority'), 4, ignore, { priority });
    }
    refused(type('options.signal'), 4, ignore, { signal: {} });
    const reason = new Error('before');
    const signal = AbortSignal.abort(reason);
    expect(thrownBy(() => reactor.watchHandle(4, ignore, { signal }))).toBe(reason);
    expect([reactor.dump(), reactor.alive]).toEqual([before, false]);
  });

  test.skipIf(row.backend === 'iocp')('a backend without handles', () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const before = reactor.dump();
    expect(thrownBy(() => reactor.watchHandle(4, ignore))).toMatchObject({
      ...unsupported,
      message: `The ${row.backend} backend watches no handles of Windows`,
    });
    expect([reactor.dump(), reactor.alive]).toEqual([before, false]);
  });
});

test('an injected poller that has no watchHandle', () => {
  using poller = new MemoryPoller();
  using reactor = new Reactor({ poller });
  expect(thrownBy(() => reactor.watchHandle(4, ignore))).toMatchObject({
    ...unsupported,
    message: 'The memory backend watches no handles of Windows',
  });
  expect(reactor.alive).toBe(false);
});
