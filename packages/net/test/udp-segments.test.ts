// Many equal datagrams as one: sent by sendSegments and by runs of send, with and without UDP_SEGMENT
// and UDP_GRO. Whoever listens sees each datagram, in order, whatever the system made of them.
import { UdpSocket } from '@pollux/net';
import { describe, expect, test } from 'vitest';
import { type Bench, catchUncaught, onEveryReactor, pattern } from './support.js';

const V4 = '127.0.0.1';
const offloads = [
  { gso: false, gro: false },
  { gso: true, gro: false },
  { gso: false, gro: true },
  { gso: true, gro: true },
];

function bind(bench: Bench, options = {}): UdpSocket {
  const socket = UdpSocket.bind(bench.reactor, {
    address: V4,
    receiveBufferSize: 4 << 20,
    ...options,
  });
  return bench.track(socket);
}

function collect(socket: UdpSocket): Buffer[] {
  const got: Buffer[] = [];
  socket.on('message', (data) => got.push(data));
  return got;
}

onEveryReactor((bench) => {
  for (const offload of offloads) {
    describe(`gso ${offload.gso}, gro ${offload.gro}`, () => {
      test('a buffer as segments, the last one shorter', async () => {
        const server = bind(bench(), { gro: offload.gro });
        const client = bind(bench(), { gso: offload.gso });
        expect([client.gso, server.gro]).toEqual([offload.gso, offload.gro]);
        const got = collect(server);
        for (const [size, length] of [
          [1_000, 40_500],
          [1_000, 999],
          [1, 200],
          [65_507, 65_508],
          [7, 0],
          [1_400, 140_000],
        ] as const) {
          got.length = 0;
          const data = pattern(length, size);
          expect(client.sendSegments(data, size, server.address())).toBe(true);
          const count = Math.ceil(length / size);
          await bench().until(() => got.length === count, `${count} of ${size}`);
          expect(Buffer.concat(got).equals(data)).toBe(true);
          for (const each of got.slice(0, -1)) expect(each).toHaveLength(size);
        }
      });

      test('runs of send to several peers, of several lengths', async () => {
        const servers = [
          bind(bench(), { gro: offload.gro }),
          bind(bench(), { address: '::1', gro: offload.gro }),
        ];
        const clients = [
          bind(bench(), { gso: offload.gso }),
          bind(bench(), { address: '::1', gso: offload.gso }),
        ];
        const got = servers.map(collect);
        const expected: Buffer[][] = [[], []];
        let seed = 0;
        for (const [length, times] of [
          [100, 5],
          [0, 3],
          [100, 130],
          [50, 1],
          [100, 2],
          [1_200, 70],
          [3, 1],
          [65_507, 3],
          [200, 1],
          [199, 1],
          [201, 1],
        ] as const) {
          for (let i = 0; i < times; i++) {
            for (const [k, client] of clients.entries()) {
              // Between two runs of one peer another's, or none.
              if (k === 1 && times % 2 === 0) continue;
              const data = pattern(length, seed++);
              expected[k]?.push(data);
              client.send(data, servers[k]?.address() as { address: string; port: number });
            }
          }
        }
        const all = () => got.every((list, k) => list.length === expected[k]?.length);
        await bench().until(all, 'all');
        for (const [k, list] of got.entries()) {
          for (const [i, data] of list.entries()) {
            expect(data.equals(expected[k]?.[i] as Buffer)).toBe(true);
          }
        }
      });

      test('an echo from the slab', async () => {
        const server = bind(bench(), offload);
        server.receive((buffer, offset, length, peer) => {
          server.sendSlice(buffer, offset, length, peer);
        });
        const client = bind(bench(), offload);
        const got = collect(client);
        const data = pattern(200 * 512 - 100);
        client.sendSegments(data, 512, server.address());
        await bench().until(() => got.length === 200, 'all');
        expect(Buffer.concat(got).equals(data)).toBe(true);
      });
    });
  }

  test('a callback that throws, or pauses, in the middle of joined ones', async () => {
    const uncaught = catchUncaught();
    try {
      const server = bind(bench(), { gro: true });
      const client = bind(bench(), { gso: true });
      const got: number[] = [];
      server.receive((buffer, offset) => {
        const i = buffer[offset] as number;
        got.push(i);
        if (i === 3) throw new Error('boom');
        if (i === 6) server.pause();
      });
      client.sendSegments(Buffer.from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), 1, server.address());
      await bench().until(() => got.length === 7, 'as far as the pause');
      await bench().idle();
      expect(got).toHaveLength(7);
      server.resume();
      await bench().until(() => got.length === 10, 'the rest');
      expect(got).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      expect(uncaught.errors).toMatchObject([{ message: 'boom' }]);
    } finally {
      uncaught.restore();
    }
  });

  test('closed in the middle of joined ones: the last call', async () => {
    const server = bind(bench(), { gro: true });
    const client = bind(bench(), { gso: true });
    let calls = 0;
    server.receive(() => {
      if (++calls === 2) server.close();
    });
    client.sendSegments(Buffer.alloc(10), 1, server.address());
    await bench().until(() => calls === 2, 'two');
    await bench().idle();
    expect(calls).toBe(2);
  });

  test('what is refused is told once for each, and the others go', async () => {
    const server = bind(bench());
    const got = collect(server);
    const client = bind(bench(), { gso: true });
    const errors: unknown[] = [];
    client.on('error', (error) => errors.push(error));
    // Nobody may send to a broadcast address unasked.
    client.sendSegments(Buffer.alloc(6), 2, { address: '255.255.255.255', port: 9 });
    client.sendSegments(Buffer.alloc(6), 2, server.address());
    await bench().until(() => errors.length === 3 && got.length === 3, 'all');
    expect(errors[0]).toMatchObject({ syscall: 'sendmmsg', address: '255.255.255.255', port: 9 });
    expect(client.gso).toBe(true);
  });

  test('a port where nobody listens costs one datagram, not a run', async () => {
    const server = bind(bench());
    const { port } = server.address();
    const client = bench().track(
      UdpSocket.connect(bench().reactor, { address: V4, port, gso: true }),
    );
    server.close();
    const errors: unknown[] = [];
    client.on('error', (error) => errors.push(error));
    client.send('anybody?');
    await bench().until(() => errors.length === 1, 'the error');
    const again = bind(bench(), { port });
    const got = collect(again);
    client.sendSegments(Buffer.alloc(10), 1);
    await bench().until(() => got.length === 10, 'all');
    expect(client.gso).toBe(true);
  });

  test('wrong arguments', () => {
    const client = bind(bench());
    const code = (value: string) => expect.objectContaining({ code: value });
    const peer = client.address();
    expect(() => client.sendSegments('text' as never, 1, peer)).toThrow(
      code('ERR_INVALID_ARG_TYPE'),
    );
    expect(() => client.sendSegments(Buffer.alloc(4), 0, peer)).toThrow(code('ERR_OUT_OF_RANGE'));
    expect(() => client.sendSegments(Buffer.alloc(4), 65_508, peer)).toThrow(
      code('ERR_OUT_OF_RANGE'),
    );
    expect(() => client.sendSegments(Buffer.alloc(4), 2)).toThrow(code('ERR_INVALID_ARG_TYPE'));
    client.close();
    expect(() => client.sendSegments(Buffer.alloc(4), 2, peer)).toThrow(code('ERR_POLLUX_CLOSED'));
  });
});
