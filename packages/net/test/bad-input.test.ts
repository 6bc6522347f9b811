// A wrong argument is a TypeError or RangeError with a code, thrown at once and naming the argument;
// nothing is opened, nothing changes.
import { Reactor } from '@pollux/core';
import { TcpListener, TcpStream, UdpSocket } from '@pollux/net';
import { openFds } from '@pollux/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

// biome-ignore lint/suspicious/noExplicitAny: what the types forbid is what is tested
type Any = any;

const TYPE = 'ERR_INVALID_ARG_TYPE';
const VALUE = 'ERR_INVALID_ARG_VALUE';
const RANGE = 'ERR_OUT_OF_RANGE';
const V4 = '127.0.0.1';

let reactor: Reactor;
beforeAll(() => {
  reactor = new Reactor({ mode: 'blocking' });
});
afterAll(() => reactor.close());

function expectThrow(call: () => unknown, code: string, named: string): void {
  const before = openFds();
  const type = code === RANGE ? RangeError : TypeError;
  let thrown: unknown;
  try {
    call();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(type);
  expect(thrown).toMatchObject({ code, message: expect.stringContaining(`"${named}"`) });
  expect(openFds()).toEqual(before);
}

/** Each row: option, wrong value, code. */
const bindRows: [string, unknown, string][] = [
  ['address', 7, TYPE],
  ['address', '', VALUE],
  ['address', 'localhost', VALUE],
  ['address', '1.2.3', VALUE],
  ['address', '127.0.0.1\0', VALUE],
  ['address', '::1%nowhere', VALUE],
  ['port', '80', TYPE],
  ['port', -1, RANGE],
  ['port', 65_536, RANGE],
  ['port', 1.5, RANGE],
  ['port', Number.NaN, RANGE],
  ['reusePort', 1, TYPE],
  ['ipv6Only', 'yes', TYPE],
];

describe('making sockets', () => {
  const makers: [string, (reactor: Any, options: Any) => unknown][] = [
    ['UdpSocket.bind', (...args) => UdpSocket.bind(...args)],
    ['UdpSocket.connect', (...args) => UdpSocket.connect(...args)],
    ['TcpListener.listen', (...args) => TcpListener.listen(...args)],
    ['TcpStream.connect', (...args) => TcpStream.connect(...args)],
  ];
  for (const [name, make] of makers) {
    test(`${name}: no reactor, no options`, () => {
      for (const junk of [undefined, null, 5, 'x', {}, [], () => {}]) {
        expectThrow(() => make(junk, { address: V4, port: 9 }), TYPE, 'reactor');
      }
      for (const junk of [null, 5, 'x']) expectThrow(() => make(reactor, junk), TYPE, 'options');
      const closed = new Reactor({ mode: 'blocking' });
      closed.close();
      expect(() => make(closed, { address: V4, port: 9 })).toThrow(
        expect.objectContaining({ code: 'ERR_POLLUX_CLOSED' }),
      );
    });
  }

  test.each(bindRows)('UdpSocket.bind and TcpListener.listen: %s %j', (name, value, code) => {
    const options = { address: V4, port: 0, [name]: value } as Any;
    expectThrow(() => UdpSocket.bind(reactor, options), code, `options.${name}`);
    expectThrow(() => TcpListener.listen(reactor, options), code, `options.${name}`);
  });

  test('options of one kind only', () => {
    const udp = (options: Any) => () => UdpSocket.bind(reactor, options);
    expectThrow(udp({ broadcast: 1 }), TYPE, 'options.broadcast');
    expectThrow(udp({ packetInfo: 1 }), TYPE, 'options.packetInfo');
    expectThrow(udp({ gso: 'yes' }), TYPE, 'options.gso');
    expectThrow(udp({ gro: 0 }), TYPE, 'options.gro');
    expectThrow(udp({ reuseAddress: null }), TYPE, 'options.reuseAddress');
    expectThrow(udp({ maxQueuedBytes: -1 }), RANGE, 'options.maxQueuedBytes');
    expectThrow(udp({ receiveBufferSize: '1' }), TYPE, 'options.receiveBufferSize');
    expectThrow(udp({ sendBufferSize: 2 ** 31 }), RANGE, 'options.sendBufferSize');
    const tcp = (options: Any) => () => TcpListener.listen(reactor, options);
    expectThrow(tcp({ backlog: -1 }), RANGE, 'options.backlog');
    expectThrow(tcp({ allowHalfOpen: 0 }), TYPE, 'options.allowHalfOpen');
    expectThrow(tcp({ highWaterMark: -1 }), RANGE, 'options.highWaterMark');
    const connect = (options: Any) => () => TcpStream.connect(reactor, options);
    expectThrow(connect({ address: V4 }), TYPE, 'options.port');
    expectThrow(connect({ address: V4, port: 0 }), RANGE, 'options.port');
    expectThrow(connect({ port: 9 }), TYPE, 'options.address');
    expectThrow(connect({ address: V4, port: 9, noDelay: 'x' }), TYPE, 'options.noDelay');
    const mixed = { address: V4, port: 9, localAddress: '::1' };
    expectThrow(() => UdpSocket.connect(reactor, mixed), VALUE, 'options.localAddress');
  });
});

describe('UdpSocket.send', () => {
  test('data, peer, port, address', () => {
    using socket = UdpSocket.bind(reactor, { address: V4 });
    const send =
      (...args: Any[]) =>
      () =>
        (socket as Any).send(...args);
    for (const junk of [
      undefined,
      null,
      5,
      {},
      [],
      new ArrayBuffer(8),
      new DataView(new ArrayBuffer(8)),
    ]) {
      expectThrow(send(junk, 9, V4), TYPE, 'data');
    }
    expectThrow(send(Buffer.alloc(65_508), 9, V4), RANGE, 'data');
    expectThrow(send('x'), TYPE, 'peer');
    expectThrow(send('x', '9', V4), TYPE, 'peer');
    expectThrow(send('x', null), TYPE, 'peer');
    expectThrow(send('x', {}), TYPE, 'peer.port');
    expectThrow(send('x', { address: V4, port: 0 }), RANGE, 'peer.port');
    expectThrow(send('x', { address: 'here', port: 9 }), VALUE, 'peer.address');
    expectThrow(send('x', 0, V4), RANGE, 'port');
    expectThrow(send('x', 9), TYPE, 'address');
    expectThrow(send('x', 9, '::1'), VALUE, 'address');
    const slice =
      (...args: Any[]) =>
      () =>
        (socket as Any).sendSlice(...args);
    const bytes = Buffer.alloc(70_000);
    expectThrow(slice('text', 0, 1, { address: V4, port: 9 }), TYPE, 'buffer');
    expectThrow(slice(bytes, -1, 1, { address: V4, port: 9 }), RANGE, 'offset');
    expectThrow(slice(bytes, 70_001, 0, { address: V4, port: 9 }), RANGE, 'offset');
    expectThrow(slice(bytes, 69_999, 2, { address: V4, port: 9 }), RANGE, 'length');
    expectThrow(slice(bytes, 0, 65_508, { address: V4, port: 9 }), RANGE, 'length');
    expectThrow(slice(bytes, 0, '1', { address: V4, port: 9 }), TYPE, 'length');
    expectThrow(slice(bytes, 0, 1), TYPE, 'peer');
    expectThrow(slice(bytes, 0, 1, { address: V4, port: 9 }, 5), TYPE, 'from');
    expectThrow(() => socket.receive(5 as Any), TYPE, 'callback');
    using connected = UdpSocket.connect(reactor, socket.address());
    expectThrow(() => connected.send('x', socket.address()), TYPE, 'peer');
  });

  test('use after close', () => {
    const socket = UdpSocket.bind(reactor, { address: V4 });
    const closed = expect.objectContaining({ code: 'ERR_POLLUX_CLOSED' });
    socket.close();
    expect(() => socket.send('x', 9, V4)).toThrow(closed);
    expect(() => socket.address()).toThrow(closed);
    socket.close();
    expect(socket.ref().unref().closed).toBe(true);
    const listener = TcpListener.listen(reactor, { address: V4 });
    listener.close();
    expect(() => listener.address()).toThrow(closed);
    listener.close();
  });
});

describe('TcpStream', () => {
  test('write, end, destroy', () => {
    using listener = TcpListener.listen(reactor, { address: V4 });
    using stream = TcpStream.connect(reactor, listener.address());
    const any = stream as Any;
    for (const junk of [undefined, null, 5, {}, [], new ArrayBuffer(8)]) {
      expectThrow(() => any.write(junk), TYPE, 'data');
    }
    expectThrow(() => any.end(5), TYPE, 'data');
    expectThrow(() => any.destroy('boom'), TYPE, 'error');
    for (const junk of [undefined, null, 0, 'yes']) {
      expectThrow(() => Object.assign(stream, { allowHalfOpen: junk }), TYPE, 'allowHalfOpen');
    }
    for (const junk of [undefined, null, '5', {}]) {
      expectThrow(() => Object.assign(stream, { highWaterMark: junk }), TYPE, 'highWaterMark');
    }
    for (const junk of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expectThrow(() => Object.assign(stream, { highWaterMark: junk }), RANGE, 'highWaterMark');
    }
    expect([stream.allowHalfOpen, stream.highWaterMark]).toEqual([false, 65_536]);
    expect(stream.destroyed).toBe(false);
    expect(stream.queuedBytes).toBe(0);
    expect(stream.write('still works')).toBe(true);
    stream.end();
    stream.end();
    const closed = expect.objectContaining({ code: 'ERR_POLLUX_CLOSED' });
    expect(() => stream.write('x')).toThrow(closed);
    expect(() => stream.end('x')).toThrow(closed);
    expect(stream.writable).toBe(false);
    stream.destroy().destroy();
    expect([stream.write('x'), stream.writable]).toEqual([false, false]);
    stream.pause().resume().ref().unref();
    expect(stream.remotePort).toBe(listener.address().port);
  });
});
