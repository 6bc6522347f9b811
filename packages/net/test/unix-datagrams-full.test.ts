// A receiver of Unix datagrams that does not read: its senders wait, in order and within a bound, and
// others are not held up. The receivers here belong to the test, and read when it says so.
import { readFileSync } from 'node:fs';
import { UnixDatagramSocket } from '@pollux/net';
import { close, drain, pipe, read, unixDgram } from '@pollux/testkit';
import { expect, test } from 'vitest';
import { onEveryReactor, record } from './support.js';
import { newName, newPath, tracked } from './unix-support.js';

/** A full receiver has so many, or one more. */
const qlen = Number(readFileSync('/proc/sys/net/unix/max_dgram_qlen', 'latin1'));

onEveryReactor((bench) => {
  const stopped = (): { path: string; fd: number } => {
    const path = newPath();
    return { path, fd: tracked(bench(), unixDgram(path)) };
  };
  /** What a receiver has, each datagram as text. */
  const readAll = (fd: number): string[] => {
    const got: string[] = [];
    for (let data = read(fd); data !== null; data = read(fd)) got.push(data.toString());
    return got;
  };
  const numbers = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);

  for (const kind of ['connected', 'not connected'] as const) {
    test(`${kind}: waits, goes on, in order and without loss`, async () => {
      const { path, fd } = stopped();
      const { reactor } = bench();
      const sender = bench().track(
        kind === 'connected'
          ? UnixDatagramSocket.connect(reactor, { path })
          : UnixDatagramSocket.open(reactor),
      );
      const to = kind === 'connected' ? undefined : path;
      const total = 20 * qlen;
      for (let i = 0; i < total; i++) {
        expect(sender.send(`${i}`, to)).toBe(true);
        if (i % 7 === 0) await bench().turn();
      }
      await bench().idle(50);
      expect(sender.queuedBytes).toBeGreaterThan(0);
      const got: string[] = [];
      await bench().until(() => {
        got.push(...readAll(fd));
        return got.length === total;
      }, 'all of them');
      expect(got).toEqual(numbers(total));
      expect(sender.queuedBytes).toBe(0);
    });

    test(`${kind}: beyond the bound send says no, and drain tells`, async () => {
      const { path, fd } = stopped();
      const { reactor } = bench();
      const options = { maxQueuedBytes: 10_000 };
      const sender = bench().track(
        kind === 'connected'
          ? UnixDatagramSocket.connect(reactor, { path, ...options })
          : UnixDatagramSocket.open(reactor, options),
      );
      const to = kind === 'connected' ? undefined : path;
      const drains = record(sender, 'drain');
      // The batch in which it turns out to be full is accepted.
      for (let i = 0; i < qlen + 2; i++) sender.send('x'.repeat(900), to);
      await bench().turn();
      let accepted = qlen + 2;
      while (sender.send('x'.repeat(900), to)) accepted++;
      expect(accepted).toBeLessThan(qlen + 20);
      expect(sender.queuedBytes).toBeLessThanOrEqual(10_000);
      expect(sender.send('x'.repeat(900), to)).toBe(false);
      let got = 0;
      await bench().until(() => {
        got += readAll(fd).length;
        return drains.length === 1;
      }, 'drain');
      got += readAll(fd).length;
      expect(got).toBe(accepted);
      expect(sender.send('y', to)).toBe(true);
      await bench().until(() => readAll(fd).includes('y'), 'another');
      expect(drains).toHaveLength(1);
    });

    test(`${kind}: nothing spins while the receiver stands still`, async () => {
      const { path } = stopped();
      const { reactor } = bench();
      const sender = bench().track(
        kind === 'connected'
          ? UnixDatagramSocket.connect(reactor, { path })
          : UnixDatagramSocket.open(reactor),
      );
      for (let i = 0; i < 3 * qlen; i++) sender.send('x', kind === 'connected' ? undefined : path);
      await bench().idle(100);
      await bench().caughtUp();
      const before = reactor.stats();
      await bench().idle(300);
      const after = reactor.stats();
      expect(after.events).toBe(before.events);
      // A retry each 64 ms at the most, or fewer where they are late; a connected one is told.
      const retries = after.callbacks - before.callbacks;
      if (kind === 'connected') expect(retries).toBe(0);
      else expect(retries).toBeLessThan(20);
      expect(sender.queuedBytes).toBeGreaterThan(0);
    });
  }

  test('one that stands still holds up nobody else', async () => {
    const still = stopped();
    const { reactor } = bench();
    const good = bench().track(UnixDatagramSocket.bind(reactor, { path: newName() }));
    const sender = bench().track(UnixDatagramSocket.open(reactor));
    const got: string[] = [];
    good.on('message', (data) => got.push(data.toString()));
    for (let i = 0; i < 200; i++) {
      sender.send(`${i}`, still.path);
      sender.send(`${i}`, good.address());
      if (i % 5 === 4) await bench().turn();
    }
    await bench().until(() => got.length === 200, 'all for the good one');
    expect(got).toEqual(numbers(200));
    expect(sender.queuedBytes).toBeGreaterThan(0);
    const late: string[] = [];
    await bench().until(() => {
      late.push(...readAll(still.fd));
      return late.length === 200;
    }, 'all for the other');
    expect(late).toEqual(numbers(200));
  });

  test('a receiver that goes away: each that waits is refused', async () => {
    const { path, fd } = stopped();
    const sender = bench().track(UnixDatagramSocket.open(bench().reactor));
    const errors = record(sender, 'error');
    for (let i = 0; i < qlen + 10; i++) sender.send(`${i}`, path);
    await bench().idle();
    expect(errors).toEqual([]);
    close(fd);
    await bench().until(() => sender.queuedBytes === 0 && errors.length > 0, 'the refusals');
    await bench().idle();
    expect(errors.length).toBeGreaterThanOrEqual(9);
    expect(errors.length).toBeLessThanOrEqual(10);
    expect(errors[0]?.[1]).toMatchObject({ code: 'ECONNREFUSED', address: path });
  });

  test('descriptors wait too, and are closed with the socket', async () => {
    const { path, fd } = stopped();
    const [reader, writer] = pipe();
    const sender = bench().track(UnixDatagramSocket.open(bench().reactor));
    for (let i = 0; i < qlen + 10; i++)
      expect(sender.sendFds(`${i}`, [reader, writer], path)).toBe(true);
    await bench().idle();
    expect(sender.queuedBytes).toBeGreaterThan(8 * 2 * 1_024);
    const got: string[] = [];
    await bench().until(() => {
      got.push(...readAll(fd));
      return got.length === qlen + 10;
    }, 'all');
    expect(got).toEqual(numbers(qlen + 10));
    for (let i = 0; i < qlen + 10; i++) sender.sendFds('', [reader, writer], path);
    await bench().idle();
    close(reader);
    close(writer);
    sender.close(); // that nothing is left open is checked in support.ts
    drain(fd);
  });

  test('finish waits for the receiver', async () => {
    const { path, fd } = stopped();
    const sender = bench().track(UnixDatagramSocket.open(bench().reactor));
    const closed = record(sender, 'close');
    for (let i = 0; i < qlen + 10; i++) sender.send(`${i}`, path);
    sender.finish();
    await bench().idle();
    expect(closed).toEqual([]);
    const got: string[] = [];
    await bench().until(() => {
      got.push(...readAll(fd));
      return closed.length === 1;
    }, 'the close');
    got.push(...readAll(fd));
    expect(got).toEqual(numbers(qlen + 10));
  });
});
