// packetInfo: where a datagram was sent to and how it came in; and sending from a chosen address.
import { type DatagramInfo, type Endpoint, UdpSocket } from '@pollux/net';
import { expect, test } from 'vitest';
import { type Bench, onEveryReactor } from './support.js';

const V4 = '127.0.0.1';

function bind(bench: Bench, options = {}): UdpSocket {
  return bench.track(UdpSocket.bind(bench.reactor, options));
}

interface Heard {
  text: string;
  peer: Endpoint;
  info: DatagramInfo | undefined;
}

function hear(socket: UdpSocket): Heard[] {
  const heard: Heard[] = [];
  socket.on('message', (data, peer, info) => heard.push({ text: String(data), peer, info }));
  return heard;
}

onEveryReactor((bench) => {
  test('IPv4: the address among many, as a plain object', async () => {
    const server = bind(bench(), { packetInfo: true });
    const heard = hear(server);
    const client = bind(bench(), { address: V4 });
    const { port } = server.address();
    for (const address of ['127.0.0.1', '127.0.0.2', '127.7.7.7']) client.send('x', port, address);
    await bench().until(() => heard.length === 3, 'three');
    expect(heard.map(({ info }) => info?.localAddress)).toEqual([
      '127.0.0.1',
      '127.0.0.2',
      '127.7.7.7',
    ]);
    // The loopback is the first interface of every system.
    expect(heard[0]?.info).toEqual({
      truncated: false,
      localAddress: V4,
      interfaceIndex: 1,
    });
    expect(heard[0]?.info).not.toBe(heard[1]?.info);
  });

  test('IPv6, and IPv4 on a socket of both', async () => {
    const server = bind(bench(), { address: '::', ipv6Only: false, packetInfo: true });
    const heard = hear(server);
    const { port } = server.address();
    bind(bench(), { address: '::1' }).send('six', port, '::1');
    await bench().until(() => heard.length === 1, 'IPv6');
    bind(bench(), { address: V4 }).send('four', port, '127.0.0.9');
    await bench().until(() => heard.length === 2, 'IPv4');
    expect(heard.map(({ info }) => info?.localAddress)).toEqual(['::1', '::ffff:127.0.0.9']);
    expect(heard.map(({ info }) => info?.interfaceIndex)).toEqual([1, 1]);
  });

  test('on the raw level: one object that tells of the datagram at hand', async () => {
    const server = bind(bench(), { packetInfo: true });
    const seen = new Set<object>();
    const locals: unknown[] = [];
    server.receive((_buffer, _offset, _length, _peer, _socket, info) => {
      seen.add(info);
      locals.push(info.localAddress, info.interfaceIndex);
    });
    const client = bind(bench(), { address: V4 });
    const { port } = server.address();
    for (const address of ['127.0.0.3', '127.0.0.4']) client.send('x', port, address);
    await bench().until(() => locals.length === 4, 'two');
    expect(locals).toEqual(['127.0.0.3', 1, '127.0.0.4', 1]);
    expect(seen.size).toBe(1);
  });

  test('without it info is undefined', async () => {
    const server = bind(bench(), { address: V4 });
    const heard = hear(server);
    bind(bench(), { address: V4 }).send('x', server.address());
    await bench().until(() => heard.length === 1, 'the message');
    expect(heard[0]?.info).toBe(undefined);
  });

  test('an answer from the address that was asked', async () => {
    const server = bind(bench(), { packetInfo: true });
    server.on('message', (data, peer, info) => server.send(data, peer, info?.localAddress));
    // Connected: it hears that address alone.
    for (const address of ['127.0.0.5', '127.0.0.6']) {
      const { port } = server.address();
      const client = bench().track(UdpSocket.connect(bench().reactor, { address, port }));
      const heard = hear(client);
      client.send('who?');
      await bench().until(() => heard.length === 1, 'the answer');
      expect(heard[0]?.peer).toMatchObject({ address, port });
    }
  });

  test('the same from the slab, and by IPv6', async () => {
    const server = bind(bench(), { address: '::', ipv6Only: false, packetInfo: true });
    server.receive((buffer, offset, length, peer, _socket, info) => {
      server.sendSlice(buffer, offset, length, peer, info.localAddress);
    });
    const { port } = server.address();
    for (const address of ['127.0.0.5', '::1']) {
      const client = bench().track(UdpSocket.connect(bench().reactor, { address, port }));
      const heard = hear(client);
      client.send('who?');
      await bench().until(() => heard.length === 1, 'the answer');
      expect(heard[0]?.peer).toMatchObject({ address, port });
    }
  });

  test('from an address that is not ours: an error, and the socket goes on', async () => {
    const server = bind(bench(), { address: V4 });
    const heard = hear(server);
    const client = bind(bench());
    const errors: { code: string }[] = [];
    client.on('error', (error) => errors.push(error));
    client.send('from nowhere', server.address(), '192.0.2.1');
    client.send('from here', server.address());
    await bench().until(() => errors.length === 1 && heard.length === 1, 'both');
    expect(errors[0]).toMatchObject({
      code: expect.stringMatching(/^(EINVAL|ENETUNREACH)$/),
      ...pick(server.address()),
    });
    expect(heard[0]?.text).toBe('from here');
    expect(() => client.send('x', server.address(), 'here')).toThrow(
      expect.objectContaining({ message: expect.stringContaining('"from"') }),
    );
    expect(() => client.send('x', server.address(), '::1')).toThrow(
      expect.objectContaining({ message: expect.stringContaining('"from"') }),
    );
  });
});

function pick({ address, port }: Endpoint): { address: string; port: number } {
  return { address, port };
}
