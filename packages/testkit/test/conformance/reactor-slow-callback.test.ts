// A callback that takes long is reported, once, under its own name: what it queued (nextTicks,
// promises) is its cost, not that of the callback which happens to come next.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Reactor, ReactorOptions } from '@pollux/core';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { insideTurn } from './reactor-support.js';

const CHANNEL = 'pollux:callback:slow';
const SLOW_MS = 30;

interface Slow {
  readonly label: string;
  readonly tookMs: number;
  readonly origin: string | undefined;
}

function busy(ms: number): void {
  const from = performance.now();
  while (performance.now() - from < ms);
}

/** Its name is what a report is to say. */
function guilty(reactor: Reactor, callback: () => void): void {
  reactor.defer(callback);
}

describe.each(cases)('$backend, $way', (row) => {
  const reports: Slow[] = [];
  const listener = (message: unknown): void => {
    reports.push(message as Slow);
  };
  const options: ReactorOptions = { slowCallbackMs: SLOW_MS };

  beforeEach(() => {
    reports.length = 0;
    subscribe(CHANNEL, listener);
  });
  afterEach(() => {
    unsubscribe(CHANNEL, listener);
  });

  async function served(callback: () => void): Promise<void> {
    using driven = new DrivenReactor(row, options);
    let done = false;
    await insideTurn(driven, () => {
      guilty(driven.reactor, callback);
      driven.reactor.defer(() => {
        done = true;
      });
    });
    await driven.until(() => done);
  }

  function expectGuilty(): void {
    const named = reports.filter(({ origin }) => origin?.includes('guilty'));
    expect(named).toHaveLength(1);
    expect(named[0]?.label).toBe('a deferred call');
    expect(named[0]?.tookMs).toBeGreaterThanOrEqual(SLOW_MS);
  }

  test('a slow callback', async () => {
    await served(() => busy(SLOW_MS + 1));
    expectGuilty();
  });

  test('a callback whose nextTick is slow', async () => {
    await served(() => process.nextTick(() => busy(SLOW_MS + 1)));
    expectGuilty();
  });

  test('both together', async () => {
    await served(() => {
      busy(SLOW_MS / 2 + 1);
      process.nextTick(() => busy(SLOW_MS / 2 + 1));
    });
    expectGuilty();
  });

  test('somebody’s Error.prepareStackTrace makes no string: reported, without the place', async () => {
    const { prepareStackTrace } = Error;
    Error.prepareStackTrace = (_error, sites) => sites;
    try {
      await served(() => busy(SLOW_MS + 1));
    } finally {
      Error.prepareStackTrace = prepareStackTrace;
    }
    const slow = reports.filter(({ label }) => label === 'a deferred call');
    expect(slow).toHaveLength(1);
    expect(slow[0]?.origin).toBeUndefined();
  });

  test('nothing is kept or reported unasked', async () => {
    using driven = new DrivenReactor(row);
    let done = false;
    driven.reactor.defer(() => {
      busy(SLOW_MS + 1);
      done = true;
    });
    await driven.until(() => done);
    expect(reports).toEqual([]);
  });
});
