// TLS over connections of ours, at either end: tls.connect, tls.Server, https.Server, https.Agent.
import https from 'node:https';
import tls from 'node:tls';
import { createConnection } from '@pollux/net';
import { expect, test } from 'vitest';
import { selfSigned } from './certificate.js';
import {
  connectDuplex,
  duplexPair,
  request,
  serve,
  settle,
  trackDuplex,
} from './duplex-support.js';
import { onEveryReactor, pattern, record } from './support.js';

const { key, cert } = selfSigned();
const trust = { ca: cert, servername: 'localhost' };

/** An unmodified https.Agent, but for where its connections come from. */
class Agent extends https.Agent {
  readonly connect: ReturnType<typeof createConnection>;

  constructor(connect: ReturnType<typeof createConnection>, options: https.AgentOptions) {
    super(options);
    this.connect = connect;
  }

  override createConnection(
    options: https.RequestOptions,
    ...rest: [callback?: (error: Error | null, stream: import('node:stream').Duplex) => void]
  ) {
    const socket = this.connect({ ...options, allowHalfOpen: true });
    return super.createConnection({ ...options, socket } as https.RequestOptions, ...rest);
  }
}

onEveryReactor((bench) => {
  test('client and server, both over ours: data both ways, and a proper end', async () => {
    // Half-open, or Node ends the connection below when the peer has, whatever TLS has still to say.
    const { client, server } = await duplexPair(bench(), { allowHalfOpen: true });
    const sent = pattern(2_000_000);
    const secureServer = trackDuplex(
      bench(),
      new tls.TLSSocket(server, { isServer: true, key, cert }),
    );
    const secure = trackDuplex(bench(), tls.connect({ socket: client, ...trust }));
    const events = record(secure, 'secureConnect', 'end', 'close', 'error');
    const got: Buffer[] = [];
    secure.on('data', (data) => got.push(data));
    secureServer.pipe(secureServer);
    secure.end(sent);
    const told = () => events.some(([name]) => name === 'close');
    await bench().until(() => told() && client.closed && server.closed, 'close');
    expect(Buffer.concat(got).equals(sent)).toBe(true);
    expect(events.map(([name]) => name)).toEqual(['secureConnect', 'end', 'close']);
    expect(secure.authorized).toBe(true);
    // What went over the wire was encrypted.
    expect(client.bytesWritten).toBeGreaterThan(sent.length);
  });

  test("tls.connect over one that is still connecting, to Node's own server", async () => {
    const server = tls.createServer({ key, cert }, (socket) => socket.pipe(socket));
    server.listen(0, '127.0.0.1');
    await settle(bench(), new Promise((resolve) => server.on('listening', resolve)));
    const { port } = server.address() as { port: number };
    const raw = connectDuplex(bench(), port);
    const secure = trackDuplex(bench(), tls.connect({ socket: raw, ...trust }));
    let text = '';
    secure.setEncoding('utf8').on('data', (data) => {
      text += data;
    });
    secure.end('hello');
    await bench().until(() => secure.closed && raw.closed, 'close');
    expect(text).toBe('hello');
    server.close();
  });

  test('a tls.Server on our listener, and a client that does not trust it', async () => {
    const server = tls.createServer({ key, cert }, (socket) => socket.end('welcome'));
    const told = record(server, 'tlsClientError');
    const { port } = serve(bench(), server);
    const good = trackDuplex(bench(), tls.connect({ port, host: '127.0.0.1', ...trust }));
    let text = '';
    good.setEncoding('utf8').on('data', (data) => {
      text += data;
    });
    const bad = trackDuplex(
      bench(),
      tls.connect({ socket: connectDuplex(bench(), port), servername: 'localhost' }),
    );
    const errors = record(bad, 'error');
    await bench().until(() => good.closed && bad.closed, 'close');
    expect(text).toBe('welcome');
    expect(errors).toEqual([
      ['error', expect.objectContaining({ code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })],
    ]);
    expect(told.length).toBeLessThanOrEqual(1);
  });

  test('garbage in place of a handshake', async () => {
    const server = tls.createServer({ key, cert });
    const told = record(server, 'tlsClientError');
    const { port, sockets } = serve(bench(), server);
    const client = connectDuplex(bench(), port);
    client.on('error', () => {});
    client.resume().write('GET / HTTP/1.1\r\n\r\n');
    await bench().until(() => sockets[0]?.closed === true && told.length === 1, 'close');
    expect(told[0]?.[1]).toMatchObject({ code: 'ERR_SSL_HTTP_REQUEST' });
    await bench().until(() => client.closed, 'close');
  });

  test('https, client and server, over one connection that stays', async () => {
    const server = https.createServer({ key, cert }, (asked, answer) => asked.pipe(answer));
    const { port, sockets } = serve(bench(), server);
    const connect = createConnection(bench().reactor);
    const agent = new Agent(connect, { keepAlive: true, maxSockets: 1, ...trust });
    bench().track({ [Symbol.dispose]: () => agent.destroy() });
    for (const size of [0, 10, 1_000_000]) {
      const sent = pattern(size);
      const answer = await settle(
        bench(),
        request({ port, agent, method: 'POST' }, sent, https.request),
      );
      expect(answer.body.equals(sent)).toBe(true);
    }
    expect(sockets).toHaveLength(1);
    agent.destroy();
    await bench().until(() => sockets[0]?.closed === true, 'close');
  });

  test("Node's own https client", async () => {
    const server = https.createServer({ key, cert }, (asked, answer) => answer.end(asked.url));
    const { port } = serve(bench(), server);
    const answer = await settle(
      bench(),
      request({ port, path: '/x', agent: false, ...trust }, '', https.request),
    );
    expect(String(answer.body)).toBe('/x');
  });

  test('a peer that vanishes in the middle is an error of the secure socket', async () => {
    const { client, server } = await duplexPair(bench());
    const secureServer = new tls.TLSSocket(server, { isServer: true, key, cert });
    secureServer.on('error', () => {});
    const secure = trackDuplex(bench(), tls.connect({ socket: client, ...trust }));
    const events = record(secure, 'error', 'close');
    await bench().until(() => secure.authorized, 'handshake');
    secure.write(pattern(8_000_000));
    await bench().idle();
    server.destroy();
    const told = () => events.some(([name]) => name === 'close');
    await bench().until(() => told() && client.closed, 'close');
    const code = expect.stringMatching(/^(ECONNRESET|EPIPE)$/);
    expect(events[0]).toEqual(['error', expect.objectContaining({ code })]);
    // Node tells that the write failed too, as it does over any Duplex.
    expect(events.filter(([name]) => name === 'close')).toEqual([['close', true]]);
  });
});
