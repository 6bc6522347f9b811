// A connection that somebody else has made becomes a stream of ours; each closes its own descriptor.
import { closeSync, openSync } from 'node:fs';
import net from 'node:net';
import { TcpStream } from '@pollux/net';
import {
  close,
  isCloexec,
  isNonblocking,
  tcpListener,
  tcpPair,
  tcpSocket,
  udpSocket,
  unixPair,
} from '@pollux/testkit';
import { expect, test } from 'vitest';
import { onEveryReactor } from './support.js';

onEveryReactor((bench) => {
  test('both ends of a pair talk, and the given descriptors stay open', async () => {
    const fds = tcpPair();
    const [one, other] = fds.map((fd) => bench().track(TcpStream.adopt(bench().reactor, fd)));
    let got = '';
    other?.on('data', (data) => {
      got += data;
      other.write(data);
    });
    one?.on('data', (data) => {
      got += data;
    });
    one?.write('hello ');
    await bench().until(() => got === 'hello hello ', 'the echo');
    expect(one).toMatchObject({
      connecting: false,
      remoteAddress: '127.0.0.1',
      remotePort: other?.localPort,
      localPort: other?.remotePort,
    });
    for (const [i, stream] of [one, other].entries()) {
      expect(stream?.fd).not.toBe(fds[i]);
      expect(isCloexec(stream?.fd as number) && isNonblocking(stream?.fd as number)).toBe(true);
      stream?.destroy();
    }
    for (const fd of fds) close(fd);
  });

  test("a connection of Node's, which lets go of its own", async () => {
    const listener = bench().listen();
    const got: string[] = [];
    listener.on('connection', (stream) => {
      stream.on('data', (data) => got.push(String(data)));
      stream.on('end', () => got.push('end'));
    });
    const { address, port } = listener.address();
    const socket = net.connect(port, address);
    await bench().until(() => !socket.connecting, 'connect');
    const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
    const stream = bench().track(TcpStream.adopt(bench().reactor, fd, { timeoutMs: 60_000 }));
    socket.destroy();
    stream.end('ours now');
    await bench().until(() => got.length === 2, 'the words');
    expect(got).toEqual(['ours now', 'end']);
  });

  test('what is no connected TCP socket is refused, and nothing is left open', () => {
    const { reactor } = bench();
    const [unix, peer] = unixPair('stream');
    const adopt = (fd: number) => () => TcpStream.adopt(reactor, fd);
    const unconnected = tcpSocket();
    const listening = tcpListener().fd;
    const datagram = udpSocket().fd;
    const code = (code: string) => expect.objectContaining({ code });
    expect(adopt(unconnected)).toThrow(code('ENOTCONN'));
    expect(adopt(listening)).toThrow(code('ENOTCONN'));
    expect(adopt(datagram)).toThrow(code('ERR_INVALID_ARG_VALUE'));
    expect(adopt(unix)).toThrow(code('ERR_INVALID_ARG_VALUE'));
    expect(adopt(reactor.poller.backend === 'epoll' ? 0x7fff_fffe : 0x7fff_fffd)).toThrow(
      expect.objectContaining({ code: 'EBADF', syscall: 'getsockopt', fd: expect.any(Number) }),
    );
    expect(adopt(-1)).toThrow(code('ERR_OUT_OF_RANGE'));
    expect(adopt('3' as never)).toThrow(code('ERR_INVALID_ARG_TYPE'));
    for (const fd of [unconnected, listening, datagram, unix, peer]) close(fd);
  });

  test('a file is no socket', () => {
    const fd = openSync('/dev/null', 'r');
    expect(() => TcpStream.adopt(bench().reactor, fd)).toThrow(
      expect.objectContaining({ code: 'ENOTSOCK' }),
    );
    closeSync(fd);
  });
});
