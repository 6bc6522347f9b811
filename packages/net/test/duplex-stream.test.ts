// A stream as a Duplex: both directions, half close, the properties of a net.Socket, one 'close'.

import net from 'node:net';
import { SocketDuplex, TcpStream, toDuplex } from '@pollux/net';
import { expect, test, vi } from 'vitest';
import { native } from '../dist/native.js';
import { connectDuplex, duplexPair, trackDuplex } from './duplex-support.js';
import { onEveryReactor, pattern, record } from './support.js';

onEveryReactor((bench) => {
  test('bytes go both ways, each end is told, and close comes once', async () => {
    const { client, server } = await duplexPair(bench());
    const events = ['end', 'finish', 'error', 'close'];
    const clientEvents = record(client, ...events);
    const serverEvents = record(server, ...events);
    server.setEncoding('utf8').on('data', (text) => server.write(text.toUpperCase()));
    let answer = '';
    client.setEncoding('utf8').on('data', (text) => {
      answer += text;
    });
    client.write('questi');
    client.end('on');
    await bench().until(() => client.closed && server.closed, 'close');
    await bench().idle();
    expect(answer).toBe('QUESTION');
    expect(clientEvents).toEqual([['finish'], ['end'], ['close']]);
    // By default it ends when its peer has, after what was read is answered.
    expect(serverEvents).toEqual([['end'], ['finish'], ['close']]);
    expect([client.bytesRead, client.bytesWritten]).toEqual([8, 8]);
  });

  test('texts in every encoding, one by one and together', async () => {
    const { client, server } = await duplexPair(bench());
    const got: Buffer[] = [];
    server.on('data', (data) => got.push(data));
    const pieces = [
      ['größer, 大きい', 'utf8'],
      ['größer', 'latin1'],
      ['größer', 'utf16le'],
      ['00ff80', 'hex'],
      ['AP+A', 'base64'],
    ] as const;
    const expected: Buffer[] = [];
    for (const corked of [false, true]) {
      if (corked) client.cork();
      for (const [text, encoding] of pieces) {
        client.write(text, encoding);
        expected.push(Buffer.from(text, encoding));
      }
      client.write(Buffer.from([1, 2]));
      expected.push(Buffer.from([1, 2]));
      if (corked) client.uncork();
    }
    client.setDefaultEncoding('latin1').end('ö');
    expected.push(Buffer.from([0xf6]));
    await bench().until(() => server.readableEnded, 'the end');
    expect(Buffer.concat(got)).toEqual(Buffer.concat(expected));
  });

  test('what http and tls ask a socket for', async () => {
    const { client, server, listener } = await duplexPair(bench());
    const { address, port } = listener.address();
    expect(client).toBeInstanceOf(SocketDuplex);
    expect([client.remoteAddress, client.remotePort, client.remoteFamily]).toEqual([
      address,
      port,
      'IPv4',
    ]);
    expect([server.localAddress, server.localPort, server.localFamily]).toEqual([
      address,
      port,
      'IPv4',
    ]);
    expect(server.remotePort).toBe(client.localPort);
    expect(server.address()).toEqual({ address, port, family: 'IPv4' });
    expect([client.connecting, client.pending, client.readyState]).toEqual([false, false, 'open']);
    expect((client as { encrypted?: boolean }).encrypted).toBeUndefined();
    expect([client.allowHalfOpen, client.writableLength, client.readableLength]).toEqual([
      false,
      0,
      0,
    ]);
    expect(client.setNoDelay().setKeepAlive(true, 1000).ref().unref().ref()).toBe(client);
    client.destroy();
    expect([client.connecting, client.readyState]).toEqual([false, 'closed']);
  });

  test('connect, ready, and what is written before', async () => {
    const peer = bench().listen();
    let got = '';
    peer.on('connection', (stream) =>
      stream.on('data', (data) => {
        got += data;
      }),
    );
    const duplex = connectDuplex(bench(), peer.address().port);
    const events = record(duplex, 'connect', 'ready', 'close');
    expect([duplex.connecting, duplex.pending, duplex.readyState]).toEqual([true, true, 'opening']);
    expect(duplex.address()).toEqual({});
    duplex.write('early ');
    duplex.end('words');
    await bench().until(() => duplex.closed, 'close');
    expect(events).toEqual([['connect'], ['ready'], ['close']]);
    expect(got).toBe('early words');
  });

  test('half-open: the peer has ended, we go on', async () => {
    const { client, server } = await duplexPair(bench(), { allowHalfOpen: true });
    const ends = record(server, 'end');
    server.resume();
    client.end();
    await bench().until(() => ends.length === 1, 'end');
    const sent = pattern(1_000_000);
    const got: Buffer[] = [];
    client.on('data', (data) => got.push(data));
    for (let i = 0; i < 10; i++) {
      server.write(sent.subarray(i * 100_000, (i + 1) * 100_000));
      await bench().turn();
    }
    expect(server.destroyed).toBe(false);
    server.end();
    await bench().until(() => client.closed && server.closed, 'close');
    expect(Buffer.concat(got).equals(sent)).toBe(true);
  });

  test("the peer's end is told after all that came before it, however late it is read", async () => {
    const { client, server } = await duplexPair(bench());
    const sent = pattern(300_000);
    client.end(sent);
    await bench().idle();
    const got: Buffer[] = [];
    while (!server.readableEnded) {
      const piece = server.read(1000) ?? server.read();
      if (piece !== null) got.push(piece);
      await bench().turn();
    }
    expect(Buffer.concat(got).equals(sent)).toBe(true);
    await bench().until(() => client.closed && server.closed, 'close');
  });

  test('an end and a reset are noticed though nobody reads', async () => {
    const first = await duplexPair(bench());
    const ended = record(first.server, 'end', 'close');
    first.client.end();
    await bench().until(() => ended.length === 2, 'end');

    const listener = bench().listen();
    let server: SocketDuplex | undefined;
    listener.on('connection', (stream) => {
      server = trackDuplex(bench(), toDuplex(stream));
    });
    const peer = net.connect(listener.address().port, '127.0.0.1');
    await bench().until(() => server !== undefined, 'connection');
    const events = record(server as SocketDuplex, 'error', 'close');
    peer.resetAndDestroy();
    await bench().until(() => events.length === 2, 'error');
    expect(events).toEqual([['error', expect.objectContaining({ code: 'ECONNRESET' })], ['close']]);
  });

  test('what is corked, or written in one go, is one system call', async () => {
    const { client, server } = await duplexPair(bench());
    const got: string[] = [];
    server.setEncoding('utf8').on('data', (text) => got.push(text));
    const write = vi.spyOn(native, 'write');
    try {
      client.cork();
      for (const piece of ['HTTP/1.1 200 OK\r\n', '\r\n', 'body']) client.write(piece);
      client.uncork();
      await bench().until(() => got.length === 1, 'all');
      expect(got).toEqual(['HTTP/1.1 200 OK\r\n\r\nbody']);
      expect(write).toHaveBeenCalledTimes(1);
      // The first goes by itself, the rest gathers behind it.
      for (let i = 0; i < 100; i++) client.write(`${i},`);
      await bench().until(() => got.join('').endsWith('99,'), 'all');
      expect(write).toHaveBeenCalledTimes(3);
    } finally {
      write.mockRestore();
    }
  });

  test('a buffer may be used again once its write is called back', async () => {
    const { client, server } = await duplexPair(bench());
    const got: Buffer[] = [];
    server.on('data', (data) => got.push(data));
    const buffer = Buffer.alloc(1000);
    let left = 200;
    const next = () => {
      if (left === 0) client.end();
      else client.write(buffer.fill(left--), next);
    };
    next();
    await bench().until(() => server.closed, 'close');
    const expected = Array.from({ length: 200 }, (_, i) => Buffer.alloc(1000, 200 - i));
    expect(Buffer.concat(got).equals(Buffer.concat(expected))).toBe(true);
  });

  test('what was written to the stream before it became a Duplex comes first', async () => {
    const { client, server } = await bench().pair();
    const first = pattern(4_000_000);
    const second = pattern(4_000_000, 1);
    client.write(first);
    const duplex = trackDuplex(bench(), toDuplex(client));
    const got: Buffer[] = [];
    server.on('data', (data) => got.push(data));
    let calledBack = false;
    duplex.write(second, () => {
      calledBack = true;
      expect(client.queuedBytes).toBe(0);
    });
    duplex.end();
    await bench().until(() => server.destroyed, 'close');
    expect(calledBack).toBe(true);
    expect(Buffer.concat(got).equals(Buffer.concat([first, second]))).toBe(true);

    const third = await bench().pair();
    third.client.write(first);
    trackDuplex(bench(), toDuplex(third.client)).end();
    const rest: Buffer[] = [];
    third.server.on('data', (data) => rest.push(data));
    await bench().until(() => third.server.destroyed, 'close');
    expect(Buffer.concat(rest).equals(first)).toBe(true);
  });

  test('unref: the connection alone keeps nobody waiting', async () => {
    const { client, server } = await bench().pair();
    toDuplex(client).unref();
    expect(client.hasRef()).toBe(false);
    const early = TcpStream.connect(bench().reactor, bench().listen().address());
    const duplex = trackDuplex(bench(), toDuplex(early)).unref();
    expect(early.hasRef()).toBe(false);
    expect(duplex.ref()).toBe(duplex);
    expect(early.hasRef()).toBe(true);
    server.destroy();
  });
});
