// Everybody's turn comes: beside descriptors that are always ready, timers and deferred calls, and
// Node's own timers and sockets where the reactor is attached, all go on.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { Interest, Reactor } from '@pollux/core';
import { eventfd, socketpair } from '@pollux/testkit';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, test } from 'vitest';
import { countedFds, readyPipes } from './reactor-support.js';

const { readable, writable } = Interest;

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  test('always ready descriptors, timers and deferred calls all progress', async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const ready = readyPipes(fds, 40);
    const [first] = fds.trackAll(socketpair());
    const counter = fds.track(eventfd(1));
    const count: Record<string, number> = { timer: 0, zero: 0, deferred: 0 };
    const counting = (name: string) => (): void => {
      count[name] = (count[name] ?? 0) + 1;
    };
    for (const fd of ready) {
      count[`pipe ${fd}`] = 0;
      reactor.watch(fd, readable, counting(`pipe ${fd}`));
    }
    for (const [name, fd, interest] of [
      ['writable', first, writable],
      ['eventfd', counter, readable],
    ] as const) {
      count[name] = 0;
      reactor.watch(fd, interest, counting(name));
    }
    reactor.timer(1, counting('timer'), { repeat: true });
    const zero = (): void => {
      counting('zero')();
      reactor.timer(0, zero);
    };
    zero();
    const deferred = (): void => {
      counting('deferred')();
      reactor.defer(deferred);
    };
    deferred();
    await driven.until(() => Object.values(count).every((calls) => calls >= 10));
  });

  test('more ready than a batch holds: each is served in its turn', async () => {
    using driven = new DrivenReactor(row);
    const calls = new Map<number, number>();
    for (const fd of readyPipes(fds, 400)) {
      calls.set(fd, 0);
      driven.reactor.watch(fd, readable, () => calls.set(fd, (calls.get(fd) ?? 0) + 1));
    }
    await driven.until(() => [...calls.values()].every((count) => count >= 3), 10_000);
  });

  test('Node’s own timers, immediates and sockets go on beside a busy attached reactor', async () => {
    if (row.way === 'blocking') return;
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    const count = { reactor: 0, timeout: 0, immediate: 0, accepted: 0 };
    driven.reactor.watch(fd, readable, () => count.reactor++);
    const interval = setInterval(() => count.timeout++, 1);
    setImmediate(function again() {
      if (++count.immediate < 50) setImmediate(again);
    });
    const server = createServer((socket) => {
      count.accepted++;
      socket.end();
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address() as AddressInfo;
    const client = connect(port, '127.0.0.1').resume();
    await once(client, 'close');
    await driven.until(
      () => Object.values(count).every((calls) => calls >= 1) && count.timeout > 5,
    );
    clearInterval(interval);
    await new Promise((closed) => server.close(closed));
  });

  test('two reactors of one thread share it', async () => {
    using driven = new DrivenReactor(row);
    using other = new Reactor({ backend: row.backend, ignoreEnvironment: true });
    const [fd] = readyPipes(fds, 1) as [number];
    const calls = [0, 0];
    driven.reactor.watch(fd, readable, () => calls[0]!++);
    other.watch(fd, readable, () => calls[1]!++);
    await driven.until(() => calls.every((count) => count > 20));
  });
});
