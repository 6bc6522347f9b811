// Datagrams arrive whole, once and in order on the loopback, whatever their size, and answers reach
// the one who asked.
import dgram from 'node:dgram';
import { once } from 'node:events';
import { type Endpoint, UdpSocket } from '@pollux/net';
import { expect, test } from 'vitest';
import { type Bench, onEveryReactor, pattern } from './support.js';

const V4 = '127.0.0.1';

function bind(bench: Bench, options = {}): UdpSocket {
  return bench.track(UdpSocket.bind(bench.reactor, { address: V4, ...options }));
}

/** A socket that answers everybody with what they said. */
function echo(bench: Bench, options = {}): UdpSocket {
  const server = bind(bench, options);
  server.on('message', (data, peer) => server.send(data, peer));
  return server;
}

function collect(socket: UdpSocket): { data: Buffer; peer: Endpoint }[] {
  const messages: { data: Buffer; peer: Endpoint }[] = [];
  socket.on('message', (data, peer) => messages.push({ data, peer }));
  return messages;
}

onEveryReactor((bench) => {
  test('sizes from nothing to the largest', async () => {
    const server = echo(bench());
    const client = bind(bench());
    const answers = collect(client);
    const sizes = [0, 1, 1_400, 9_000, 65_507];
    for (const [i, size] of sizes.entries()) {
      const sent = pattern(size, i);
      client.send(sent, server.address());
      await bench().until(() => answers.length === i + 1, `an answer of ${size} bytes`);
      expect(answers[i]?.data.equals(sent)).toBe(true);
      expect(answers[i]?.peer).toEqual(server.address());
    }
  });

  test('many at once are received in batches, in order, from the right peer', async () => {
    const server = echo(bench(), { receiveBufferSize: 1 << 20 });
    const clients = [bind(bench()), bind(bench()), bind(bench())];
    const answers = clients.map(collect);
    const ROUNDS = 100;
    for (let round = 0; round < ROUNDS; round++) {
      for (const [i, client] of clients.entries()) client.send(`${i}:${round}`, server.address());
    }
    await bench().until(() => answers.every((list) => list.length === ROUNDS), 'all answers');
    for (const [i, list] of answers.entries()) {
      expect(list.map(({ data }) => data.toString())).toEqual(
        Array.from({ length: ROUNDS }, (_, round) => `${i}:${round}`),
      );
    }
  });

  test("data of a message is the listener's own", async () => {
    const server = bind(bench());
    const client = bind(bench());
    const messages = collect(server);
    for (let i = 0; i < 40; i++) client.send(`message ${i}`, server.address());
    await bench().until(() => messages.length === 40, 'messages');
    client.send('overwrites the slab', server.address());
    await bench().until(() => messages.length === 41, 'one more');
    expect(messages[0]?.data.toString()).toBe('message 0');
    expect(messages[39]?.data.toString()).toBe('message 39');
  });

  test('a sent buffer may be used again at once', async () => {
    const server = bind(bench());
    const client = bind(bench());
    const messages = collect(server);
    const buffer = Buffer.from('first');
    client.send(buffer, server.address());
    buffer.fill('x');
    await bench().until(() => messages.length === 1, 'the message');
    expect(messages[0]?.data.toString()).toBe('first');
  });

  test('peer by port and address, by a plain object, or by what a listener got', async () => {
    const server = bind(bench());
    const client = bind(bench());
    const messages = collect(server);
    const { port } = server.address();
    expect(client.send('port and address', port, V4)).toBe(true);
    expect(client.send('plain', { address: V4, port })).toBe(true);
    expect(client.send(new Uint8Array([104, 105]), server.address())).toBe(true);
    await bench().until(() => messages.length === 3, 'three messages');
    expect(messages.map(({ data }) => String(data))).toEqual(['port and address', 'plain', 'hi']);
    for (const { peer } of messages) expect(peer).toEqual(client.address());
    // The same peer is the same object: nothing is formatted twice.
    expect(messages[0]?.peer).toBe(messages[2]?.peer);
    expect(String(messages[0]?.peer)).toBe(`${V4}:${client.address().port}`);
  });

  test('IPv6', async () => {
    const server = echo(bench(), { address: '::1' });
    expect(server.address()).toMatchObject({ address: '::1', family: 'IPv6' });
    const client = bind(bench(), { address: '::1' });
    const answers = collect(client);
    const largest = pattern(65_527);
    client.send('six', server.address());
    client.send(largest, server.address().port, '::1');
    await bench().until(() => answers.length === 2, 'answers');
    expect(answers[0]?.data.toString()).toBe('six');
    expect(answers[1]?.data.equals(largest)).toBe(true);
    expect(String(answers[0]?.peer)).toBe(`[::1]:${server.address().port}`);
  });

  test('a dual-stack socket hears IPv4 under a mapped address', async () => {
    const server = echo(bench(), { address: '::', ipv6Only: false });
    const client = bind(bench());
    const answers = collect(client);
    const heard = collect(server);
    client.send('four', server.address().port, V4);
    await bench().until(() => answers.length === 1, 'the answer');
    expect(heard[0]?.peer).toMatchObject({ address: `::ffff:${V4}`, family: 'IPv6' });
  });

  test('an IPv4 address given to a socket of both families is mapped', async () => {
    const server = echo(bench());
    const { port } = server.address();
    const client = bind(bench(), { address: '::', ipv6Only: false });
    const answers = collect(client);
    client.send('by port', port, V4);
    client.send('by peer', server.address());
    await bench().until(() => answers.length === 2, 'two answers');
    client.connect(server.address());
    expect(client.remote).toEqual({ address: `::ffff:${V4}`, family: 'IPv6', port });
    client.send('connected');
    await bench().until(() => answers.length === 3, 'the third');
    expect(answers.map(({ data }) => String(data))).toEqual(['by port', 'by peer', 'connected']);
    for (const { peer } of answers) expect(peer).toEqual(client.remote);
  });

  test("with Node's own socket as the peer", async () => {
    const server = echo(bench());
    const client = dgram.createSocket('udp4');
    const answers: string[] = [];
    client.on('message', (data) => answers.push(data.toString()));
    client.bind(0, V4);
    await once(client, 'listening');
    for (let i = 0; i < 20; i++) client.send(`hello ${i}`, server.address().port, V4);
    await bench().until(() => answers.length === 20, 'answers');
    expect(answers).toEqual(Array.from({ length: 20 }, (_, i) => `hello ${i}`));
    client.close();
  });

  test('a connected socket needs no address and hears its peer only', async () => {
    const server = echo(bench());
    const stranger = bind(bench());
    const client = bench().track(
      UdpSocket.connect(bench().reactor, { address: V4, port: server.address().port }),
    );
    expect(client.remote).toEqual(server.address());
    const answers = collect(client);
    stranger.send('spam', client.address());
    client.send('connected');
    await bench().until(() => answers.length === 1, 'the answer');
    await bench().idle();
    expect(answers.map(({ data }) => data.toString())).toEqual(['connected']);
  });

  test('what was sent before close is sent', async () => {
    const server = bind(bench());
    const messages = collect(server);
    const client = UdpSocket.bind(bench().reactor, { address: V4 });
    for (let i = 0; i < 10; i++) client.send(`${i}`, server.address());
    client.close();
    await bench().until(() => messages.length === 10, 'messages of a closed socket');
  });
});
