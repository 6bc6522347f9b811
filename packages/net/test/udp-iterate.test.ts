// for await over a socket, and the signal that closes one.
import { type Datagram, type Endpoint, UdpSocket } from '@pollux/net';
import { expect, test } from 'vitest';
import { type Bench, onEveryReactor } from './support.js';

const V4 = '127.0.0.1';

function bind(bench: Bench, options = {}): UdpSocket {
  return bench.track(UdpSocket.bind(bench.reactor, { address: V4, ...options }));
}

/** Runs a loop; tells how it ended, and what it got until then. */
function loop(
  socket: UdpSocket,
  body: (datagram: Datagram<Endpoint>, count: number) => 'break' | Promise<void> | undefined,
): { got: string[]; ended: string; error: unknown } {
  const state = { got: [] as string[], ended: 'no', error: undefined as unknown };
  const run = async () => {
    for await (const datagram of socket) {
      state.got.push(String(datagram.data));
      const verdict = body(datagram, state.got.length);
      if (verdict === 'break') break;
      await verdict;
    }
  };
  run().then(
    () => {
      state.ended = 'done';
    },
    (error) => {
      state.ended = 'thrown';
      state.error = error;
    },
  );
  return state;
}

const names = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `${from + i}`);

onEveryReactor((bench) => {
  test('data, peer and info, in order; break leaves the socket open', async () => {
    const server = bind(bench(), { packetInfo: true });
    const client = bind(bench());
    const first: Datagram<Endpoint>[] = [];
    const one = loop(server, (datagram, count) => {
      first.push(datagram);
      return count === 5 ? 'break' : undefined;
    });
    for (const name of names(5)) client.send(name, server.address());
    await bench().until(() => one.ended === 'done', 'the end of the first loop');
    expect(one.got).toEqual(names(5));
    expect(first[0]?.peer).toEqual(client.address());
    expect(first[0]?.info).toEqual({ truncated: false, localAddress: V4, interfaceIndex: 1 });
    expect(server.closed).toBe(false);
    // Another loop, and 'message' after it.
    const two = loop(server, () => 'break');
    client.send('again', server.address());
    await bench().until(() => two.ended === 'done', 'the end of the second loop');
    const messages: string[] = [];
    server.on('message', (data) => messages.push(String(data)));
    client.send('listened to', server.address());
    await bench().until(() => messages.length === 1, 'the message');
    expect([two.got, messages]).toEqual([['again'], ['listened to']]);
  });

  test('while the loop is busy the socket is not read, and the system drops', async () => {
    const server = bind(bench(), { receiveBufferSize: 4_096 });
    const client = bind(bench());
    let release: (() => void) | undefined;
    const state = loop(server, (_, count) => {
      if (count > 1) return undefined;
      return new Promise<void>((resolve) => {
        release = resolve;
      });
    });
    client.send('first', server.address());
    await bench().until(() => release !== undefined, 'the first');
    for (let round = 0; round < 10; round++) {
      for (let i = 0; i < 100; i++) client.send(Buffer.alloc(500), server.address());
      await bench().turn();
    }
    release?.();
    await bench().until(() => state.got.length > 1, 'what the system kept');
    await bench().idle();
    // At most one receive of 64 beside what the system kept.
    expect(state.got.length).toBeLessThan(200);
    await bench().until(() => {
      client.send('last', server.address()); // until it finds room
      return state.got.at(-1) === 'last';
    }, 'the last');
  });

  test('close ends the loop and drops what waits; finish hands it out', async () => {
    const client = bind(bench());
    for (const end of ['close', 'finish'] as const) {
      const server = bind(bench());
      const state = loop(server, (_, count) => {
        if (count === 3) server[end]();
        return undefined;
      });
      for (const name of names(10)) client.send(name, server.address());
      await bench().until(() => state.ended === 'done', 'the end');
      expect(state.got).toEqual(names(end === 'close' ? 3 : 10));
      expect(server.closed).toBe(true);
      expect(() => server[Symbol.asyncIterator]()).toThrow(
        expect.objectContaining({ code: 'ERR_POLLUX_CLOSED' }),
      );
    }
  });

  test('an error that nobody listens for is thrown in the loop; the socket stays', async () => {
    const client = bench().track(
      UdpSocket.connect(bench().reactor, { address: V4, port: closedPort(bench()) }),
    );
    const state = loop(client, () => undefined);
    client.send('anybody?');
    await bench().until(() => state.ended === 'thrown', 'the end');
    expect(state.error).toMatchObject({ code: 'ECONNREFUSED' });
    expect(client.closed).toBe(false);
    // With a listener the loop goes on.
    const errors: unknown[] = [];
    client.on('error', (error) => errors.push(error));
    const on = loop(client, () => undefined);
    client.send('anybody?');
    await bench().until(() => errors.length === 1, 'the error');
    expect(on.ended).toBe('no');
    client.close();
    await bench().until(() => on.ended === 'done', 'the end');
  });

  test('an error that came while a loop was busy goes with the loop that is left', async () => {
    const client = bench().track(
      UdpSocket.connect(bench().reactor, { address: V4, port: closedPort(bench()) }),
    );
    const heard = client[Symbol.asyncIterator]();
    client.send('anybody?');
    await bench().idle();
    await expect(heard.next()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    client.send('anybody?');
    await bench().idle();
    expect(await heard.return?.()).toEqual({ done: true, value: undefined });
    expect(await heard.next()).toEqual({ done: true, value: undefined });
  });

  test('the signal closes the socket, and is thrown in the loop', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const looped = bind(bench(), { signal });
    const plain = bind(bench(), { signal });
    const state = loop(looped, () => undefined);
    let closed = 0;
    plain.on('close', () => closed++);
    bench().track(plain).close();
    await bench().until(() => closed === 1, 'close');
    controller.abort(new Error('enough'));
    await bench().until(() => state.ended === 'thrown', 'the end');
    expect(state.error).toMatchObject({ message: 'enough' });
    expect(looped.closed).toBe(true);
    await bench().idle(5);
    expect(closed).toBe(1);
    expect(() => bind(bench(), { signal })).toThrow('enough');
    expect(() => bind(bench(), { signal: {} })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  });

  test('the end of the reactor ends the loop', async () => {
    const server = bind(bench());
    const state = loop(server, () => undefined);
    bench().reactor.close();
    await bench().until(() => state.ended === 'done', 'the end');
  });

  test('next without for: several at once, return', async () => {
    const server = bind(bench());
    const client = bind(bench());
    const iterator = server[Symbol.asyncIterator]();
    const results: unknown[] = [];
    for (let i = 0; i < 3; i++)
      iterator.next().then(({ value }) => results.push(String(value?.data)));
    for (const name of names(2)) client.send(name, server.address());
    await bench().until(() => results.length === 2, 'two');
    expect(await iterator.return?.()).toEqual({ done: true, value: undefined });
    await bench().until(() => results.length === 3, 'the third');
    expect(results).toEqual(['0', '1', 'undefined']);
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });
});

/** A port where nobody listens. */
function closedPort(bench: Bench): number {
  using socket = UdpSocket.bind(bench.reactor, { address: V4 });
  return socket.address().port;
}
