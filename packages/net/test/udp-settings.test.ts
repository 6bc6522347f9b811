// What is set is what the system has, and what it has is told.
import { UdpSocket } from '@pollux/net';
import { expect, test } from 'vitest';
import { native } from '../dist/native.js';
import { onEveryReactor, record } from './support.js';

const [TTL, HOPS, TOS, TCLASS, MTTL, MHOPS, MLOOP, MLOOP6] = [7, 8, 9, 10, 11, 12, 13, 14];

function values(socket: UdpSocket, ...options: (number | undefined)[]): number[] {
  return options.map((option) => native.getOption(socket.fd, option as number));
}

const settings = { ttl: 7, tos: 0xb8, multicastTtl: 3, multicastLoopback: false };

onEveryReactor((bench) => {
  test('IPv4, at birth and later', () => {
    const { reactor } = bench();
    const socket = bench().track(UdpSocket.bind(reactor, settings));
    expect(values(socket, TTL, TOS, MTTL, MLOOP)).toEqual([7, 0xb8, 3, 0]);
    expect(socket.configure({ ttl: 64, multicastLoopback: true })).toBe(socket);
    expect(values(socket, TTL, TOS, MTTL, MLOOP)).toEqual([64, 0xb8, 3, 1]);
  });

  test('IPv6, and what it sends by IPv4', () => {
    const socket = bench().track(UdpSocket.bind(bench().reactor, { address: '::', ...settings }));
    expect(values(socket, HOPS, TCLASS, MHOPS, MLOOP6)).toEqual([7, 0xb8, 3, 0]);
    expect(values(socket, TTL, TOS, MTTL, MLOOP)).toEqual([7, 0xb8, 3, 0]);
  });

  test('the sizes of the buffers are set and told', () => {
    const socket = bench().track(UdpSocket.bind(bench().reactor));
    const before = [socket.receiveBufferSize, socket.sendBufferSize];
    socket.configure({ receiveBufferSize: 8_192, sendBufferSize: 16_384 });
    const after = [socket.receiveBufferSize, socket.sendBufferSize];
    expect(after).not.toEqual(before);
    // Linux doubles them, for its own bookkeeping (socket(7)).
    expect([8_192, 16_384]).toContain(after[0]);
    expect([16_384, 32_768]).toContain(after[1]);
  });

  test('broadcast is refused until it is permitted', async () => {
    const { reactor } = bench();
    const server = bench().track(UdpSocket.bind(reactor));
    const socket = bench().track(UdpSocket.bind(reactor, { address: '127.0.0.1' }));
    const errors = record(socket, 'error');
    const messages = record(server, 'message');
    // The broadcast address of the loopback's network.
    const to = { address: '127.255.255.255', port: server.address().port };
    socket.send('no', to);
    await bench().until(() => errors.length === 1, 'the error');
    expect(errors[0]?.[1]).toMatchObject({ code: 'EACCES', ...to });
    socket.configure({ broadcast: true }).send('yes', to);
    await bench().until(() => messages.length === 1, 'the broadcast');
    expect(String(messages[0]?.[1])).toBe('yes');
  });

  test('wrong ones change nothing', () => {
    const socket = bench().track(UdpSocket.bind(bench().reactor, { ttl: 9 }));
    const wrong: [object, string][] = [
      [{ ttl: 0 }, 'ERR_OUT_OF_RANGE'],
      [{ ttl: 256 }, 'ERR_OUT_OF_RANGE'],
      [{ ttl: 5, tos: 256 }, 'ERR_OUT_OF_RANGE'],
      [{ ttl: 5, tos: '1' }, 'ERR_INVALID_ARG_TYPE'],
      [{ ttl: 5, multicastTtl: -1 }, 'ERR_OUT_OF_RANGE'],
      [{ ttl: 5, multicastLoopback: 1 }, 'ERR_INVALID_ARG_TYPE'],
      [{ ttl: 5, multicastInterface: {} }, 'ERR_INVALID_ARG_TYPE'],
      [{ ttl: 5, multicastInterface: 'nowhere0' }, 'ERR_INVALID_ARG_VALUE'],
      [{ ttl: 5, receiveBufferSize: 1.5 }, 'ERR_OUT_OF_RANGE'],
    ];
    for (const [options, code] of wrong) {
      expect(() => socket.configure(options)).toThrow(expect.objectContaining({ code }));
      expect(() => UdpSocket.bind(bench().reactor, options)).toThrow(
        expect.objectContaining({ code }),
      );
    }
    expect(values(socket, TTL)).toEqual([9]);
    socket.close();
    const closed = expect.objectContaining({ code: 'ERR_POLLUX_CLOSED' });
    expect(() => socket.configure({ ttl: 5 })).toThrow(closed);
    expect(() => socket.receiveBufferSize).toThrow(closed);
  });
});
