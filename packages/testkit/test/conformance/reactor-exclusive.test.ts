// EPOLLEXCLUSIVE beside other watchers of the same descriptor: what goes together, what is refused,
// and that nothing which only ends something is refused for it.
import { Interest } from '@pollux/core';
import { socketpair } from '@pollux/testkit';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, readyPipes, thrownBy } from './reactor-support.js';

const { readable, priority } = Interest;
const oneshot = { mode: 'oneshot' } as const;
const ignore = (): void => {};

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  test('it is refused where the primitive has none', (context) => {
    using driven = new DrivenReactor(row);
    context.skip(driven.reactor.poller.capabilities.exclusive);
    const [reader] = readyPipes(fds, 1) as [number];
    const error = thrownBy(() =>
      driven.reactor.watch(reader, readable, ignore, { exclusive: true }),
    );
    expect(error).toMatchObject({ name: 'PolluxError', code: 'ERR_POLLUX_UNSUPPORTED' });
    expect(error.message).toContain('options.exclusive');
    expect(driven.reactor.alive).toBe(false);
  });

  test('an exclusive watcher may be joined and left by others', async (context) => {
    using driven = new DrivenReactor(row);
    context.skip(!driven.reactor.poller.capabilities.exclusive);
    const [reader] = readyPipes(fds, 1) as [number];
    const calls = [0, 0];
    const first = driven.reactor.watch(reader, readable, () => calls[0]!++, { exclusive: true });
    expect(first.exclusive).toBe(true);
    const second = driven.reactor.watch(reader, readable, () => calls[1]!++);
    await driven.until(() => calls.every((count) => count > 1));
    first.close();
    calls.fill(0);
    await driven.until(() => calls[1]! > 1);
    second.close();
    expect(calls[0]).toBe(0);
  });

  test('exclusive is refused with oneshot and priority, also beside another watcher', (context) => {
    using driven = new DrivenReactor(row);
    context.skip(!driven.reactor.poller.capabilities.exclusive);
    const [first] = fds.trackAll(socketpair());
    const refused = (interest: number, options: object): void => {
      const error = thrownBy(() => driven.reactor.watch(first, interest, ignore, options));
      expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
    };
    refused(readable, { mode: 'oneshot', exclusive: true });
    refused(readable | priority, { exclusive: true });
    const level = driven.reactor.watch(first, readable, ignore);
    refused(readable | priority, { exclusive: true });
    refused(readable, { mode: 'oneshot', exclusive: true });
    level.close();
    expect(driven.reactor.alive).toBe(false);
    // Nor can one become what it could not have been made.
    using exclusive = driven.reactor.watch(first, readable, ignore, { exclusive: true });
    expect(thrownBy(() => exclusive.update(readable | priority))).toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
    });
    expect(exclusive).toMatchObject({ interest: readable, active: true });
  });

  test('closing and pausing never throw, whatever modes are left', (context) => {
    using driven = new DrivenReactor(row);
    context.skip(!driven.reactor.poller.capabilities.exclusive);
    const [first] = fds.trackAll(socketpair());
    const exclusive = driven.reactor.watch(first, readable, ignore, { exclusive: true });
    const once = driven.reactor.watch(first, readable, ignore, oneshot);
    const level = driven.reactor.watch(first, readable, ignore);
    exclusive.pause();
    level.pause();
    exclusive.resume();
    exclusive.close();
    once.close();
    level.close();
  });
});
