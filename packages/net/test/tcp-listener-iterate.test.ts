// `for await` over a listener, and what a listener knows of its streams.
import { TcpListener, TcpStream } from '@pollux/net';
import { expect, test } from 'vitest';
import { onEveryReactor, record } from './support.js';

const V4 = '127.0.0.1';

onEveryReactor((bench) => {
  const listen = (options: Parameters<typeof TcpListener.listen>[1] = {}) =>
    bench().track(TcpListener.listen(bench().reactor, { address: V4, ...options }));
  const connect = (listener: TcpListener, count: number) =>
    Array.from({ length: count }, () => {
      const { address, port } = listener.address();
      const stream = bench().track(TcpStream.connect(bench().reactor, { address, port }));
      return stream.on('error', () => {});
    });

  test('every connection, until the listener finishes', async () => {
    const listener = listen();
    let served = 0;
    let over = false;
    const loop = (async () => {
      for await (const stream of listener) {
        served++;
        stream.end(`hello ${served}`);
      }
      over = true;
    })();
    const clients = connect(listener, 70);
    const got = clients.map((client) => record(client, 'data'));
    await bench().until(() => got.every((events) => events.length === 1), 'the words');
    listener.finish(0);
    await bench().until(() => over, 'the end');
    await loop;
    expect(served).toBe(70);
    expect(listener.closed).toBe(true);
  });

  test('a body that waits leaves the others in the backlog', async () => {
    const listener = listen();
    const loop = listener[Symbol.asyncIterator]();
    const clients = connect(listener, 3);
    await bench().until(() => clients.every(({ connecting }) => !connecting), 'connect');
    await bench().idle();
    expect(listener.streams.size).toBe(0);
    let first: TcpStream | undefined;
    void loop.next().then(({ value }) => {
      first = value;
    });
    await bench().until(() => first !== undefined, 'the first');
    await bench().idle();
    expect(listener.streams.size).toBe(1);
    expect([...listener.streams]).toEqual([first]);
    // None is lost by a finish with a slow loop.
    listener.finish(0);
    await bench().idle();
    expect(listener.closed).toBe(false);
    let more = 0;
    void (async () => {
      for await (const _ of listener) more++;
    })();
    await bench().until(() => listener.closed, 'the end');
    expect(more).toBe(2);
    for (const stream of listener.streams) stream.destroy();
  });

  test('leaving the loop closes the listener, its streams live on', async () => {
    const listener = listen();
    let stream: TcpStream | undefined;
    void (async () => {
      for await (const each of listener) {
        stream = bench().track(each);
        break;
      }
    })();
    connect(listener, 1);
    await bench().until(() => listener.closed, 'close');
    expect(stream?.destroyed).toBe(false);
    expect(listener.streams.size).toBe(1);
  });

  test('an aborted signal throws its reason in the loop; without a loop it just closes', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const [looped, plain] = [listen({ signal }), listen({ signal })];
    const events = record(plain, 'close', 'error');
    let thrown: unknown;
    const loop = (async () => {
      for await (const _ of looped);
    })().catch((error) => {
      thrown = error;
    });
    controller.abort('enough');
    await loop;
    expect(thrown).toBe('enough');
    await bench().until(() => events.length === 1, 'close');
    expect([looped.closed, plain.closed]).toEqual([true, true]);
    expect(() => listen({ signal })).toThrow('enough');
  });

  test('the streams of a listener, all ended at once', async () => {
    const listener = bench().listen();
    const clients = connect(listener, 5);
    await bench().until(() => listener.streams.size === 5, 'connections');
    const closes = clients.map((client) => record(client.resume(), 'end', 'close'));
    for (const stream of listener.streams) stream.end('bye');
    for (const stream of listener.streams) stream.resume();
    await bench().until(() => closes.every((events) => events.length === 2), 'the ends');
    await bench().until(() => listener.streams.size === 0, 'ours too');
  });

  test('maxConnections: others wait, and are served when one has left', async () => {
    const listener = bench().listen({ maxConnections: 2 });
    const clients = connect(listener, 5);
    for (const client of clients) client.resume();
    await bench().until(() => clients.every(({ connecting }) => !connecting), 'connect');
    await bench().until(() => listener.streams.size === 2, 'the first two');
    await bench().idle();
    let served = 0;
    listener.on('connection', () => served++);
    expect(listener.streams.size).toBe(2);
    for (let left = 4; left >= 0; left--) {
      const [first] = listener.streams;
      first?.destroy();
      const expected = Math.min(2, left);
      await bench().until(() => listener.streams.size === expected, 'the next');
    }
    expect(served).toBe(3);
    await bench().until(() => clients.every(({ destroyed }) => destroyed), 'all ends');
  });

  test('maxConnections does not hold a finish up', async () => {
    const listener = bench().listen({ maxConnections: 1 });
    const clients = connect(listener, 4);
    await bench().until(() => clients.every(({ connecting }) => !connecting), 'connect');
    listener.finish(0);
    await bench().until(() => listener.closed, 'the end');
    expect(listener.streams.size).toBe(4);
  });
});
