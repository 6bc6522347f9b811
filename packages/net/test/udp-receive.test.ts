// The raw level: datagrams where they lie, and answers sent from there.
import { type Endpoint, type UdpSocket as Udp, UdpSocket } from '@pollux/net';
import { describe, expect, test } from 'vitest';
import { type Bench, catchUncaught, onEveryReactor, pattern, runChild } from './support.js';

const V4 = '127.0.0.1';

function bind(bench: Bench, options = {}): Udp {
  return bench.track(UdpSocket.bind(bench.reactor, { address: V4, ...options }));
}

function texts(socket: Udp): string[] {
  const got: string[] = [];
  socket.on('message', (data) => got.push(data.toString()));
  return got;
}

onEveryReactor((bench) => {
  test('buffer, offset, length, peer, socket and info; copies are what was sent', async () => {
    const server = bind(bench());
    const client = bind(bench());
    const got: { copy: Buffer; peer: Endpoint; socket: Udp }[] = [];
    const buffers = new Set<Buffer>();
    const infos = new Set<object>();
    server.receive((buffer, offset, length, peer, socket, info) => {
      buffers.add(buffer);
      infos.add(info);
      expect(info.truncated).toBe(false);
      expect(info.localAddress).toBe(undefined);
      expect(info.interfaceIndex).toBe(0);
      got.push({ copy: Buffer.from(buffer.subarray(offset, offset + length)), peer, socket });
    });
    const sizes = [0, 1, 64, 1_400, 65_507];
    for (const [i, size] of sizes.entries()) client.send(pattern(size, i), server.address());
    await bench().until(() => got.length === sizes.length, 'all sizes');
    for (const [i, size] of sizes.entries()) {
      expect(got[i]?.copy.equals(pattern(size, i))).toBe(true);
      expect(got[i]?.peer).toEqual(client.address());
      expect(got[i]?.socket).toBe(server);
    }
    // Nothing is made for each.
    expect([buffers.size, infos.size]).toEqual([1, 1]);
    expect(new Set(got.map(({ peer }) => peer)).size).toBe(1);
  });

  test('an echo from the slab, many peers, many batches', async () => {
    const server = bind(bench(), { receiveBufferSize: 1 << 20 });
    server.receive((buffer, offset, length, peer) => {
      expect(server.sendSlice(buffer, offset, length, peer)).toBe(true);
    });
    const clients = Array.from({ length: 20 }, () => bind(bench()));
    const answers = clients.map(texts);
    const ROUNDS = 30;
    for (let round = 0; round < ROUNDS; round++) {
      for (const [i, client] of clients.entries()) client.send(`${i}:${round}`, server.address());
    }
    await bench().until(() => answers.every((list) => list.length === ROUNDS), 'all answers');
    for (const [i, list] of answers.entries()) {
      expect(list).toEqual(Array.from({ length: ROUNDS }, (_, round) => `${i}:${round}`));
    }
  });

  test('a part of the slab goes to a third', async () => {
    const third = bind(bench());
    const got = texts(third);
    const relay = bind(bench());
    relay.receive((buffer, offset, length) => {
      relay.sendSlice(buffer, offset + 2, length - 4, third.address());
    });
    bind(bench()).send('<<inner>>', relay.address());
    await bench().until(() => got.length === 1, 'the relayed');
    expect(got).toEqual(['inner']);
  });

  test('a slice of a buffer of ones own may be used again at once', async () => {
    const server = bind(bench());
    const got = texts(server);
    const client = bench().track(UdpSocket.connect(bench().reactor, server.address()));
    const buffer = Buffer.from('..first..');
    client.sendSlice(buffer, 2, 5);
    buffer.fill('x');
    await bench().until(() => got.length === 1, 'the slice');
    expect(got).toEqual(['first']);
  });

  test('it takes the place of message, and gives it back', async () => {
    const server = bind(bench());
    const got = texts(server);
    const raw: string[] = [];
    const client = bench().track(UdpSocket.connect(bench().reactor, server.address()));
    server.receive((buffer, offset, length) => {
      raw.push(buffer.toString('utf8', offset, offset + length));
    });
    client.send('one');
    await bench().until(() => raw.length === 1, 'the first');
    server.receive(undefined);
    client.send('two');
    await bench().until(() => got.length === 1, 'the second');
    expect([raw, got]).toEqual([['one'], ['two']]);
  });

  test('a callback that throws costs no other datagram', async () => {
    const uncaught = catchUncaught();
    try {
      const server = bind(bench());
      const raw: string[] = [];
      server.receive((buffer, offset, length) => {
        const text = buffer.toString('utf8', offset, offset + length);
        raw.push(text);
        if (text === '1') throw new Error('boom');
      });
      const client = bench().track(UdpSocket.connect(bench().reactor, server.address()));
      for (let i = 0; i < 4; i++) client.send(`${i}`);
      await bench().until(() => raw.length === 4, 'all');
      expect(raw).toEqual(['0', '1', '2', '3']);
      expect(uncaught.errors).toMatchObject([{ message: 'boom' }]);
    } finally {
      uncaught.restore();
    }
  });

  test('paused in the middle of a batch: the rest comes after resume, in order', async () => {
    const server = bind(bench());
    const raw: string[] = [];
    server.receive((buffer, offset, length) => {
      raw.push(buffer.toString('utf8', offset, offset + length));
      if (raw.length === 3) server.pause();
    });
    const client = bench().track(UdpSocket.connect(bench().reactor, server.address()));
    for (let i = 0; i < 10; i++) client.send(`${i}`);
    await bench().until(() => raw.length === 3, 'the first three');
    client.send('10');
    await bench().idle();
    expect(raw).toHaveLength(3);
    expect(server.isPaused()).toBe(true);
    server.resume();
    await bench().until(() => raw.length === 11, 'the rest');
    expect(raw).toEqual(Array.from({ length: 11 }, (_, i) => `${i}`));
  });

  test('a paused socket is not read; finish ends the pause and loses nothing', async () => {
    const server = bind(bench());
    const raw: string[] = [];
    server.receive((buffer, offset, length) => {
      raw.push(buffer.toString('utf8', offset, offset + length));
    });
    server.pause();
    const client = bench().track(UdpSocket.connect(bench().reactor, server.address()));
    for (let i = 0; i < 100; i++) client.send(`${i}`);
    await bench().idle();
    expect(raw).toEqual([]);
    server.finish();
    await bench().until(() => server.closed, 'the end');
    expect(raw).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`));
  });

  test('peers that share a place in the cache of peers: each gets its own answer', async () => {
    // 300 ports on 1024 places: dozens of them meet, some within one batch.
    const server = bind(bench(), { receiveBufferSize: 4 << 20 });
    server.receive((buffer, offset, length, peer) => {
      server.sendSlice(buffer, offset, length, peer);
    });
    const clients: { socket: Udp; got: string[]; name: string }[] = [];
    for (let i = 0; i < 300; i++) {
      const socket = bind(bench());
      clients.push({ socket, got: texts(socket), name: `client ${i}` });
    }
    for (let round = 0; round < 3; round++) {
      for (const { socket, name } of clients) socket.send(name, server.address());
      await bench().until(() => clients.every(({ got }) => got.length === round + 1), 'answers');
    }
    for (const { got, name } of clients) expect(got).toEqual([name, name, name]);
  });
});

describe('misuse', () => {
  test('with POLLUX_POISON the slab is overwritten after each batch', async () => {
    const { stdout, stderr } = await runChild(
      `
      import { Reactor } from '@pollux/core';
      import { UdpSocket } from '@pollux/net';
      const reactor = new Reactor({ mode: 'blocking' });
      const server = UdpSocket.bind(reactor, { address: '${V4}' });
      const client = UdpSocket.connect(reactor, server.address());
      let kept;
      server.receive((buffer, offset, length) => { kept = buffer.subarray(offset, offset + length); });
      client.send('precious');
      while (kept === undefined) reactor.turn();
      console.log(kept.every((byte) => byte === 0xdb));
      reactor.close();
    `,
      (command) => ['env', 'POLLUX_POISON=1', ...command],
    );
    expect([stdout, stderr]).toEqual(['true\n', '']);
  });
});
