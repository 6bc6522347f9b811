// A socket that is connected later, to another endpoint, and to nobody again.
import { UdpSocket } from '@pollux/net';
import { expect, test } from 'vitest';
import { type Bench, onEveryReactor } from './support.js';

const V4 = '127.0.0.1';

function bind(bench: Bench, options = {}): UdpSocket {
  return bench.track(UdpSocket.bind(bench.reactor, { address: V4, ...options }));
}

function texts(socket: UdpSocket): string[] {
  const got: string[] = [];
  socket.on('message', (data) => got.push(data.toString()));
  return got;
}

onEveryReactor((bench) => {
  test('connect, connect elsewhere, disconnect', async () => {
    const [one, two] = [bind(bench()), bind(bench())];
    const heard = [texts(one), texts(two)];
    const socket = bind(bench());
    const got = texts(socket);
    const { port } = socket.address();
    socket.connect(one.address());
    expect(socket.remote).toEqual(one.address());
    socket.send('to one');
    two.send('from a stranger', port, V4);
    one.send('from one', port, V4);
    await bench().until(() => got.length === 1 && heard[0]?.length === 1, 'one');

    socket.connect(two.address());
    socket.send('to two');
    one.send('a stranger now', port, V4);
    two.send('from two', port, V4);
    await bench().until(() => got.length === 2 && heard[1]?.length === 1, 'two');

    socket.disconnect();
    socket.disconnect();
    expect(socket.remote).toBe(undefined);
    expect(() => socket.send('to whom')).toThrow(TypeError);
    expect(socket.address().port).toBe(port);
    socket.send('again', one.address());
    one.send('from one again', port, V4);
    await bench().until(() => got.length === 3 && heard[0]?.length === 2, 'one again');
    expect(got).toEqual(['from one', 'from two', 'from one again']);
    expect(heard).toEqual([['to one', 'again'], ['to two']]);
  });

  test('what was queued before goes where it was sent', async () => {
    const [one, two] = [bind(bench()), bind(bench())];
    const heard = [texts(one), texts(two)];
    const socket = bind(bench());
    socket.send('before, to one', one.address());
    socket.connect(two.address());
    socket.send('connected, to two');
    socket.connect(one.address());
    socket.send('then to one');
    socket.disconnect();
    socket.send('free, to two', two.address());
    await bench().until(() => heard.flat().length === 4, 'all');
    expect(heard).toEqual([
      ['before, to one', 'then to one'],
      ['connected, to two', 'free, to two'],
    ]);
  });

  test('what is wrong', () => {
    const socket = bind(bench());
    const code = (value: string) => expect.objectContaining({ code: value });
    expect(() => socket.connect(undefined as never)).toThrow(code('ERR_INVALID_ARG_TYPE'));
    expect(() => socket.connect({ address: 'x', port: 9 })).toThrow(code('ERR_INVALID_ARG_VALUE'));
    expect(() => socket.connect({ address: '::1', port: 9 })).toThrow(
      code('ERR_INVALID_ARG_VALUE'),
    );
    expect(() => socket.connect({ address: V4, port: 0 })).toThrow(code('ERR_OUT_OF_RANGE'));
    expect(socket.remote).toBe(undefined);
    expect(() => socket.connect({ address: '255.255.255.255', port: 9 })).toThrow(
      expect.objectContaining({ syscall: 'connect', address: '255.255.255.255', port: 9 }),
    );
    expect(socket.remote).toBe(undefined);
    socket.close();
    expect(() => socket.connect({ address: V4, port: 9 })).toThrow(code('ERR_POLLUX_CLOSED'));
    expect(() => socket.disconnect()).toThrow(code('ERR_POLLUX_CLOSED'));
  });
});
