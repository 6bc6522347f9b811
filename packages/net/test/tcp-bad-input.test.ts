// A wrong option of TCP is a TypeError or RangeError that names it, thrown at once; nothing is opened.
import { Reactor } from '@pollux/core';
import { TcpListener, TcpStream } from '@pollux/net';
import { close, openFds, tcpPair } from '@pollux/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

// biome-ignore lint/suspicious/noExplicitAny: what the types forbid is what is tested
type Any = any;

const TYPE = 'ERR_INVALID_ARG_TYPE';
const VALUE = 'ERR_INVALID_ARG_VALUE';
const RANGE = 'ERR_OUT_OF_RANGE';
const V4 = '127.0.0.1';

let reactor: Reactor;
let fds: [number, number];
beforeAll(() => {
  reactor = new Reactor({ mode: 'blocking' });
  fds = tcpPair();
});
afterAll(() => {
  reactor.close();
  for (const fd of fds) close(fd);
});

function expectThrow(call: () => unknown, code: string, named: string): void {
  const before = openFds();
  let thrown: unknown;
  try {
    call();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(code === RANGE ? RangeError : TypeError);
  expect(thrown).toMatchObject({ code, message: expect.stringContaining(`"${named}"`) });
  expect(openFds()).toEqual(before);
}

const streamRows: [string, unknown, string][] = [
  ['noDelay', 1, TYPE],
  ['allowHalfOpen', 'no', TYPE],
  ['highWaterMark', -1, RANGE],
  ['maxQueuedBytes', 1.5, RANGE],
  ['maxQueuedBytes', '1', TYPE],
  ['timeoutMs', -1, RANGE],
  ['timeoutMs', Number.NaN, RANGE],
  ['timeoutMs', 2 ** 31, RANGE],
  ['keepAlive', 60, TYPE],
  ['keepAliveInitialDelay', 32_768_000, RANGE],
  ['keepAliveInterval', '5', TYPE],
  ['keepAliveProbes', 128, RANGE],
  ['userTimeoutMs', Number.POSITIVE_INFINITY, RANGE],
  ['ttl', 0, RANGE],
  ['tos', 256, RANGE],
  ['receiveBufferSize', 0, RANGE],
  ['sendBufferSize', 2 ** 31, RANGE],
];
const listenRows: [string, unknown, string][] = [
  ['deferAcceptMs', -1, RANGE],
  ['maxConnections', 0, RANGE],
  ['signal', {}, TYPE],
];
const connectRows: [string, unknown, string][] = [
  ['signal', 'abort', TYPE],
  ['localPort', 65_536, RANGE],
  ['localAddress', 'localhost', VALUE],
  ['connectTimeoutMs', -1, RANGE],
  ['attemptDelayMs', '250', TYPE],
  ['addresses', [V4], 'beside'],
];

describe('options', () => {
  test.each(streamRows)('%s: %j, of every kind of stream', (name, value, code) => {
    const wrong = { [name]: value };
    expectThrow(() => TcpListener.listen(reactor, wrong), code, `options.${name}`);
    expectThrow(() => TcpStream.adopt(reactor, fds[0], wrong), code, `options.${name}`);
    const connect = { address: V4, port: 9, ...wrong };
    expectThrow(() => TcpStream.connect(reactor, connect), code, `options.${name}`);
  });

  test.each(listenRows)('listen, %s: %j', (name, value, code) => {
    const wrong = { [name]: value } as Any;
    expectThrow(() => TcpListener.listen(reactor, wrong), code, `options.${name}`);
  });

  test.each(connectRows)('connect, %s: %j', (name, value, code) => {
    const wrong = { address: V4, port: 9, [name]: value } as Any;
    if (code === 'beside')
      expectThrow(() => TcpStream.connect(reactor, wrong), VALUE, 'options.address');
    else expectThrow(() => TcpStream.connect(reactor, wrong), code, `options.${name}`);
  });

  test.each([
    [[], TYPE, 'options.addresses'],
    ['127.0.0.1', TYPE, 'options.addresses'],
    [[null], TYPE, 'options.addresses[0]'],
    [[V4, 'x'], VALUE, 'options.addresses[1]'],
    [[{ address: V4, port: 0 }], RANGE, 'options.addresses[0].port'],
    [[{ address: V4, port: '9' }], TYPE, 'options.addresses[0].port'],
  ])('addresses: %j', (addresses, code, named) => {
    expectThrow(() => TcpStream.connect(reactor, { addresses, port: 9 } as Any), code, named);
  });

  test('addresses without a port', () => {
    expectThrow(() => TcpStream.connect(reactor, { addresses: [V4] }), TYPE, 'options.port');
  });
});

test('methods', () => {
  const stream: Any = TcpStream.adopt(reactor, fds[0]);
  expectThrow(() => stream.setTimeout('5'), TYPE, 'ms');
  expectThrow(() => stream.setTimeout(-1), RANGE, 'ms');
  expectThrow(() => stream.setTimeout(5, 'callback'), TYPE, 'callback');
  expectThrow(() => stream.setNoDelay(1), TYPE, 'on');
  expectThrow(() => stream.setKeepAlive('on'), TYPE, 'on');
  expectThrow(() => stream.setKeepAlive(true, -1), RANGE, 'initialDelay');
  expectThrow(() => stream.setKeepAlive(true, 0, '1'), TYPE, 'interval');
  expectThrow(() => stream.setKeepAlive(true, 0, 0, 1.5), RANGE, 'probes');
  expect(stream.timeoutMs).toBe(0);
  stream.destroy();
});
