// An unmodified http.Server on connections of ours, asked by Node's own client.
import http from 'node:http';
import net from 'node:net';
import { expect, test } from 'vitest';
import { agentOf, request, serve, settle } from './duplex-support.js';
import { onEveryReactor, pattern, record, runChild } from './support.js';

/** Answers with what it was told. */
const echo = () =>
  http.createServer((asked, answer) => {
    answer.setHeader('x-path', asked.url ?? '');
    asked.pipe(answer);
  });

/** Sends bytes as they are, by a socket of Node's; all that comes back. */
function raw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.setEncoding('latin1').on('data', (data) => {
      text += data;
    });
    socket.on('error', reject).on('close', () => resolve(text));
  });
}

onEveryReactor((bench) => {
  test('requests with and without a body, over one connection that stays', async () => {
    const { port, sockets } = serve(bench(), echo());
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    bench().track({ [Symbol.dispose]: () => agent.destroy() });
    const body = pattern(1_000_000);
    for (const size of [0, 1, 1000, 1_000_000]) {
      const sent = body.subarray(0, size);
      const answer = await settle(
        bench(),
        request({ port, agent, path: `/${size}`, method: 'POST' }, sent),
      );
      expect([answer.status, answer.headers['x-path']]).toEqual([200, `/${size}`]);
      expect(answer.body.equals(sent)).toBe(true);
    }
    expect(sockets).toHaveLength(1);
  });

  test('100 clients at once', async () => {
    const { port, sockets } = serve(bench(), echo());
    const answers = Array.from({ length: 100 }, (_, i) =>
      request({ port, method: 'PUT', agent: false }, `client ${i}`),
    );
    const bodies = (await settle(bench(), Promise.all(answers))).map(({ body }) => String(body));
    expect(bodies).toEqual(Array.from({ length: 100 }, (_, i) => `client ${i}`));
    expect(sockets).toHaveLength(100);
    // Without keep-alive the server closes them.
    await bench().until(() => sockets.every((socket) => socket.closed), 'close');
  });

  test('a chunked answer, with trailers, in both directions of HTTP/1.1', async () => {
    const server = http.createServer(async (asked, answer) => {
      answer.writeHead(201, { trailer: 'x-count' });
      let count = 0;
      for await (const piece of asked) {
        count += (piece as Buffer).length;
        answer.write(`${count} `);
      }
      answer.addTrailers({ 'x-count': String(count) });
      answer.end();
    });
    const { port } = serve(bench(), server);
    const text = await settle(
      bench(),
      raw(
        port,
        'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n' +
          '3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n',
      ),
    );
    expect(text).toMatch(/^HTTP\/1\.1 201 Created\r\n/);
    expect(text).toMatch(/Transfer-Encoding: chunked\r\n/);
    expect(text).toMatch(/ \r\n0\r\nx-count: 7\r\n\r\n$/);
  });

  test('pipelined requests are answered in order, bad ones with 400', async () => {
    const server = http.createServer((asked, answer) => answer.end(`<${asked.url}>`));
    const { port } = serve(bench(), server);
    const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n`;
    const three = `${get('/a')}\r\n${get('/b')}\r\n${get('/c')}Connection: close\r\n\r\n`;
    const text = await settle(bench(), raw(port, three));
    expect(text.match(/<\/\w>/g)).toEqual(['</a>', '</b>', '</c>']);
    // http writes the refusal and destroys the socket in the same breath.
    expect(await settle(bench(), raw(port, 'nonsense\r\n\r\n'))).toMatch(
      /^HTTP\/1\.1 400 Bad Request\r\nConnection: close\r\n\r\n$/,
    );
  });

  test('Expect: 100-continue', async () => {
    const { port } = serve(bench(), echo());
    let continued = false;
    const answer = new Promise<string>((resolve, reject) => {
      const headers = { expect: '100-continue', 'content-length': 4 };
      const asked = http.request({ port, host: '127.0.0.1', method: 'POST', headers });
      asked.on('continue', () => {
        continued = true;
        asked.end('body');
      });
      asked.on('error', reject).on('response', (response) => {
        response.on('data', (data) => resolve(String(data)));
      });
    });
    expect(await settle(bench(), answer)).toBe('body');
    expect(continued).toBe(true);
  });

  test('a client that aborts in the middle of its body', async () => {
    const events: unknown[][] = [];
    const server = http.createServer((asked) => {
      asked.resume();
      events.push(...[record(asked, 'aborted', 'error', 'close')]);
    });
    const { port, sockets } = serve(bench(), server);
    const asked = http.request({ port, host: '127.0.0.1', method: 'POST' });
    asked.on('error', () => {});
    asked.write(pattern(100_000));
    await bench().until(() => sockets[0] !== undefined && sockets[0].bytesRead > 100_000, 'body');
    asked.destroy();
    await bench().until(() => events[0]?.length === 3, 'abort');
    expect(events[0]).toEqual([
      ['aborted'],
      ['error', expect.objectContaining({ code: 'ECONNRESET', message: 'aborted' })],
      ['close'],
    ]);
    await bench().until(() => sockets[0]?.closed === true, 'close');
  });

  test('a client that aborts in the middle of an answer stops who writes it', async () => {
    let closed = false;
    const server = http.createServer((_asked, answer) => {
      answer.on('close', () => {
        closed = true;
      });
      const more = () => {
        while (!answer.destroyed && answer.write(pattern(65_536)));
      };
      answer.on('drain', more);
      more();
    });
    const { port, sockets } = serve(bench(), server);
    const asked = http.get({ port, host: '127.0.0.1' }, (answer) => {
      answer.once('data', () => answer.destroy());
    });
    asked.on('error', () => {});
    await bench().until(() => closed && sockets[0]?.closed === true, 'close');
  });

  test('a connection that is upgraded', async () => {
    const server = http.createServer();
    server.on('upgrade', (asked, socket, head) => {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n',
      );
      socket.write(`${asked.headers['x-name']}: `);
      socket.write(head);
      socket.pipe(socket);
    });
    const { port } = serve(bench(), server);
    const headers = { connection: 'Upgrade', upgrade: 'echo', 'x-name': 'you' };
    const upgraded = new Promise<string>((resolve, reject) => {
      const asked = http.get({ port, host: '127.0.0.1', headers, agent: agentOf(bench()) });
      asked.on('error', reject).on('upgrade', (_answer, socket, head) => {
        let text = String(head);
        socket.on('data', (data) => {
          text += data;
        });
        socket.on('end', () => resolve(text));
        socket.end('hello');
      });
    });
    expect(await settle(bench(), upgraded)).toBe('you: hello');
  });
});

test('in a blocking reactor that owns its thread: client and server, and its end', async () => {
  const { stdout, stderr, code } = await runChild(`
    import http from 'node:http';
    import { Reactor } from '@pollux/core';
    import { createConnection, TcpListener, toDuplex } from '@pollux/net';
    const reactor = new Reactor({ mode: 'blocking' });
    const server = http.createServer((asked, answer) => asked.pipe(answer));
    const listener = TcpListener.listen(reactor, { address: '127.0.0.1', allowHalfOpen: true });
    let connections = 0;
    listener.on('connection', (stream) => {
      connections++;
      server.emit('connection', toDuplex(stream));
    });
    const agent = new http.Agent({ keepAlive: true });
    agent.createConnection = createConnection(reactor);
    const ask = (left) => {
      const options = { host: '127.0.0.1', port: listener.address().port, method: 'POST', agent };
      const asked = http.request(options, async (answer) => {
        let length = 0;
        for await (const data of answer) length += data.length;
        console.log(length);
        if (left > 1) return process.nextTick(ask, left - 1);
        console.log(connections);
        agent.destroy();
        listener.close();
      });
      asked.end(Buffer.alloc(left * 100_000));
    };
    // Not from the top level of a module: V8 runs no promise reactions inside one.
    setImmediate(() => {
      ask(3);
      reactor.runSync();
      console.log('over');
    });
  `);
  expect({ stdout, stderr, code }).toEqual({
    stdout: '300000\n200000\n100000\n1\nover\n',
    stderr: '',
    code: 0,
  });
});
