// The http.Server of Node on our sockets keeps connections open, takes chunked and large bodies, and
// lives on when a client gives up in the middle of one.
import { once } from 'node:events';
import http from 'node:http';
import { expect, test } from 'vitest';
import { commandFor, interrupt, shell, start, testWith } from './support.js';

async function startServer() {
  const server = start(commandFor('http-over-pollux', '0'));
  const [, port] = await server.until(/listening on http:\/\/127\.0\.0\.1:(\d+)\/ with \w+/);
  return { server, port: Number(port) };
}

interface Answer {
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

async function answerOf(asked: http.ClientRequest): Promise<Answer> {
  const [answer] = (await once(asked, 'response')) as [http.IncomingMessage];
  const pieces: Buffer[] = [];
  for await (const piece of answer) pieces.push(piece as Buffer);
  return { headers: answer.headers, body: Buffer.concat(pieces) };
}

test('50 clients, five requests each, over connections that stay open', async () => {
  const { server, port } = await startServer();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 50 });
  let sockets = 0;
  agent.createConnection = new Proxy(agent.createConnection, {
    apply(target, self, args) {
      sockets++;
      return Reflect.apply(target, self, args);
    },
  });
  for (let round = 0; round < 5; round++) {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        answerOf(http.get({ port, host: '127.0.0.1', path: `/client-${i}`, agent })),
      ),
    );
    expect(answers.map(({ body }) => String(body))).toEqual(
      Array.from({ length: 50 }, (_, i) => `hello client-${i}\n`),
    );
  }
  expect(sockets).toBe(50);
  // Clients are still connected when it stops.
  await interrupt(server);
  expect(server.output.stderr).toBe('');
  agent.destroy();
});

test('a body of 1 MB, and one in chunks, come back', async () => {
  const { port } = await startServer();
  const options = { port, host: '127.0.0.1', path: '/echo', method: 'POST' };
  const body = Buffer.alloc(1_000_000, 'abcdefg');
  const whole = http.request({ ...options, headers: { 'content-length': body.length } });
  whole.end(body);
  expect((await answerOf(whole)).body.equals(body)).toBe(true);

  const chunked = http.request(options);
  for (let at = 0; at < body.length; at += 100_000) chunked.write(body.subarray(at, at + 100_000));
  chunked.end();
  const answer = await answerOf(chunked);
  expect(answer.headers['transfer-encoding']).toBe('chunked');
  expect(answer.body.equals(body)).toBe(true);
});

test('a client that gives up in the middle of its body costs nobody else anything', async () => {
  const { server, port } = await startServer();
  const options = { port, host: '127.0.0.1', path: '/echo', method: 'POST' };
  const gone = http.request(options);
  gone.on('error', () => {});
  gone.write(Buffer.alloc(100_000));
  await once(gone, 'response');
  gone.destroy();
  await server.until(/127\.0\.0\.1 gave up/);
  const { body } = await answerOf(http.get({ port, host: '127.0.0.1', path: '/you' }));
  expect(String(body)).toBe('hello you\n');
  expect(server.output.stderr).toBe('');
});

testWith('curl')('it answers curl, twice on one connection, and bodies', async () => {
  const { port } = await startServer();
  const url = `http://127.0.0.1:${port}`;
  const text = await shell(`curl -sS -w '%{num_connects}\\n' ${url}/one ${url}/two`);
  expect(text).toBe('hello one\n1\nhello two\n0\n');
  const post = 'head -c 1000000 /dev/zero | curl -sS --data-binary @-';
  expect(await shell(`${post} ${url}/echo | wc -c`)).toMatch(/^\s*1000000\n$/);
  const chunked = `${post} -H 'Transfer-Encoding: chunked' ${url}/echo | cksum`;
  expect(await shell(chunked)).toBe(await shell('head -c 1000000 /dev/zero | cksum'));
});
