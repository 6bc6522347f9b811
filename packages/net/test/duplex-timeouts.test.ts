// The timeouts of http.Server and of sockets. Their timers are Node's; what is asserted of time is
// that nothing comes early.
import { EventEmitter, once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { type DuplexSource, toDuplex } from '@pollux/net';
import { expect, test } from 'vitest';
import { agentOf, duplexPair, request, serve, settle } from './duplex-support.js';
import { onEveryReactor, record } from './support.js';

onEveryReactor((bench) => {
  test("setTimeout: 'timeout' after silence, not before", async () => {
    const { client, server } = await duplexPair(bench());
    server.resume();
    let last = performance.now();
    /** Whether it was told since the last byte. */
    let told = false;
    client.on('data', () => {
      last = performance.now();
      told = false;
    });
    const silences: number[] = [];
    client.on('timeout', () => {
      silences.push(performance.now() - last);
      told = true;
    });
    let called = 0;
    expect(client.setTimeout(60, () => called++)).toBe(client);
    expect(client.timeout).toBe(60);
    // What is written counts, and what is read.
    for (let i = 0; i < 16; i++) {
      await bench().idle(15);
      if (i < 8) {
        last = performance.now();
        client.write('still here');
      } else {
        server.write('and here');
      }
    }
    await bench().until(() => client.bytesRead === 64 && told, 'all bytes, and a timeout');
    // libuv counts whole milliseconds, from when its loop last looked.
    for (const silence of silences) expect(silence).toBeGreaterThan(58);
    expect(called).toBe(1);
    // It is told once, and nothing else happens.
    const after = silences.length;
    await bench().idle(80);
    expect(silences).toHaveLength(after);
    expect(client.destroyed).toBe(false);
  });

  test('setTimeout: 0 ends it, and so does destroy', async () => {
    const { client } = await duplexPair(bench());
    const events = record(client, 'timeout');
    const never = () => events.push(['called']);
    client.setTimeout(10, never).setTimeout(0, never);
    expect(client.listenerCount('timeout')).toBe(1); // the recorder's
    await bench().idle(30);
    client.setTimeout(10);
    client.destroy();
    client.setTimeout(10);
    await bench().idle(30);
    expect(events).toEqual([]);
  });

  test('setTimeout: wrong arguments', async () => {
    const { client } = await duplexPair(bench());
    // biome-ignore lint/suspicious/noExplicitAny: what the types forbid is what is tested
    const set = (...args: unknown[]) => (client as any).setTimeout(...args);
    for (const junk of [undefined, null, '5', {}]) expect(() => set(junk)).toThrow(TypeError);
    for (const junk of [-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31]) {
      expect(() => set(junk)).toThrow(RangeError);
    }
    expect(() => set(5, 'call me')).toThrow(/"callback"/);
    expect(client.timeout).toBeUndefined();
  });

  test("an http.Server's keepAliveTimeout, headersTimeout and closeAllConnections", async () => {
    const server = http.createServer({ keepAliveTimeout: 40 }, (_asked, answer) => answer.end('x'));
    const { port, sockets } = serve(bench(), server);
    const agent = agentOf(bench(), { keepAlive: true });
    await settle(bench(), request({ port, agent }));
    await bench().until(() => sockets[0]?.closed === true, 'the end of an idle connection');
    // The agent has noticed, and uses a new one.
    await bench().until(() => Object.keys(agent.freeSockets).length === 0, 'an empty pool');
    await settle(bench(), request({ port, agent }));
    expect(sockets).toHaveLength(2);

    let text = '';
    const strict = http.createServer({ headersTimeout: 60, connectionsCheckingInterval: 20 });
    const { port: other } = serve(bench(), strict);
    const slow = net.connect(other, '127.0.0.1', () => slow.write('GET / HTTP/1.1\r\n'));
    slow.setEncoding('latin1').on('data', (data) => {
      text += data;
    });
    await bench().until(() => slow.closed, 'the end of a slow connection');
    expect(text).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);

    const silent = net.connect(port, '127.0.0.1');
    await bench().until(() => sockets.length === 3, 'connection');
    server.closeAllConnections();
    await bench().until(() => silent.closed, 'the end of all');
  });

  test("a client's own timeout", async () => {
    const server = http.createServer(() => {}); // never answers
    const { port, sockets } = serve(bench(), server);
    const began = performance.now();
    const asked = http.get({ port, host: '127.0.0.1', timeout: 40, agent: agentOf(bench()) });
    const events: string[] = [];
    asked.on('timeout', () => {
      events.push('timeout');
      asked.destroy();
    });
    asked.on('error', (error: NodeJS.ErrnoException) => events.push(error.code ?? ''));
    await bench().until(() => events.length === 2, 'timeout');
    expect(performance.now() - began).toBeGreaterThan(38);
    expect(events).toEqual(['timeout', 'ECONNRESET']);
    await bench().until(() => sockets[0]?.closed === true, 'close');
  });
});

test('setTimeout: a write that the peer takes piece by piece is no silence', async () => {
  let progress = true;
  let written = 0;
  // A stream of somebody else's: every look at it finds another byte written.
  const stream = Object.assign(new EventEmitter(), {
    connecting: false,
    destroyed: false,
    bytesRead: 0,
    queuedBytes: 5,
    allowHalfOpen: false,
    highWaterMark: 0,
    write: () => false,
    flush: () => {},
    end: () => {},
    destroy: () => {},
    pause: () => {},
    resume: () => {},
    ref: () => {},
    unref: () => {},
  });
  Object.defineProperty(stream, 'bytesWritten', { get: () => (progress ? written++ : written) });
  const duplex = toDuplex(stream as unknown as DuplexSource);
  const events = record(duplex, 'timeout');
  duplex.write('x');
  duplex.setTimeout(5);
  // At least three looks at it, each a timeout after the other.
  while (written < 4) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(events).toEqual([]);
  progress = false;
  await once(duplex, 'timeout');
  duplex.destroy();
});
