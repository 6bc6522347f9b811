// createConnection: an unmodified http.Agent, and http.request without one, on connections of ours.
import { AsyncLocalStorage } from 'node:async_hooks';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import type { LookupFunction } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createConnection, SocketDuplex, toDuplex, UnixListener } from '@pollux/net';
import { expect, test } from 'vitest';
import { agentOf, request, serve, settle, trackDuplex } from './duplex-support.js';
import { onEveryReactor, record } from './support.js';

const server = () => http.createServer((asked, answer) => answer.end(asked.url));

/** A lookup that knows one name. */
const lookupOf =
  (...addresses: string[]): LookupFunction =>
  (_name, _options, callback) =>
    process.nextTick(
      callback,
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );

onEveryReactor((bench) => {
  test('an agent keeps a connection and uses it again', async () => {
    const { port, sockets } = serve(bench(), server());
    const agent = agentOf(bench(), { keepAlive: true });
    const free = record(agent, 'free');
    for (const path of ['/a', '/b', '/c']) {
      const answer = await settle(bench(), request({ port, path, agent }));
      expect(String(answer.body)).toBe(path);
      await bench().until(() => Object.values(agent.freeSockets).flat().length === 1, 'free');
    }
    expect(sockets).toHaveLength(1);
    expect(free).toHaveLength(3);
    const [kept] = Object.values(agent.freeSockets).flat();
    expect(kept).toBeInstanceOf(SocketDuplex);
    agent.destroy();
    await bench().until(() => sockets[0]?.closed === true, 'close');
    expect(agent.freeSockets).toEqual({});
  });

  test('maxSockets: requests wait for a connection that is free', async () => {
    const { port, sockets } = serve(bench(), server());
    const agent = agentOf(bench(), { keepAlive: true, maxSockets: 3 });
    const paths = Array.from({ length: 30 }, (_, i) => `/${i}`);
    const answers = await settle(
      bench(),
      Promise.all(paths.map((path) => request({ port, path, agent }))),
    );
    expect(answers.map(({ body }) => String(body))).toEqual(paths);
    expect(sockets).toHaveLength(3);
  });

  test('each request on a kept connection has its own async context', async () => {
    const { port, sockets } = serve(bench(), server());
    const agent = agentOf(bench(), { keepAlive: true });
    const storage = new AsyncLocalStorage<number>();
    const seen: unknown[] = [];
    for (const i of [1, 2]) {
      const answered = storage.run(i, () =>
        request({ port, agent }).then(() => seen.push(storage.getStore())),
      );
      const asked = storage.run(i, () => http.get({ port, host: '127.0.0.1', agent }));
      const events = new Promise<void>((resolve, reject) => {
        asked.on('error', reject).on('response', (answer) => {
          seen.push(storage.getStore());
          answer.on('end', () => {
            seen.push(storage.getStore());
            resolve();
          });
          answer.resume();
        });
      });
      await settle(bench(), Promise.all([answered, events]));
    }
    expect(seen.sort()).toEqual([1, 1, 1, 2, 2, 2]);
    expect(sockets.length).toBeLessThan(4);
  });

  test('without an agent, and in place of its connections', async () => {
    const { port, sockets } = serve(bench(), server());
    const answer = await settle(
      bench(),
      request({ port, path: '/x', createConnection: createConnection(bench().reactor) }),
    );
    expect(String(answer.body)).toBe('/x');
    await bench().until(() => sockets[0]?.closed === true, 'close');
  });

  test('names are resolved', async () => {
    const { port } = serve(bench(), server());
    const connect = createConnection(bench().reactor);
    const options = { port, host: 'localhost', agent: agentOf(bench()), path: '/named' };
    const answer = await settle(bench(), request(options));
    expect(String(answer.body)).toBe('/named');
    const duplex = trackDuplex(bench(), connect({ port, lookup: lookupOf('127.0.0.1') }));
    const events = record(duplex, 'lookup', 'connect');
    expect([duplex.connecting, duplex.readyState, duplex.bytesRead]).toEqual([true, 'opening', 0]);
    await bench().until(() => events.length === 2, 'connect');
    expect(events).toEqual([['lookup', null, '127.0.0.1', 4, 'localhost'], ['connect']]);
  });

  test('of several addresses, the first that answers', async () => {
    const { port } = serve(bench(), server());
    const connect = createConnection(bench().reactor);
    const lookup = lookupOf('::1', '127.0.0.2', '127.0.0.1');
    const duplex = trackDuplex(bench(), connect({ port, lookup, timeout: 5000 }));
    const events = record(duplex, 'connect', 'error', 'close', 'end');
    expect(duplex.timeout).toBe(5000);
    let text = '';
    duplex.setEncoding('latin1').on('data', (data) => {
      text += data;
    });
    duplex.unref();
    duplex.write('GET /first HTTP/1.0\r\n\r\n');
    await bench().until(() => events.length === 3, 'close');
    expect(text).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*\/first$/);
    expect(events).toEqual([['connect'], ['end'], ['close']]);
    expect(duplex.remoteAddress).toBe('127.0.0.1');
  });

  test('refused by one address, by all, and no such name', async () => {
    const { port } = serve(bench(), server());
    const connect = createConnection(bench().reactor);
    const refused = { code: 'ECONNREFUSED', syscall: 'connect' };
    const one = record(connect({ port, host: '127.0.0.2' }), 'error', 'close');
    const all = record(
      connect({ port, host: 'x', lookup: lookupOf('127.0.0.2', '127.0.0.3') }),
      'error',
      'close',
    );
    const missing = Object.assign(new Error('none'), { code: 'ENOTFOUND' });
    const none = record(
      connect({ port, host: 'x', lookup: (_name, _options, callback) => callback(missing, '') }),
      'error',
      'close',
    );
    await bench().until(() => one.length + all.length + none.length === 6, 'errors');
    expect(one[0]?.[1]).toMatchObject({ ...refused, address: '127.0.0.2' });
    expect(all[0]?.[1]).toMatchObject({
      code: 'ECONNREFUSED',
      errors: [
        { ...refused, address: '127.0.0.2' },
        { ...refused, address: '127.0.0.3' },
      ],
    });
    expect(none[0]?.[1]).toBe(missing);
  });

  test('a lookup that answers with nonsense is an error of the connection', async () => {
    const connect = createConnection(bench().reactor);
    const duplex = connect({ port: 9, lookup: lookupOf('nowhere') });
    const events = record(duplex, 'error', 'close');
    await bench().until(() => events.length === 2, 'error');
    expect(events[0]?.[1]).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
  });

  test('destroyed before the name is resolved, and while it connects', async () => {
    const { port, sockets } = serve(bench(), server());
    const connect = createConnection(bench().reactor);
    const duplex = connect({ port, lookup: lookupOf('127.0.0.1') });
    const events = record(duplex, 'lookup', 'connect', 'error', 'close');
    duplex.write('x');
    duplex.destroy();
    const aborted = new AbortController();
    const asked = http.get({
      port,
      host: '127.0.0.1',
      agent: agentOf(bench()),
      signal: aborted.signal,
    });
    const answered = record(asked, 'error', 'close');
    aborted.abort();
    await bench().until(() => answered.length === 2 && events.length === 1, 'close');
    expect(events).toEqual([['close']]);
    expect(answered[0]?.[1]).toMatchObject({ name: 'AbortError' });
    await bench().idle();
    await bench().until(() => sockets.every((socket) => socket.closed), 'the other end');
  });

  test('from a local address, and over a Unix socket', async () => {
    const { port, sockets } = serve(bench(), server());
    const over = createConnection(bench().reactor);
    const options = { port, path: '/x', createConnection: over };
    const answer = await settle(bench(), request({ ...options, localAddress: '127.0.0.3' }));
    expect(String(answer.body)).toBe('/x');
    expect(sockets[0]?.remoteAddress).toBe('127.0.0.3');

    const path = join(mkdtempSync(join(tmpdir(), 'pollux-')), 'http');
    const http1 = server();
    const listener = bench().track(UnixListener.listen(bench().reactor, { path }));
    listener.on('connection', (stream) => http1.emit('connection', toDuplex(stream)));
    const unix = { socketPath: path, path: '/unix', createConnection: over };
    expect(String((await settle(bench(), request(unix))).body)).toBe('/unix');
    rmSync(dirname(path), { recursive: true });
  });

  test('wrong arguments are refused at once', () => {
    // biome-ignore lint/suspicious/noExplicitAny: what the types forbid is what is tested
    const any = createConnection as any;
    for (const junk of [undefined, null, {}, 5]) expect(() => any(junk)).toThrow(/"reactor"/);
    const connect = any(bench().reactor);
    for (const junk of [undefined, null, 5]) expect(() => connect(junk)).toThrow(/"options"/);
    for (const [name, value] of [
      ['port', undefined],
      ['port', 0],
      ['port', 65_536],
      ['port', 'http'],
      ['host', 5],
      ['noDelay', 'yes'],
      ['allowHalfOpen', 1],
      ['localAddress', 'localhost'],
      ['localPort', -1],
      ['lookup', 'dns'],
      ['timeout', 'soon'],
    ]) {
      const options = { host: '127.0.0.1', port: 9, [name as string]: value };
      expect(() => connect(options), `${name} ${value}`).toThrow(`"options.${name}"`);
    }
  });
});
