// What breaks a connection is told on that connection, with code, syscall, address and port, and on
// no other.
import net from 'node:net';
import { TcpListener, TcpStream } from '@pollux/net';
import { expect, test } from 'vitest';
import { onEveryReactor, pattern, record } from './support.js';

const V4 = '127.0.0.1';

onEveryReactor((bench) => {
  test('a refused connection', async () => {
    const listener = bench().listen();
    const { port } = listener.address();
    listener.close();
    const stream = TcpStream.connect(bench().reactor, { address: V4, port });
    const events = record(stream, 'connect', 'error', 'close');
    stream.write('in vain');
    await bench().until(() => events.length === 2, 'error and close');
    expect(events).toEqual([
      [
        'error',
        expect.objectContaining({
          code: 'ECONNREFUSED',
          errno: expect.any(Number),
          syscall: 'connect',
          address: V4,
          port,
          message: `ECONNREFUSED: connection refused, connect ${V4}:${port}`,
        }),
      ],
      ['close', true],
    ]);
    // Not our own doing, so no mistake either.
    expect(stream.write('too late')).toBe(false);
    expect(stream.queuedBytes).toBe(0);
  });

  test('a connection that the system refuses at once is told the same way', async () => {
    // A broadcast address: ENETUNREACH or EACCES, from connect itself.
    const options = { address: '255.255.255.255', port: 9 };
    const stream = TcpStream.connect(bench().reactor, options);
    const events = record(stream, 'error', 'close');
    await bench().until(() => events.length === 2, 'error and close');
    expect(events[0]?.[1]).toMatchObject({ syscall: 'connect', ...options });
  });

  test('a reset in the middle of a write, while another connection goes on', async () => {
    const broken = await bench().pair();
    const sound = await bench().pair();
    const got: Buffer[] = [];
    sound.server.on('data', (data) => got.push(data));
    const events = record(broken.client, 'error', 'close');
    const soundEvents = record(sound.client, 'error');
    broken.client.write(pattern(8_000_000));
    sound.client.write('before ');
    await bench().idle();
    expect(broken.client.queuedBytes).toBeGreaterThan(0);
    // Closed with bytes unread: the system sends a reset.
    broken.server.destroy();
    await bench().until(() => events.length === 2, 'error and close');
    expect(events[0]?.[1]).toMatchObject({
      code: expect.stringMatching(/^(ECONNRESET|EPIPE)$/),
      syscall: 'sendmsg',
      address: V4,
      port: broken.listener.address().port,
    });
    expect(events[1]).toEqual(['close', true]);
    expect(broken.client.queuedBytes).toBe(0);
    sound.client.end('after');
    await bench().until(() => sound.server.destroyed, 'the other connection');
    expect(String(Buffer.concat(got))).toBe('before after');
    expect(soundEvents).toEqual([]);
  });

  test('a reset while reading', async () => {
    const listener = bench().listen();
    const events: unknown[][] = [];
    listener.on('connection', (stream) => {
      events.push(...record(stream));
      stream.on('error', (error) => events.push(['error', error]));
      stream.on('close', (hadError) => events.push(['close', hadError]));
      stream.on('data', (data) => {
        events.push(['data', String(data)]);
        peer.resetAndDestroy();
      });
    });
    const peer = net.connect(listener.address().port, V4, () => peer.write('hello'));
    peer.on('error', () => {});
    await bench().until(() => events.length === 3, 'error and close');
    expect(events).toEqual([
      ['data', 'hello'],
      ['error', expect.objectContaining({ code: 'ECONNRESET', syscall: 'recv', address: V4 })],
      ['close', true],
    ]);
  });

  test('a port in use', () => {
    const { reactor } = bench();
    const { address, port } = bench().listen().address();
    expect(() => TcpListener.listen(reactor, { address, port })).toThrow(
      expect.objectContaining({
        code: 'EADDRINUSE',
        errno: expect.any(Number),
        syscall: expect.stringMatching(/^(bind|listen)$/),
        address,
        port,
      }),
    );
    // Not ours: 192.0.2.0/24 is for documentation.
    expect(() => TcpListener.listen(reactor, { address: '203.0.113.1' })).toThrow(
      expect.objectContaining({ code: 'EADDRNOTAVAIL', syscall: 'bind', address: '203.0.113.1' }),
    );
  });

  test('destroy with an error tells it, without one says nothing', async () => {
    const { client, server } = await bench().pair();
    const events = record(client, 'error', 'close');
    const serverEvents = record(server, 'error', 'close');
    const error = new Error('enough');
    expect(client.destroy(error)).toBe(client);
    client.destroy(new Error('again'));
    server.destroy();
    expect(events).toEqual([]);
    await bench().until(() => events.length === 2 && serverEvents.length === 1, 'the events');
    expect(events).toEqual([
      ['error', error],
      ['close', true],
    ]);
    expect(serverEvents).toEqual([['close', false]]);
  });

  test('a chunk that was transferred away before it was written ends the stream', async () => {
    const { client } = await bench().pair();
    const events = record(client, 'error', 'close');
    // Small ones are copied at once.
    const [small, large] = [new Uint8Array(100), new Uint8Array(100_000)];
    client.write(small);
    client.write(large);
    structuredClone(null, { transfer: [small.buffer, large.buffer] });
    await bench().until(() => events.length === 2, 'error and close');
    expect(events[0]?.[1]).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
  });
});
