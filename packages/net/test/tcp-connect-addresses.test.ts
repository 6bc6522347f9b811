// Several addresses for one connection (RFC 8305): refused ones cost no time, silent ones little, the
// first that answers is taken, and nothing of the others is left.
import { spawnSync } from 'node:child_process';
import { Reactor } from '@pollux/core';
import { TcpListener, TcpStream } from '@pollux/net';
import { close, connectNonblocking, openFds } from '@pollux/testkit';
import { expect, test } from 'vitest';
import { type Bench, onEveryReactor, record, runChild } from './support.js';

const V4 = '127.0.0.1';

/** An address where nothing answers: Linux drops what comes when the backlog is full. */
function blackHole(bench: Bench): { address: string; port: number } {
  const idle = new Reactor({ mode: 'blocking' });
  const listener = TcpListener.listen(idle, { address: V4, backlog: 0 });
  const { port } = listener.address();
  const fillers = [connectNonblocking(port), connectNonblocking(port)];
  bench.track({
    [Symbol.dispose]() {
      for (const fd of fillers) close(fd);
      idle.close();
    },
  });
  return { address: V4, port };
}

/** A port where nobody listens. */
function nobody(bench: Bench, address = V4): { address: string; port: number } {
  const listener = TcpListener.listen(bench.reactor, { address });
  const { port } = listener.address();
  listener.close();
  return { address, port };
}

/** Descriptors, with that of the reactor's own timers among them. */
async function settledFds(bench: Bench): Promise<number[]> {
  let fired = false;
  bench.reactor.timer(1, () => {
    fired = true;
  });
  await bench.until(() => fired, 'a timer');
  return openFds();
}

onEveryReactor((bench) => {
  const connect = (options: Parameters<typeof TcpStream.connect>[1]) =>
    bench().track(TcpStream.connect(bench().reactor, options));

  test('refused ones first, of both families', async () => {
    const listener = bench().listen();
    const { port } = listener.address();
    const addresses = [nobody(bench()), nobody(bench(), '::1'), { address: V4, port }];
    // A delay that nobody would wait for.
    const stream = connect({ addresses, attemptDelayMs: 1_000_000 });
    const events = record(stream, 'connect', 'error', 'close');
    await bench().until(() => events.length > 0, 'connect');
    expect(events).toEqual([['connect']]);
    expect(stream).toMatchObject({ remoteAddress: V4, remotePort: port });
  });

  test('one that does not answer: the next is tried beside it', async () => {
    const listener = bench().listen({ address: '::1' });
    let accepted = 0;
    listener.on('connection', () => accepted++);
    const hole = blackHole(bench());
    const before = await settledFds(bench());
    const began = performance.now();
    const stream = connect({
      addresses: [hole, listener.address()],
      attemptDelayMs: 40,
    });
    stream.write('early');
    await bench().until(() => !stream.connecting && accepted === 1, 'connect');
    expect(performance.now() - began).toBeGreaterThanOrEqual(40);
    expect(stream).toMatchObject({ remoteFamily: 'IPv6', destroyed: false });
    expect(bench().reactor.stats().timers).toBe(0);
    // The silent attempt is closed; what is new is the two ends.
    expect(openFds()).toHaveLength(before.length + 2);
  });

  test('one that does not answer, then a refused one, then a good one', async () => {
    const { address, port } = bench().listen().address();
    const addresses = [blackHole(bench()), nobody(bench()), { address, port }];
    const stream = connect({ addresses, attemptDelayMs: 20 });
    await bench().until(() => !stream.connecting, 'connect');
    expect(stream.remotePort).toBe(port);
  });

  test('plain addresses share the port', async () => {
    const { port } = bench().listen({ address: '127.0.0.9' }).address();
    const stream = connect({ addresses: ['127.0.0.8', '127.0.0.9'], port });
    await bench().until(() => !stream.connecting, 'connect');
    expect(stream.remoteAddress).toBe('127.0.0.9');
  });

  test('all fail: an AggregateError with the code of the first', async () => {
    const addresses = [
      nobody(bench()),
      { address: '255.255.255.255', port: 9 },
      nobody(bench(), '::1'),
    ];
    const stream = connect({ addresses });
    const events = record(stream, 'connect', 'error', 'close');
    await bench().until(() => events.length === 2, 'error and close');
    const error = events[0]?.[1] as AggregateError & { code: string };
    expect(error).toBeInstanceOf(AggregateError);
    expect(error.code).toBe('ECONNREFUSED');
    expect(error.errors.map(({ address }) => address)).toEqual(
      addresses.map(({ address }) => address),
    );
    expect(events[1]).toEqual(['close', true]);
  });

  test('the system refuses all at once: told later all the same', async () => {
    const stream = connect({ addresses: ['255.255.255.255', '255.255.255.255'], port: 9 });
    expect([stream.connecting, stream.destroyed]).toEqual([true, false]);
    const events = record(stream, 'error', 'close');
    await bench().until(() => events.length === 2, 'error and close');
    expect(events[0]?.[1]).toBeInstanceOf(AggregateError);
  });

  test('nobody answers: ETIMEDOUT, not early, and no attempt is left', async () => {
    const holes = [blackHole(bench()), blackHole(bench())];
    const before = await settledFds(bench());
    const began = performance.now();
    const stream = connect({ addresses: holes, connectTimeoutMs: 60, attemptDelayMs: 10 });
    const events = record(stream, 'connect', 'error', 'close');
    await bench().until(() => events.length === 2, 'error and close');
    expect(performance.now() - began).toBeGreaterThanOrEqual(60);
    expect(events[0]?.[1]).toMatchObject({ code: 'ETIMEDOUT', syscall: 'connect', ...holes[0] });
    expect(openFds()).toEqual(before);
    expect(bench().reactor.stats().timers).toBe(0);
  });

  test('destroyed with two attempts under way: a close, and nothing else', async () => {
    const holes = [blackHole(bench()), blackHole(bench())];
    const before = await settledFds(bench());
    const stream = connect({ addresses: holes, connectTimeoutMs: 10_000, attemptDelayMs: 1 });
    const events = record(stream, 'connect', 'error', 'close');
    await bench().until(() => openFds().length === before.length + 2, 'two attempts');
    stream.destroy();
    expect(openFds()).toEqual(before);
    await bench().idle();
    expect(events).toEqual([['close', false]]);
    expect(bench().reactor.stats().timers).toBe(0);
  });

  test('destroyed by another stream’s connect in the same batch', async () => {
    const { address, port } = bench().listen().address();
    const streams = [connect({ address, port }), connect({ address, port })];
    const events: string[] = [];
    for (const [i, stream] of streams.entries()) {
      stream.on('connect', () => {
        events.push(`connect ${i}`);
        streams[1 - i]?.destroy();
      });
      stream.on('close', () => events.push(`close ${i}`));
    }
    await bench().until(() => events.length === 2, 'the events');
    await bench().idle();
    expect(events.map((event) => event.split(' ')[0])).toEqual(['connect', 'close']);
  });

  test('an aborted signal closes it without an error; one aborted before is thrown', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const before = openFds();
    const hole = blackHole(bench());
    const stream = connect({ ...hole, signal });
    const events = record(stream, 'connect', 'error', 'close');
    controller.abort();
    expect(stream.destroyed).toBe(true);
    await bench().until(() => events.length === 1, 'close');
    expect(events).toEqual([['close', false]]);
    expect(() => connect({ ...hole, signal })).toThrow(
      expect.objectContaining({ name: 'AbortError' }),
    );
    expect(openFds().length).toBeGreaterThan(before.length); // the hole's
  });

  test('the reactor is closed: the stream is, without a word', async () => {
    const stream = connect({ ...blackHole(bench()), connectTimeoutMs: 10 });
    const refused = connect({ addresses: ['255.255.255.255', '255.255.255.255'], port: 9 });
    const events = record(stream, 'connect', 'error', 'close');
    bench().reactor.close();
    expect([stream.destroyed, refused.destroyed, stream.connecting]).toEqual([true, true, false]);
    await bench().idle();
    expect(events).toEqual([]);
  });

  test('unref’d, nothing of it keeps the reactor alive', async () => {
    const { reactor } = bench();
    const holes = [blackHole(bench()), blackHole(bench())];
    const stream = connect({ addresses: holes, connectTimeoutMs: 10_000, attemptDelayMs: 1 });
    expect(reactor.alive).toBe(true);
    stream.unref();
    expect(reactor.alive).toBe(false);
    await bench().idle(20);
    expect(reactor.alive).toBe(false);
    stream.ref();
    expect(reactor.alive).toBe(true);
    stream.destroy();
    await bench().idle(20);
    expect(reactor.alive).toBe(false);
  });

  test('a local address leaves out those of the other family', async () => {
    const v6 = bench().listen({ address: '::1' }).address();
    const v4 = bench().listen().address();
    const stream = connect({ addresses: [v6, v4], localAddress: V4 });
    await bench().until(() => !stream.connecting, 'connect');
    expect(stream.remoteFamily).toBe('IPv4');
    expect(() => connect({ addresses: [v6], localAddress: V4 })).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARG_VALUE',
        message: expect.stringContaining('"options.localAddress"'),
      }),
    );
  });
});

test('a process may end in the middle of it', async () => {
  const { stdout, stderr, code } = await runChild(`
    import { Reactor } from '@pollux/core';
    import { TcpListener, TcpStream } from '@pollux/net';
    const reactor = new Reactor();
    const idle = new Reactor({ mode: 'blocking' });
    const { address, port } = TcpListener.listen(idle, { address: '127.0.0.1', backlog: 0 }).address();
    for (let i = 0; i < 4; i++) TcpStream.connect(reactor, { address, port, connectTimeoutMs: 60_000 }).on('error', () => {});
    process.on('exit', () => console.log('exit'));
    setTimeout(() => process.exit(3), 50);
  `);
  expect({ stdout, stderr, code }).toEqual({ stdout: 'exit\n', stderr: '', code: 3 });
});

const namespaces = spawnSync('unshare', ['-rn', 'true']).status === 0;

test.skipIf(!namespaces)('without a route: told at once (unshare)', async () => {
  // A network namespace of its own has nothing but a loopback, which is down.
  const { stdout, code, stderr } = await runChild(
    `
    import { Reactor } from '@pollux/core';
    import { TcpStream } from '@pollux/net';
    const reactor = new Reactor();
    const stream = TcpStream.connect(reactor, { addresses: ['203.0.113.1', '2001:db8::1'], port: 9 });
    stream.on('error', (error) => console.log(error.code, error.errors.length));
  `,
    (command) => ['unshare', '-rn', ...command],
  );
  expect({ stdout, code, stderr }).toEqual({ stdout: 'ENETUNREACH 2\n', code: 0, stderr: '' });
});
