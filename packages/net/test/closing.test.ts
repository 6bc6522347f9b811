// Everything may be closed in any callback, the batch under way included: nobody is called about it
// any more, and nobody else is disturbed.
import { TcpListener, TcpStream, UdpSocket } from '@pollux/net';
import { expect, test } from 'vitest';
import { catchUncaught, onEveryReactor, pattern, record } from './support.js';

const V4 = '127.0.0.1';

onEveryReactor((bench) => {
  const udp = () => bench().track(UdpSocket.bind(bench().reactor, { address: V4 }));

  test('a UDP socket in its own message, with more in the batch', async () => {
    const server = udp();
    const client = udp();
    const other = udp();
    const events = record(server, 'message', 'close');
    const others = record(other, 'message');
    server.on('message', () => server.close());
    for (let i = 0; i < 10; i++) client.send(`${i}`, server.address());
    client.send('other', other.address());
    await bench().until(() => events.length === 2 && others.length === 1, 'messages');
    await bench().idle();
    expect(events.map(([name]) => name)).toEqual(['message', 'close']);
    server.close();
    expect(server.closed).toBe(true);
  });

  test('another UDP socket, ready in the same turn', async () => {
    const client = udp();
    const sockets = [udp(), udp()];
    const events: string[] = [];
    for (const [i, socket] of sockets.entries()) {
      socket.on('message', () => {
        events.push(`message ${i}`);
        for (const each of sockets) each.close();
      });
    }
    for (const socket of sockets) client.send('x', socket.address());
    await bench().until(() => events.length > 0, 'a message');
    await bench().idle();
    expect(events).toHaveLength(1);
  });

  test('a stream in its own data, and its peer', async () => {
    const { client, server } = await bench().pair();
    const clientEvents = record(client, 'end', 'close');
    const serverEvents = record(server, 'data', 'end', 'close');
    client.on('error', () => {}); // it may be reset, or merely ended
    server.on('data', () => {
      server.destroy();
      client.write('nobody reads this');
    });
    client.resume();
    client.write(pattern(1_000_000));
    await bench().until(() => clientEvents.at(-1)?.[0] === 'close', 'close');
    expect(serverEvents.map(([name]) => name)).toEqual(['data', 'close']);
    expect(server.write('x')).toBe(false);
  });

  test('a listener in its own connection: the rest of the batch is turned away', async () => {
    const { reactor } = bench();
    const listener = TcpListener.listen(reactor, { address: V4 });
    const { port } = listener.address();
    const accepted: TcpStream[] = [];
    listener.on('connection', (stream) => {
      accepted.push(bench().track(stream));
      listener.close();
    });
    const clients = Array.from({ length: 5 }, () => {
      const client = bench().track(TcpStream.connect(reactor, { address: V4, port }));
      client.on('error', () => {});
      return client.resume();
    });
    await bench().until(() => clients.filter((each) => each.destroyed).length === 4, 'four ends');
    expect(accepted).toHaveLength(1);
    expect(accepted[0]?.destroyed).toBe(false);
  });

  test('a stream while it connects, and in connect', async () => {
    const { reactor } = bench();
    const { address, port } = bench().listen().address();
    const early = TcpStream.connect(reactor, { address, port });
    const late = TcpStream.connect(reactor, { address, port });
    const events = record(early, 'connect', 'error', 'close');
    const lateEvents = record(late, 'connect', 'error', 'close');
    early.destroy();
    late.on('connect', () => late.destroy());
    await bench().until(() => events.length === 1 && lateEvents.length === 2, 'the events');
    expect(events).toEqual([['close', false]]);
    expect(lateEvents).toEqual([['connect'], ['close', false]]);
  });

  test('a connection that nobody listens for is closed', async () => {
    const listener = bench().track(TcpListener.listen(bench().reactor, { address: V4 }));
    const { address, port } = listener.address();
    const client = bench().track(TcpStream.connect(bench().reactor, { address, port }));
    client.resume().on('error', () => {});
    await bench().until(() => client.destroyed, 'the end');
  });

  test('the reactor itself, in a message: it is the last callback', async () => {
    const { reactor } = bench();
    const uncaught = catchUncaught();
    try {
      const server = udp();
      const client = udp();
      const events = record(server, 'message', 'close', 'error');
      server.on('message', (_, peer) => {
        server.send('answer', peer);
        reactor.close();
      });
      for (let i = 0; i < 5; i++) client.send(`${i}`, server.address());
      await bench().until(() => events.length > 0, 'a message');
      await bench().idle();
      expect(events.map(([name]) => name)).toEqual(['message']);
      expect(() => server.send('x', client.address())).toThrow(
        expect.objectContaining({ code: 'ERR_POLLUX_CLOSED' }),
      );
      server.close();
      expect(uncaught.errors).toEqual([]);
    } finally {
      uncaught.restore();
    }
  });

  test('the reactor itself, in the middle of a stream', async () => {
    const { reactor } = bench();
    const uncaught = catchUncaught();
    try {
      const { client, server } = await bench().pair();
      const events = record(server, 'end', 'close', 'error');
      let reads = 0;
      server.on('data', () => {
        reads++;
        server.write('answer');
        reactor.close();
      });
      client.write(pattern(3_000_000));
      await bench().until(() => reads > 0, 'data');
      await bench().idle();
      expect(reads).toBe(1);
      server.destroy();
      client.destroy();
      await bench().idle();
      expect(events).toEqual([]);
      expect(uncaught.errors).toEqual([]);
    } finally {
      uncaught.restore();
    }
  });
});
