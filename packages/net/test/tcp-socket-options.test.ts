// What is asked of a TCP socket reaches the system: on a connection, on what a listener hands out, and
// while it is still being made.
import { TcpListener, TcpStream } from '@pollux/net';
import { describe, expect, test } from 'vitest';
import { native, SocketOption } from '../dist/native.js';
import { onEveryReactor } from './support.js';

const V4 = '127.0.0.1';
const read = (stream: { fd: number }, ...names: (keyof typeof SocketOption)[]) =>
  names.map((name) => native.getOption(stream.fd, SocketOption[name]));

const options = {
  noDelay: false,
  keepAlive: true,
  keepAliveInitialDelay: 61_500,
  keepAliveInterval: 7_000,
  keepAliveProbes: 3,
  userTimeoutMs: 12_345,
  ttl: 33,
  tos: 0x10,
};
const NAMES = [
  'noDelay',
  'keepAlive',
  'keepAliveIdle',
  'keepAliveInterval',
  'keepAliveProbes',
  'userTimeout',
  'ttl',
  'tos',
] as const;
const VALUES = [0, 1, 62, 7, 3, 12_345, 33, 0x10];

onEveryReactor((bench) => {
  test('options of both ends', async () => {
    const { client, server } = await bench().pair(options);
    expect(read(client, ...NAMES)).toEqual(VALUES);
    expect(read(server, ...NAMES)).toEqual(VALUES);
  });

  test('left out, they are the system’s, but TCP_NODELAY is on', async () => {
    const { client, server } = await bench().pair();
    for (const end of [client, server]) expect(read(end, 'noDelay', 'keepAlive')).toEqual([1, 0]);
  });

  test('changed while it lives, and before it is connected', async () => {
    const { client } = await bench().pair();
    client.setNoDelay(false).setKeepAlive(true, 30_000, 5_000, 4);
    const names = [
      'noDelay',
      'keepAlive',
      'keepAliveIdle',
      'keepAliveInterval',
      'keepAliveProbes',
    ] as const;
    expect(read(client, ...names)).toEqual([0, 1, 30, 5, 4]);
    // 0 leaves what is set.
    client.setNoDelay().setKeepAlive();
    expect(read(client, ...names)).toEqual([1, 0, 30, 5, 4]);

    const { address, port } = bench().listen().address();
    const early = bench().track(TcpStream.connect(bench().reactor, { address, port }));
    early.setNoDelay(false).setKeepAlive(true, 1);
    expect(early.fd).toBe(-1);
    await bench().until(() => !early.connecting, 'connect');
    expect(read(early, ...names.slice(0, 3))).toEqual([0, 1, 1]);

    early.destroy();
    expect(early.setNoDelay().setKeepAlive(true)).toBe(early);
  });

  test('IPv6: hop limit and traffic class', async () => {
    const listener = bench().listen({ address: '::1', ttl: 44, tos: 8 });
    let server: TcpStream | undefined;
    listener.on('connection', (stream) => {
      server = stream;
    });
    const { address, port } = listener.address();
    const client = TcpStream.connect(bench().reactor, { address, port, ttl: 55, tos: 16 });
    bench().track(client);
    await bench().until(() => server !== undefined && !client.connecting, 'connection');
    expect(read(client, 'hopLimit', 'trafficClass')).toEqual([55, 16]);
    expect(read(server as TcpStream, 'hopLimit', 'trafficClass')).toEqual([44, 8]);
  });

  test('buffer sizes are those asked for, as the system counts them', async () => {
    const { client, server } = await bench().pair({
      receiveBufferSize: 20_000,
      sendBufferSize: 30_000,
    });
    for (const { receiveBufferSize, sendBufferSize } of [client, server]) {
      // Linux doubles them (socket(7)).
      expect([20_000, 40_000]).toContain(receiveBufferSize);
      expect([30_000, 60_000]).toContain(sendBufferSize);
    }
    client.destroy();
    expect(client.receiveBufferSize).toBeUndefined();
  });

  test('from an address and a port of our own', async () => {
    const { reactor } = bench();
    const { port } = bench().listen().address();
    const from = { localAddress: '127.0.0.7' };
    const first = bench().track(TcpStream.connect(reactor, { address: V4, port, ...from }));
    await bench().until(() => !first.connecting, 'connect');
    expect(first).toMatchObject({ ...from, localFamily: 'IPv4' });

    const free = TcpListener.listen(reactor, { address: '127.0.0.7' });
    const localPort = free.address().port;
    free.close();
    const second = TcpStream.connect(reactor, { address: V4, port, ...from, localPort });
    bench().track(second);
    await bench().until(() => !second.connecting, 'connect');
    expect(second).toMatchObject({ ...from, localPort });

    // Taken: told as a refused connection is.
    const third = TcpStream.connect(reactor, { address: V4, port, ...from, localPort });
    const errors: unknown[] = [];
    third.on('error', (error) => errors.push(error));
    await bench().until(() => errors.length > 0, 'the error');
    expect(errors[0]).toMatchObject({ code: expect.stringMatching(/^EADDR(INUSE|NOTAVAIL)$/) });
  });
});

describe('deferAcceptMs', () => {
  onEveryReactor((bench) => {
    test('a connection is handed out when it has said something', async () => {
      const listener = bench().listen({ deferAcceptMs: 5_000 });
      let got = '';
      let connections = 0;
      listener.on('connection', (stream) => {
        connections++;
        stream.on('data', (data) => {
          got += data;
        });
      });
      const { address, port } = listener.address();
      const client = bench().track(TcpStream.connect(bench().reactor, { address, port }));
      await bench().until(() => !client.connecting, 'connect');
      await bench().idle(60);
      expect(connections).toBe(0);
      client.write('first words');
      await bench().until(() => got === 'first words', 'the words');
      expect(connections).toBe(1);
    });
  });
});
