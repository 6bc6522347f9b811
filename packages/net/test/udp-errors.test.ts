// What the network refuses comes as 'error' on the socket it concerns, says where it happened, and
// leaves the socket open.
import { UdpSocket } from '@pollux/net';
import { expect, test } from 'vitest';
import { type Bench, catchUncaught, onEveryReactor, record } from './support.js';

const V4 = '127.0.0.1';

/** A port where nobody listens. */
function closedPort(bench: Bench): number {
  using socket = UdpSocket.bind(bench.reactor, { address: V4 });
  return socket.address().port;
}

onEveryReactor((bench) => {
  test('a closed port is told to a connected socket, which goes on', async () => {
    const { reactor } = bench();
    const port = closedPort(bench());
    const client = bench().track(UdpSocket.connect(reactor, { address: V4, port }));
    const events = record(client, 'error', 'close');
    client.send('anybody?');
    await bench().until(() => events.length === 1, 'the error');
    expect(events[0]).toEqual([
      'error',
      expect.objectContaining({ code: 'ECONNREFUSED', address: V4, port }),
    ]);
    // Somebody moves in: the same socket reaches them.
    const server = bench().track(UdpSocket.bind(reactor, { address: V4, port }));
    const messages = record(server, 'message');
    client.send('now?');
    await bench().until(() => messages.length === 1, 'a message after the error');
    expect(events).toHaveLength(1);
  });

  test('a closed port is nothing to a socket that is not connected', async () => {
    const port = closedPort(bench());
    const client = bench().track(UdpSocket.bind(bench().reactor, { address: V4 }));
    const events = record(client, 'error', 'close');
    for (let i = 0; i < 5; i++) client.send('anybody?', port, V4);
    await bench().idle();
    expect(events).toEqual([]);
  });

  test('a datagram that the system refuses: error with code, syscall, address and port', async () => {
    const { reactor } = bench();
    const client = bench().track(UdpSocket.bind(reactor, { address: V4 }));
    const server = bench().track(UdpSocket.bind(reactor, { address: V4 }));
    const events = record(client, 'error');
    const messages = record(server, 'message');
    client.send('before', server.address());
    client.send('no permission to broadcast', 9, '255.255.255.255');
    client.send('after', server.address());
    await bench().until(() => events.length === 1 && messages.length === 2, 'error and messages');
    expect(events[0]?.[1]).toMatchObject({
      code: expect.stringMatching(/^(EACCES|ENETUNREACH|EINVAL)$/),
      errno: expect.any(Number),
      syscall: 'sendmmsg',
      address: '255.255.255.255',
      port: 9,
    });
    expect(messages.map(([, data]) => String(data))).toEqual(['before', 'after']);
    expect(client.closed).toBe(false);
  });

  test('an address in use: thrown, and nothing stays open', () => {
    const { reactor } = bench();
    const first = bench().track(UdpSocket.bind(reactor, { address: V4 }));
    const { port } = first.address();
    expect(() => UdpSocket.bind(reactor, { address: V4, port })).toThrow(
      expect.objectContaining({ code: 'EADDRINUSE', syscall: 'bind', address: V4, port }),
    );
  });

  test('reusePort: an address in use may be another’s too, if all ask', () => {
    const { reactor } = bench();
    const options = { address: V4, port: 0, reusePort: true };
    const shared = bench().track(UdpSocket.bind(reactor, options));
    const again = { ...options, port: shared.address().port };
    const second = bench().track(UdpSocket.bind(reactor, again));
    expect(second.address()).toEqual(shared.address());
  });

  test('an error without a listener goes where the reactor sends exceptions', async () => {
    const uncaught = catchUncaught();
    try {
      const port = closedPort(bench());
      const client = bench().track(UdpSocket.connect(bench().reactor, { address: V4, port }));
      client.send('anybody?');
      await bench().until(() => uncaught.errors.length === 1, 'uncaughtException');
      expect(uncaught.errors[0]).toMatchObject({ code: 'ECONNREFUSED' });
    } finally {
      uncaught.restore();
    }
  });
});
