// The poller refuses a socket: out of memory, out of watches (ENOSPC), or the backend lacks what was
// asked for. When the socket is made this is thrown, and nothing of it is left; later it is an error
// of this socket, and costs its neighbours nothing.
import { createPoller, type Poller, Reactor, systemError } from '@pollux/core';
import {
  TcpListener,
  TcpStream,
  UdpSocket,
  UnixDatagramSocket,
  UnixListener,
  UnixStream,
} from '@pollux/net';
import { openFds } from '@pollux/testkit';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { record } from './support.js';
import { newPath } from './unix-support.js';

const ENOSPC = -28;
const address = '127.0.0.1';
let poller: Poller;
let reactor: Reactor;
/** How many more times the poller does what it is told. */
let left: number;

function refuseAfter(times: number, ...verbs: ('add' | 'modify')[]): void {
  left = times;
  for (const verb of verbs) {
    const real = poller[verb].bind(poller);
    poller[verb] = (...args: Parameters<Poller['add']>) => {
      if (left-- <= 0) throw systemError(ENOSPC, 'epoll_ctl', { fd: args[0] });
      real(...args);
    };
  }
}

beforeEach(() => {
  poller = createPoller();
  reactor = new Reactor({ poller, mode: 'blocking' });
});

afterEach(() => {
  reactor.close();
  poller.close();
});

describe('when it is made', () => {
  const signal = (): AbortSignal => new AbortController().signal;
  const kinds: Record<string, [number, () => unknown]> = {
    TcpListener: [0, () => TcpListener.listen(reactor, { address, signal: signal() })],
    UnixListener: [0, () => UnixListener.listen(reactor, { path: newPath() })],
    'UdpSocket.bind': [0, () => UdpSocket.bind(reactor, { address, signal: signal() })],
    'UdpSocket.connect': [0, () => UdpSocket.connect(reactor, { address, port: 9 })],
    'UnixDatagramSocket.bind': [0, () => UnixDatagramSocket.bind(reactor, { path: newPath() })],
    'UnixDatagramSocket.pair, the first': [0, () => UnixDatagramSocket.pair(reactor)],
    'UnixDatagramSocket.pair, the second': [1, () => UnixDatagramSocket.pair(reactor)],
  };

  test.each(Object.entries(kinds))('%s', (_, [times, make]) => {
    const before = openFds();
    refuseAfter(times, 'add');
    expect(make).toThrow(expect.objectContaining({ code: 'ENOSPC', syscall: 'epoll_ctl' }));
    expect(openFds()).toEqual(before);
  });

  test('its signal closes no descriptor that has got its number since', () => {
    const controller = new AbortController();
    refuseAfter(0, 'add');
    expect(() => UdpSocket.bind(reactor, { signal: controller.signal })).toThrow();
    left = Number.POSITIVE_INFINITY;
    const others = Array.from({ length: 4 }, () => UdpSocket.bind(reactor, { address }));
    const before = openFds();
    controller.abort();
    expect(openFds()).toEqual(before);
    expect(others.map(({ closed }) => closed)).toEqual([false, false, false, false]);
  });

  test('exclusive, on a backend that has no such thing', () => {
    const select = new Reactor({ backend: 'select', mode: 'blocking' });
    const before = openFds();
    const options = { path: newPath(), exclusive: true };
    expect(() => UnixListener.listen(select, options)).toThrow(
      expect.objectContaining({ code: 'ERR_POLLUX_UNSUPPORTED' }),
    );
    expect(openFds()).toEqual(before);
    select.close();
  });
});

describe('later', () => {
  test('a datagram socket that is full: an error, and it closes; others send', () => {
    const [first, second] = UnixDatagramSocket.pair(reactor);
    const [other, receiver] = UnixDatagramSocket.pair(reactor);
    second.pause();
    const events = record(first, 'error', 'close');
    const got = record(receiver, 'message');
    refuseAfter(0, 'modify');
    for (let i = 0; i < 1000; i++) first.send('x');
    other.send('y');
    for (let i = 0; i < 5; i++) reactor.turn(5);
    expect(events).toEqual([['error', expect.objectContaining({ code: 'ENOSPC' })], ['close']]);
    expect(got.map(([, data]) => String(data))).toEqual(['y']);
  });

  test('a listener that has room again, when a neighbour of its stream writes', () => {
    const listener = TcpListener.listen(reactor, { address, maxConnections: 1 });
    const events = record(listener, 'error', 'close');
    let accepted: TcpStream | undefined;
    listener.on('connection', (stream) => {
      accepted = stream;
    });
    const client = TcpStream.connect(reactor, listener.address());
    while (accepted === undefined || client.connecting) reactor.turn(5);
    const [first, second] = UnixStream.pair(reactor);
    const got = record(second, 'data');
    const failures = record(accepted, 'error');
    reactor.turn(0);
    refuseAfter(0, 'modify');
    // Its buffer is gone when it is to be written: it closes in the middle of the flush.
    const data = new Uint8Array(10_000);
    accepted.write(data);
    structuredClone(data.buffer, { transfer: [data.buffer] });
    first.write('x');
    for (let i = 0; i < 5; i++) reactor.turn(5);
    expect(failures.length).toBe(1);
    expect(got.map(([, bytes]) => String(bytes))).toEqual(['x']);
    expect(events).toEqual([['error', expect.objectContaining({ code: 'ENOSPC' })], ['close']]);
  });

  test('a stream just connected: an error in place of connect', () => {
    const listener = TcpListener.listen(reactor, { address });
    const client = TcpStream.connect(reactor, listener.address());
    const events = record(client, 'connect', 'error', 'close');
    refuseAfter(0, 'modify');
    for (let i = 0; i < 1000 && events.length < 2; i++) reactor.turn(5);
    expect(events).toEqual([
      ['error', expect.objectContaining({ code: 'ENOSPC' })],
      ['close', true],
    ]);
  });
});
