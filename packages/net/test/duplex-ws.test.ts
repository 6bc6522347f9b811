// The ws package, unmodified, at both ends of connections of ours.
import http from 'node:http';
import { createConnection } from '@pollux/net';
import { expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { serve } from './duplex-support.js';
import { type Bench, onEveryReactor, pattern, record } from './support.js';

/** A server of ws that answers what it hears; its end ends every connection. */
function echo(bench: Bench, options = {}) {
  const server = http.createServer();
  const sockets = new WebSocketServer({ server, ...options });
  sockets.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  const served = serve(bench, server);
  return { ...served, sockets };
}

/** A client of ws over a connection of ours. */
function open(bench: Bench, port: number): WebSocket {
  const connect = createConnection(bench.reactor);
  const url = `ws://127.0.0.1:${port}/`;
  // The types know net's function only.
  const socket = new WebSocket(url, { createConnection: connect as never });
  bench.track({ [Symbol.dispose]: () => socket.terminate() });
  return socket;
}

onEveryReactor((bench) => {
  test('text and binary messages, small and large, and a clean close', async () => {
    const { port, sockets } = echo(bench());
    const socket = open(bench(), port);
    const large = pattern(3_000_000);
    const events = record(socket, 'message', 'close', 'error');
    socket.on('open', () => {
      socket.send('hello');
      socket.send(Buffer.from([1, 2, 3]));
      socket.send(large);
      socket.send('last');
    });
    await bench().until(() => events.length === 4, 'messages');
    expect(String(events[0]?.[1])).toBe('hello');
    expect(events[1]?.[1]).toEqual(Buffer.from([1, 2, 3]));
    expect(large.equals(events[2]?.[1] as Buffer)).toBe(true);
    expect([String(events[3]?.[1]), events[3]?.[2]]).toEqual(['last', false]);
    socket.close(4000, 'enough');
    await bench().until(() => socket.readyState === WebSocket.CLOSED, 'close');
    await bench().until(() => sockets.clients.size === 0, "the server's close");
    expect(events[4]?.[1]).toBe(4000);
    expect(events).toHaveLength(5);
  });

  test('compressed messages, pings and pongs', async () => {
    const { port, sockets } = echo(bench(), { perMessageDeflate: { threshold: 0 } });
    const socket = open(bench(), port);
    const text = 'again and '.repeat(100_000);
    const events = record(socket, 'message', 'pong', 'ping');
    socket.on('open', () => {
      socket.ping('are you there');
      socket.send(text);
    });
    await bench().until(() => events.length === 2, 'answers');
    expect(events.find(([name]) => name === 'pong')?.[1]).toEqual(Buffer.from('are you there'));
    expect(String(events.find(([name]) => name === 'message')?.[1])).toBe(text);
    expect(socket.extensions).toContain('permessage-deflate');
    for (const client of sockets.clients) client.ping();
    await bench().until(() => events.length === 3, 'ping');
  });

  test('the server broadcasts to 20 clients; one that vanishes is noticed', async () => {
    const { port, sockets } = echo(bench());
    const clients = Array.from({ length: 20 }, () => open(bench(), port));
    const heard = clients.map((client) => record(client, 'message'));
    await bench().until(() => clients.every((c) => c.readyState === WebSocket.OPEN), 'open');
    clients[0]?.terminate();
    await bench().until(() => sockets.clients.size === 19, 'one less');
    for (const client of sockets.clients) client.send('to all');
    await bench().until(() => heard.slice(1).every((events) => events.length === 1), 'messages');
    expect(heard[0]).toEqual([]);
  });

  test("Node's own connections at the other end", async () => {
    const { port } = echo(bench());
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    bench().track({ [Symbol.dispose]: () => socket.terminate() });
    const events = record(socket, 'message', 'error');
    socket.on('open', () => socket.send('hello'));
    await bench().until(() => events.length === 1, 'message');
    expect(String(events[0]?.[1])).toBe('hello');
  });
});
