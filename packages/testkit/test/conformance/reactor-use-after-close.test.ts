// Use after close: ERR_POLLUX_CLOSED from whatever would do something; nothing from what only tells,
// or closes once more.
import { Interest, Reactor } from '@pollux/core';
import { openFds } from '@pollux/testkit';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { descriptorsOf } from './poller-support.js';
import { countedFds, readyPipes, thrownBy } from './reactor-support.js';

const { readable, writable } = Interest;
const ignore = (): void => {};
const closed = { name: 'PolluxError', code: 'ERR_POLLUX_CLOSED' };

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  test('a closed reactor', () => {
    const driven = new DrivenReactor(row);
    const { reactor } = driven;
    const [fd] = readyPipes(fds, 1) as [number];
    const before = openFds();
    reactor.close();
    for (const use of [
      () => reactor.watch(fd, readable, ignore),
      () => reactor.timer(1, ignore),
      () => reactor.defer(ignore),
      () => reactor.turn(0),
      // That it is closed comes before what is wrong with the arguments.
      () => reactor.watch(-1, -1, null as unknown as () => void),
      () => reactor.timer(-1, ignore),
      () => reactor.turn(-1),
      () => reactor.poller.wait(0),
    ]) {
      const error = thrownBy(use);
      expect(error).toMatchObject(closed);
      expect(error).toBeInstanceOf(Error);
    }
    reactor.close();
    reactor[Symbol.dispose]();
    expect(reactor).toMatchObject({ closed: true, alive: false, backend: row.backend });
    expect(reactor.driver).toBe(row.way);
    const some = descriptorsOf(row) > 0 ? 1 : 0;
    expect(openFds().length).toBeLessThanOrEqual(before.length - some);
  });

  test('a reactor that was closed before it ever waited', () => {
    using other = new Reactor({ backend: row.backend, ignoreEnvironment: true });
    const driven = new DrivenReactor(row);
    driven.close();
    expect(thrownBy(() => driven.reactor.timer(1, ignore))).toMatchObject(closed);
    expect([driven.reactor.closed, other.closed]).toEqual([true, false]);
  });

  test('a closed watcher', () => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    const watcher = driven.reactor.watch(fd, readable, ignore);
    const other = driven.reactor.watch(fd, readable, ignore);
    watcher.close();
    for (const use of [
      () => watcher.update(writable),
      () => watcher.update(-1),
      () => watcher.pause(),
      () => watcher.resume(),
    ]) {
      expect(thrownBy(use)).toMatchObject(closed);
    }
    watcher.close();
    watcher[Symbol.dispose]();
    expect(watcher.ref().unref()).toBe(watcher);
    expect(watcher).toMatchObject({ closed: true, active: false, interest: readable, fd });
    expect(watcher.hasRef()).toBe(true);
    expect(other.active).toBe(true);
    other.close();
    expect(driven.reactor.alive).toBe(false);
  });

  test('a closed timer, and one that is over', async () => {
    using driven = new DrivenReactor(row);
    let called = 0;
    const over = driven.reactor.timer(0, () => called++);
    await driven.until(() => called === 1);
    const early = driven.reactor.timer(0, () => called++);
    early.close();
    for (const timer of [over, early]) {
      timer.close();
      timer[Symbol.dispose]();
      expect(timer.unref().ref()).toBe(timer);
      expect(timer.closed).toBe(true);
    }
    await driven.during(5);
    expect(called).toBe(1);
    expect(driven.reactor.alive).toBe(false);
  });

  test('what a closed reactor had made', () => {
    const driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    const watcher = driven.reactor.watch(fd, readable, ignore);
    const timer = driven.reactor.timer(1, ignore, { repeat: true });
    driven.close();
    expect(thrownBy(() => watcher.resume())).toMatchObject(closed);
    watcher.close();
    timer.close();
    expect(timer.ref().unref().closed).toBe(true);
    expect(driven.reactor.alive).toBe(false);
  });
});
