// The HTTP hello example serves many clients at once, keeps connections open, answers what comes
// together in order, and refuses what it does not understand.
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { expect, test } from 'vitest';
import { commandFor, interrupt, shell, start, testWith } from './support.js';

async function startHello() {
  const server = start(commandFor('http-hello', '0'));
  const [, port] = await server.until(/listening on http:\/\/127\.0\.0\.1:(\d+)\/ with \w+/);
  return { server, port: Number(port) };
}

async function get(port: number, path: string, agent: http.Agent): Promise<string> {
  const [answer] = (await once(http.get({ port, host: '127.0.0.1', path, agent }), 'response')) as [
    http.IncomingMessage,
  ];
  let text = '';
  for await (const data of answer.setEncoding('utf8')) text += data;
  return `${answer.statusCode} ${text}`;
}

/** Sends bytes as they are and returns everything that comes back until the end. */
async function raw(port: number, ...pieces: string[]): Promise<string> {
  const socket = net.connect(port, '127.0.0.1').setEncoding('latin1');
  const closed = once(socket, 'close');
  let text = '';
  socket.on('data', (data) => {
    text += data;
  });
  for (const piece of pieces) {
    socket.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await closed;
  return text;
}

test('200 clients, five requests each, over connections that stay open', async () => {
  const { server, port } = await startHello();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 200 });
  let sockets = 0;
  agent.on('free', () => {
    sockets = Math.max(sockets, Object.values(agent.freeSockets).flat().length);
  });
  for (let round = 0; round < 5; round++) {
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) => get(port, `/client-${i}`, agent)),
    );
    expect(answers).toEqual(Array.from({ length: 200 }, (_, i) => `200 hello client-${i}\n`));
  }
  expect(sockets).toBeGreaterThan(100);
  // Clients are still connected when it stops.
  await interrupt(server);
  expect(server.output.stderr).toBe('');
  agent.destroy();
});

test('pipelined requests, in pieces, a body, HEAD, and the end of the connection', async () => {
  const { port } = await startHello();
  const text = await raw(
    port,
    'GET /a HTTP/1.1\r\n\r\nGET /b HT',
    'TP/1.1\r\n\r\nPOST /c HTTP/1.1\r\nContent-Length: 10\r\n\r\nGET /',
    'bad!\nHEAD /d HTTP/1.1\r\n\r\nGET /e HTTP/1.1\r\nConnection: close\r\n\r\n',
  );
  const bodies = text.match(/hello \w+/g);
  expect(bodies).toEqual(['hello a', 'hello b', 'hello c', 'hello e']);
  expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(5);
});

test('what it does not understand is refused', async () => {
  const { port } = await startHello();
  const refusals: [string, RegExp][] = [
    ['nonsense\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['GET / HTTP/2\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['GET / HTTP/1.1\r\nContent-Length: -5\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n', /^HTTP\/1\.1 501 /],
    [`GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}`, /^HTTP\/1\.1 431 /],
  ];
  for (const [bytes, answer] of refusals) expect(await raw(port, bytes)).toMatch(answer);
  // And it still serves.
  const text = await raw(port, 'GET /you HTTP/1.0\r\n\r\n');
  expect(text).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*hello you\n$/);
});

testWith('curl')('it answers curl, twice on one connection', async () => {
  const { port } = await startHello();
  const url = `http://127.0.0.1:${port}`;
  const text = await shell(`curl -sS -w '%{num_connects}\\n' ${url}/one ${url}/two`);
  expect(text).toBe('hello one\n1\nhello two\n0\n');
});
