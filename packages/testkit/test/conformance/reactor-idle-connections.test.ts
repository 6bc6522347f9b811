// Ten thousand idle connections with an inactivity timeout each cost nothing per event of a busy one:
// an event notes the time, and the wheel is left alone.
import { Events, Interest, Reactor } from '@pollux/core';
import { ManualClock, MemoryPoller } from '@pollux/core/testing';
import { pipe, raiseNofile, read, socketpair, write } from '@pollux/testkit';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds } from './reactor-support.js';

const { readable } = Interest;
const CONNECTIONS = 10_000;
const TIMEOUT_MS = 30_000;

/** CPU milliseconds that a busy descriptor's events take, with so many idle ones beside it. */
function cpuOf(idle: number, events: number): number {
  const clock = new ManualClock();
  const poller = new BusyPoller(clock);
  using reactor = new Reactor({ mode: 'blocking', poller, clock });
  for (let fd = 1; fd <= idle; fd++) {
    reactor.watch(fd, readable, () => {}, { timeoutMs: TIMEOUT_MS });
  }
  reactor.watch(0, readable, () => {}, { timeoutMs: TIMEOUT_MS });
  const run = (count: number): number => {
    const before = process.cpuUsage();
    for (let n = 0; n < count; n++) {
      // So slowly that no timeout comes into sight.
      clock.advance(0.001);
      reactor.turn(0);
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
  run(events / 4);
  return run(events);
}

/** Finds descriptor 0 ready in each wait, without a look at the others, as epoll does. */
class BusyPoller extends MemoryPoller {
  override wait(): number {
    this.events[0] = this.#key;
    this.events[1] = Events.readable;
    return 1;
  }

  #key = 0;

  override add(fd: number, interest: number, key: number): void {
    if (fd === 0) this.#key = key;
    super.add(fd, interest, key);
  }
}

test('the cost of an event does not depend on how many are idle', () => {
  const runs = Array.from({ length: 5 }, () => [cpuOf(0, 20_000), cpuOf(CONNECTIONS, 20_000)]);
  const least = (n: number): number => Math.min(...runs.map((run) => run[n] as number));
  // Were each of the idle ones looked at, in whatever way, it would be a hundred times as much.
  expect(least(1)).toBeLessThan(5 * least(0) + 20);
});

test('each comes to its timeout all the same, and all of them in a few turns', () => {
  const clock = new ManualClock();
  using poller = new MemoryPoller(clock);
  using reactor = new Reactor({ mode: 'blocking', poller, clock });
  const timedOut = new Set<number>();
  const wrong: number[] = [];
  for (let fd = 0; fd < CONNECTIONS; fd++) {
    reactor.watch(
      fd,
      readable,
      (events, watcher) => {
        if (events !== Events.timeout || clock.now() !== TIMEOUT_MS) wrong.push(fd);
        timedOut.add(fd);
        watcher.close();
      },
      { timeoutMs: TIMEOUT_MS },
    );
  }
  reactor.runSync();
  expect([timedOut.size, wrong, clock.now()]).toEqual([CONNECTIONS, [], TIMEOUT_MS]);
  expect(reactor.stats().turns).toBeLessThanOrEqual(6);
});

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  test('on real descriptors: the busy one is served, the idle ones stay quiet', async () => {
    // As many as the system allows; select is not made for so many.
    const most = row.backend === 'epoll' ? CONNECTIONS : 500;
    const pairs = Math.floor(Math.min(most, raiseNofile() - 200) / 2);
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    let timeouts = 0;
    // Files of their own, not duplicates: 500 of one file are more than a nested epoll may have.
    for (let n = 0; n < pairs; n++) {
      for (const fd of fds.trackAll(socketpair())) {
        reactor.watch(fd, readable, () => timeouts++, { timeoutMs: TIMEOUT_MS });
      }
    }
    const [reader, writer] = fds.trackAll(pipe());
    let served = 0;
    const { turns } = reactor.stats();
    reactor.watch(
      reader,
      readable,
      () => {
        read(reader, 1);
        if (++served < 2000) write(writer, 'x');
      },
      { timeoutMs: TIMEOUT_MS },
    );
    write(writer, 'x');
    await driven.until(() => served === 2000, 15_000);
    expect(timeouts).toBe(0);
    expect(reactor.stats().timers).toBe(2 * pairs + 1);
    expect(reactor.stats().turns - turns).toBeGreaterThanOrEqual(2000);
  });
});
