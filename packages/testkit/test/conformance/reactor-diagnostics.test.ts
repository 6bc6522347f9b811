// What a reactor tells of itself: counts, a dump for people, diagnostics_channel messages, and
// reports of slow callbacks with the place where their watcher was made.
import { type Channel, channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import { Interest, Reactor, wake } from '@pollux/core';
import { ManualClock, MemoryPoller } from '@pollux/core/testing';
import { pipe } from '@pollux/testkit';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { afterEach, describe, expect, test } from 'vitest';
import { countedFds, readyPipes, runFixture, thrownBy } from './reactor-support.js';

const { readable, writable } = Interest;
const ignore = (): void => {};

/** Everything that is published on `names` until the test is over. */
function heard(names: readonly string[]): () => { name: string; message: Heard }[] {
  const messages: { name: string; message: Heard }[] = [];
  const listener = (message: unknown, name: string | symbol): void => {
    messages.push({ name: String(name), message: message as Heard });
  };
  for (const name of names) subscribe(name, listener);
  cleanups.push(() => {
    for (const name of names) unsubscribe(name, listener);
  });
  return () => messages;
}

interface Closable {
  close(): void;
}

interface Heard extends Record<string, unknown> {
  reactor?: Reactor;
}

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleanups.splice(0)) clean();
});

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  test('stats count turns, events, callbacks, wakeups, and share out the time', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    expect(reactor.stats()).toMatchObject({ turns: 0, events: 0, callbacks: 0, watchers: 0 });
    const [fd] = readyPipes(fds, 1) as [number];
    let calls = 0;
    // Closed in its callback: outside, the wait thread may have found the next event already.
    reactor.watch(fd, readable, (_events, watcher) => {
      if (++calls === 3) watcher.close();
    });
    reactor.timer(60_000, ignore);
    await driven.until(() => calls === 3);
    const busy = reactor.timer(0, () => {
      const end = performance.now() + 20;
      while (performance.now() < end);
    });
    await driven.until(() => !busy.active);
    const { wakeups } = reactor.stats();
    expect(wake(reactor.poller.waker)).toBe(true);
    await driven.until(() => reactor.stats().wakeups > wakeups);
    await driven.during(20);
    const stats = reactor.stats();
    expect(stats.turns).toBeGreaterThanOrEqual(3);
    expect(stats.events).toBeGreaterThanOrEqual(3);
    expect(stats.callbacks).toBe(calls + 1);
    expect(stats).toMatchObject({ staleEvents: 0, rebuilds: 0, watchers: 0, timers: 1 });
    expect(stats.longestCallbackMs).toBeGreaterThanOrEqual(20);
    expect(stats.busyMs).toBeGreaterThanOrEqual(20);
    expect(stats.idleMs).toBeGreaterThan(0);
  });

  test('a dump names each descriptor, watcher, timer, hook and what is deferred', () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const [reader, writer] = fds.trackAll(pipe());
    reactor.watch(reader, readable, ignore, { priority: 1, timeoutMs: 5000 });
    reactor.watch(reader, readable, ignore, { mode: 'oneshot' }).pause();
    reactor.watch(writer, writable, ignore).unref();
    reactor.timer(60_000, ignore, { repeat: true });
    reactor.at(Date.now() + 60_000, ignore).unref();
    reactor.check(ignore);
    reactor.batch(ignore);
    reactor.defer(ignore);
    const [title, ...lines] = reactor.dump().trimEnd().split('\n');
    expect(title).toBe(`reactor: ${row.backend}, ${row.way}, alive`);
    expect(lines).toEqual([
      `  fd ${reader}: readable (level)`,
      '    watcher: readable (level, priority 1, timeout 5000 ms)',
      '    watcher: readable (oneshot), not active',
      `  fd ${writer}: writable (level)`,
      '    watcher: writable (level), unref',
      expect.stringMatching(/^ {2}a wall-clock timer: in (59|60)\d{3}\.\d ms, unref$/),
      expect.stringMatching(/^ {2}a watcher of fd \d+ \(readable\): in \d+\.\d ms$/),
      expect.stringMatching(/^ {2}a timer of 60000 ms, repeating: in \d+\.\d ms$/),
      '  a batch of 0 descriptors, not active',
      '  a check hook, unref',
      '  deferred calls: 1',
    ]);
    expect(inspect(reactor.timer(5, ignore).unref())).toBe(
      '<Timer: a timer of 5 ms, active, unref>',
    );
    driven.close();
    expect(thrownBy(() => reactor.dump())).toMatchObject({ code: 'ERR_POLLUX_CLOSED' });
    expect(thrownBy(() => reactor.stats())).toMatchObject({ code: 'ERR_POLLUX_CLOSED' });
  });

  test('channels tell of reactors, watchers and turns', async () => {
    const messages = heard([
      'pollux:poller:create',
      'pollux:reactor:create',
      'pollux:reactor:close',
      'pollux:watcher:open',
      'pollux:watcher:close',
      'pollux:turn',
    ]);
    const driven = new DrivenReactor(row);
    const { reactor } = driven;
    const [fd] = readyPipes(fds, 1) as [number];
    let calls = 0;
    const watcher = reactor.watch(fd, readable, () => {
      calls++;
      watcher.close();
    });
    await driven.until(() => calls === 1);
    // The message of a turn comes at its end.
    await driven.until(() => messages().some(({ name }) => name === 'pollux:turn'));
    driven.close();
    const lifeCycle = messages().filter(({ name }) => name !== 'pollux:turn');
    expect(lifeCycle.map(({ name }) => name)).toEqual([
      'pollux:poller:create',
      'pollux:reactor:create',
      'pollux:watcher:open',
      'pollux:watcher:close',
      'pollux:reactor:close',
    ]);
    expect(lifeCycle[0]?.message).toMatchObject({ backend: row.backend });
    expect(lifeCycle[0]?.message.candidates).toContainEqual(
      expect.objectContaining({ backend: row.backend, available: true, reason: undefined }),
    );
    expect(lifeCycle.slice(1).every(({ message }) => message.reactor === reactor)).toBe(true);
    expect(lifeCycle[2]?.message.watcher).toBe(watcher);
    const turn = messages().find(
      ({ name, message }) => name === 'pollux:turn' && message.callbacks,
    );
    expect(turn?.message).toEqual({ reactor, events: 1, callbacks: 1, busyMs: expect.any(Number) });
  });

  test('a slow callback is reported, with the place where its watcher was made', async () => {
    const messages = heard(['pollux:callback:slow']);
    const warnings: (Error & { code?: string })[] = [];
    const onWarning = (warning: Error): void => {
      if (warning.name === 'PolluxWarning') warnings.push(warning);
    };
    process.on('warning', onWarning);
    cleanups.push(() => process.removeListener('warning', onWarning));
    using driven = new DrivenReactor(row, { slowCallbackMs: 15 });
    const [fd] = readyPipes(fds, 1) as [number];
    const watcher = driven.reactor.watch(fd, readable, () => {
      const end = performance.now() + 15;
      while (performance.now() < end);
      watcher.close();
    });
    await driven.until(() => warnings.length > 0);
    expect(messages()[0]?.message).toMatchObject({
      reactor: driven.reactor,
      label: `a watcher of fd ${fd} (readable)`,
      origin: expect.stringContaining('reactor-diagnostics.test'),
    });
    expect(messages()[0]?.message.tookMs).toBeGreaterThanOrEqual(15);
    expect(warnings[0]).toMatchObject({ code: 'POLLUX_SLOW_CALLBACK' });
    expect(warnings[0]?.message).toMatch(
      new RegExp(
        `^The callback of a watcher of fd ${fd} \\(readable\\) took [\\d.]+ ms, made at .*`,
      ),
    );
  });

  test('a subscriber may close the watcher, or the reactor, that it is told of', async () => {
    const [reader, writer] = fds.trackAll(pipe());
    for (const what of ['watcher', 'reactor'] as const) {
      using driven = new DrivenReactor(row);
      const { reactor } = driven;
      const close = (message: unknown): void =>
        (message as Record<typeof what, Closable>)[what].close();
      subscribe('pollux:watcher:open', close);
      let calls = 0;
      const watcher = reactor.watch(writer, writable, () => calls++, { timeoutMs: 1 });
      const stream = reactor.closed ? undefined : reactor.watch(reader, readable);
      unsubscribe('pollux:watcher:open', close);
      expect(watcher).toMatchObject({ closed: true, active: false });
      expect(reactor.alive).toBe(false);
      if (stream === undefined) continue;
      expect(await stream.next()).toEqual({ done: true, value: undefined });
      expect(reactor.stats()).toMatchObject({ watchers: 0, timers: 0 });
      await driven.during(10);
      expect(calls).toBe(0);
    }
  });

  test('NODE_DEBUG=pollux writes what the channels say to stderr', async () => {
    const { code, stderr, said } = await runFixture('reactor-debug', [row.backend, row.way], {
      env: { NODE_DEBUG: 'pollux' },
    });
    expect(code).toBe(0);
    expect(said).toEqual([{ backend: row.backend, driver: row.way }, 'called']);
    const lines = stderr.trim().split('\n');
    const names = lines.map((line) => /^POLLUX \d+: (\S+)/.exec(line)?.[1]);
    for (const name of [
      'poller:create',
      'watcher:open',
      'turn',
      'watcher:close',
      'reactor:close',
    ]) {
      expect(names).toContain(`pollux:${name}`);
    }
  });
});

test('nobody listens: nothing is published', () => {
  const names = ['pollux:turn', 'pollux:watcher:open', 'pollux:reactor:create'];
  const channels = names.map((name): Channel => channel(name));
  expect(channels.map(({ hasSubscribers }) => hasSubscribers)).toEqual([false, false, false]);
});

test('time is shared out by the reactor’s own clock', () => {
  const clock = new ManualClock();
  const poller = new MemoryPoller(clock);
  const reactor = new Reactor({ poller, clock, mode: 'blocking' });
  reactor.timer(40, () => clock.advance(7));
  reactor.turn();
  expect(reactor.stats()).toMatchObject({ idleMs: 40, busyMs: 7, longestCallbackMs: 7, timers: 0 });
  reactor.close();
});
