// Wrong arguments to Unix sockets: a TypeError or RangeError with a code, thrown at once and naming
// the argument; nothing is opened, no file is made.
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { Reactor } from '@pollux/core';
import { UnixDatagramSocket, UnixListener, UnixStream } from '@pollux/net';
import { close, openFds, pipe, socketpair, tcpListener, unixListener } from '@pollux/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newPath } from './unix-support.js';

// biome-ignore lint/suspicious/noExplicitAny: what the types forbid is what is tested
type Any = any;

const TYPE = 'ERR_INVALID_ARG_TYPE';
const VALUE = 'ERR_INVALID_ARG_VALUE';
const RANGE = 'ERR_OUT_OF_RANGE';

let reactor: Reactor;
beforeAll(() => {
  reactor = new Reactor({ mode: 'blocking' });
});
afterAll(() => reactor.close());

function expectThrow(call: () => unknown, code: string, named: string): void {
  const directory = dirname(newPath());
  const before = [openFds(), readdirSync(directory)];
  let thrown: unknown;
  try {
    call();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(code === RANGE ? RangeError : TypeError);
  expect(thrown).toMatchObject({ code, message: expect.stringContaining(`"${named}"`) });
  expect([openFds(), readdirSync(directory)]).toEqual(before);
}

const makers: [string, (reactor: Any, options: Any) => unknown, needsPath: boolean][] = [
  ['UnixListener.listen', (...args) => UnixListener.listen(...args), true],
  ['UnixStream.connect', (...args) => UnixStream.connect(...args), true],
  ['UnixDatagramSocket.bind', (...args) => UnixDatagramSocket.bind(...args), false],
  ['UnixDatagramSocket.connect', (...args) => UnixDatagramSocket.connect(...args), true],
];

describe.each(makers)('%s', (_name, make, needsPath) => {
  test('reactor and options', () => {
    for (const junk of [undefined, null, 5, {}]) {
      expectThrow(() => make(junk, { path: newPath() }), TYPE, 'reactor');
    }
    for (const junk of [null, 5, 'x']) expectThrow(() => make(reactor, junk), TYPE, 'options');
    const closed = new Reactor({ mode: 'blocking' });
    closed.close();
    expect(() => make(closed, { path: newPath() })).toThrow(
      expect.objectContaining({ code: 'ERR_POLLUX_CLOSED' }),
    );
  });

  test('path', () => {
    const path = (value: unknown) => () => make(reactor, { path: value });
    for (const junk of [null, 5, true, {}, [], new ArrayBuffer(4)]) {
      expectThrow(path(junk), TYPE, 'options.path');
    }
    if (needsPath) expectThrow(path(undefined), TYPE, 'options.path');
    expectThrow(path(''), VALUE, 'options.path');
    expectThrow(path(new Uint8Array(0)), VALUE, 'options.path');
    expectThrow(path(`${newPath()}\0x`), VALUE, 'options.path');
    expectThrow(path(newPath().padEnd(108, 'x')), RANGE, 'options.path');
    expectThrow(path(`/${'é'.repeat(54)}`), RANGE, 'options.path'); // bytes, not characters
    expectThrow(path(`\0${'x'.repeat(108)}`), RANGE, 'options.path');
    expectThrow(path('x'.repeat(1_000_000)), RANGE, 'options.path');
  });
});

test('options of one kind only', () => {
  const path = newPath();
  const listen = (options: Any) => () => UnixListener.listen(reactor, { path, ...options });
  expectThrow(listen({ backlog: -1 }), RANGE, 'options.backlog');
  expectThrow(listen({ mode: 0o1000 }), RANGE, 'options.mode');
  expectThrow(listen({ mode: '600' }), TYPE, 'options.mode');
  expectThrow(listen({ unlink: 1 }), TYPE, 'options.unlink');
  expectThrow(listen({ exclusive: 1 }), TYPE, 'options.exclusive');
  expectThrow(listen({ highWaterMark: -1 }), RANGE, 'options.highWaterMark');
  expectThrow(listen({ maxConnections: 0 }), RANGE, 'options.maxConnections');
  expectThrow(listen({ maxConnections: '1' }), TYPE, 'options.maxConnections');
  expectThrow(listen({ signal: {} }), TYPE, 'options.signal');
  expectThrow(listen({ fd: 0 }), TYPE, 'options.path');
  const connect = (options: Any) => () => UnixStream.connect(reactor, { path, ...options });
  expectThrow(connect({ connectTimeoutMs: -1 }), RANGE, 'options.connectTimeoutMs');
  expectThrow(connect({ allowHalfOpen: 'x' }), TYPE, 'options.allowHalfOpen');
  expectThrow(connect({ signal: 'abort' }), TYPE, 'options.signal');
  const bind = (options: Any) => () => UnixDatagramSocket.bind(reactor, { path, ...options });
  expectThrow(bind({ mode: -1 }), RANGE, 'options.mode');
  expectThrow(bind({ receiveFds: 1 }), TYPE, 'options.receiveFds');
  expectThrow(bind({ maxQueuedBytes: -1 }), RANGE, 'options.maxQueuedBytes');
  expectThrow(bind({ signal: {} }), TYPE, 'options.signal');
  const datagrams = (options: Any) => () =>
    UnixDatagramSocket.connect(reactor, { path, ...options });
  expectThrow(datagrams({ localPath: '' }), VALUE, 'options.localPath');
  expectThrow(datagrams({ autobind: 1 }), TYPE, 'options.autobind');
});

test('descriptors to adopt', () => {
  const [reader, writer] = pipe();
  const [stream, other] = socketpair();
  const [datagrams, more] = socketpair('dgram');
  const listener = unixListener(newPath());
  const tcp = tcpListener().fd;
  const adopt = (fd: Any) => () => UnixStream.adopt(reactor, fd);
  const adoptDatagrams = (fd: Any) => () => UnixDatagramSocket.adopt(reactor, fd);
  const listen = (fd: Any) => () => UnixListener.listen(reactor, { fd });
  for (const call of [adopt, adoptDatagrams, listen]) {
    const name = call === listen ? 'options.fd' : 'fd';
    expectThrow(call('0'), TYPE, name);
    expectThrow(call(null), TYPE, name);
    expectThrow(call({}), TYPE, name);
    expectThrow(call(-1), RANGE, name);
    expectThrow(call(1.5), RANGE, name);
    expectThrow(call(tcp), VALUE, name);
    expect(call(reader)).toThrow(expect.objectContaining({ code: 'ENOTSOCK' }));
    expect(call(1_000_000)).toThrow(expect.objectContaining({ code: 'EBADF' }));
  }
  for (const fd of [listener, datagrams]) expectThrow(adopt(fd), VALUE, 'fd');
  for (const fd of [listener, stream]) expectThrow(adoptDatagrams(fd), VALUE, 'fd');
  for (const fd of [stream, datagrams]) expectThrow(listen(fd), VALUE, 'options.fd');
  for (const fd of [reader, writer, stream, other, datagrams, more, listener, tcp]) close(fd);
});

test('peers and data of datagrams', () => {
  using socket = UnixDatagramSocket.open(reactor);
  const send =
    (...args: Any[]) =>
    () =>
      (socket as Any).send(...args);
  for (const junk of [undefined, null, 5, {}, []]) expectThrow(send(junk, '/x'), TYPE, 'data');
  expectThrow(send(Buffer.alloc(65_537), '/x'), RANGE, 'data');
  expectThrow(send('x'), TYPE, 'peer');
  expectThrow(send('x', 5), TYPE, 'peer');
  expectThrow(send('x', null), TYPE, 'peer');
  expectThrow(send('x', ''), VALUE, 'peer');
  expectThrow(send('x', {}), TYPE, 'peer.path');
  expectThrow(send('x', { path: '' }), VALUE, 'peer.path');
  expectThrow(send('x', 'x'.repeat(108)), RANGE, 'peer');
  expectThrow(send('x', { address: '127.0.0.1', port: 9 }), TYPE, 'peer.path');
  expectThrow(() => socket.sendSlice(Buffer.alloc(4), 2, 3, '/x'), RANGE, 'length');
  expectThrow(() => socket.sendSlice(Buffer.alloc(70_000), 0, 65_537, '/x'), RANGE, 'length');
  const [first, second] = UnixDatagramSocket.pair(reactor);
  expectThrow(() => first.send('x', '/x'), TYPE, 'peer');
  first.close();
  second.close();
  const closed = expect.objectContaining({ code: 'ERR_POLLUX_CLOSED' });
  expect(() => first.send('x')).toThrow(closed);
  expect(() => first.address()).toThrow(closed);
  expect(first.ref().unref().closed).toBe(true);
});
