// Streams of ours as Duplexes of node:stream, two ends of one connection, and http over them.
import http from 'node:http';
import type { Duplex } from 'node:stream';
import {
  createConnection,
  type SocketDuplex,
  type SocketDuplexOptions,
  type TcpListener,
  TcpStream,
  toDuplex,
} from '@pollux/net';
import type { Bench } from './support.js';

/** Destroys it when the test is over. */
export function trackDuplex<T extends Duplex>(bench: Bench, duplex: T): T {
  bench.track({ [Symbol.dispose]: () => void duplex.destroy() });
  return duplex;
}

/** Two ends of one connection, each a Duplex. */
export async function duplexPair(
  bench: Bench,
  options: SocketDuplexOptions = {},
): Promise<{ client: SocketDuplex; server: SocketDuplex; listener: TcpListener }> {
  const { client, server, listener } = await bench.pair();
  return {
    client: trackDuplex(bench, toDuplex(client, options)),
    server: trackDuplex(bench, toDuplex(server, options)),
    listener,
  };
}

/** A Duplex over a connection of ours to somebody's port. */
export function connectDuplex(
  bench: Bench,
  port: number,
  options: SocketDuplexOptions = {},
): SocketDuplex {
  const stream = bench.track(TcpStream.connect(bench.reactor, { address: '127.0.0.1', port }));
  return trackDuplex(bench, toDuplex(stream, options));
}

/** Turns the reactor until a promise is settled. */
export async function settle<T>(bench: Bench, promise: Promise<T>): Promise<T> {
  let settled = false;
  const mark = () => {
    settled = true;
  };
  promise.then(mark, mark);
  await bench.until(() => settled, 'a promise');
  return await promise;
}

/** Gives every connection of a listener of ours to a server of Node's; tells the port. */
export function serve(
  bench: Bench,
  server: { emit(event: 'connection' | 'listening', socket?: Duplex): boolean },
): { port: number; sockets: SocketDuplex[] } {
  const sockets: SocketDuplex[] = [];
  const listener = bench.listen({ allowHalfOpen: true }); // as Node's http.Server does
  listener.on('connection', (stream) => {
    const socket = trackDuplex(bench, toDuplex(stream));
    sockets.push(socket);
    server.emit('connection', socket);
  });
  server.emit('listening');
  bench.track({ [Symbol.dispose]: () => closeServer(server) });
  return { port: listener.address().port, sockets };
}

/** Ends the timers of an http.Server; that it never listened is an error it only tells. */
function closeServer(server: object): void {
  if (server instanceof http.Server) server.close();
}

/** An unmodified Agent whose connections are ours. */
export function agentOf(bench: Bench, options: http.AgentOptions = {}): http.Agent {
  const agent = new http.Agent(options);
  agent.createConnection = createConnection(bench.reactor);
  bench.track({ [Symbol.dispose]: () => agent.destroy() });
  return agent;
}

export interface Answer {
  readonly status: number | undefined;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Makes a request and takes the answer whole. */
export function request(
  options: http.RequestOptions,
  body?: string | Uint8Array,
  make: typeof http.request = http.request,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = make({ host: '127.0.0.1', ...options }, async (answer) => {
      try {
        const pieces: Buffer[] = [];
        for await (const piece of answer) pieces.push(piece as Buffer);
        const { statusCode: status, headers } = answer;
        resolve({ status, headers, body: Buffer.concat(pieces) });
      } catch (error) {
        reject(error);
      }
    });
    asked.on('error', reject);
    asked.end(body);
  });
}
