// A UDP socket that somebody else has opened: duplicated, bound or connected as it is.
import { TcpListener, UdpSocket } from '@pollux/net';
import { close, devNull, dup, isCloexec, isNonblocking } from '@pollux/testkit';
import { expect, test } from 'vitest';
import { onEveryReactor, record } from './support.js';

const V4 = '127.0.0.1';

onEveryReactor((bench) => {
  test('a bound one: both descriptors are one socket, each closes its own', async () => {
    const { reactor } = bench();
    const theirs = UdpSocket.bind(reactor, { address: V4 });
    const { port } = theirs.address();
    const ours = bench().track(UdpSocket.adopt(reactor, theirs.fd, { packetInfo: true, ttl: 9 }));
    expect(ours.fd).not.toBe(theirs.fd);
    expect([isCloexec(ours.fd), isNonblocking(ours.fd)]).toEqual([true, true]);
    expect(ours.address()).toEqual(theirs.address());
    expect(ours.remote).toBe(undefined);
    theirs.close();
    const messages = record(ours, 'message');
    const client = bench().track(UdpSocket.connect(reactor, { address: V4, port }));
    const answers = record(client, 'message');
    client.send('hello');
    await bench().until(() => messages.length === 1, 'a message after the other has closed');
    expect(messages[0]?.[3]).toMatchObject({ localAddress: V4 });
    ours.send('back', client.address());
    await bench().until(() => answers.length === 1, 'the answer');
  });

  test('a connected one knows its remote', async () => {
    const { reactor } = bench();
    const server = bench().track(UdpSocket.bind(reactor, { address: '::1' }));
    const messages = record(server, 'message');
    const theirs = bench().track(UdpSocket.connect(reactor, server.address()));
    const ours = bench().track(UdpSocket.adopt(reactor, theirs.fd));
    expect(ours.remote).toEqual(server.address());
    ours.send('needs no address');
    await bench().until(() => messages.length === 1, 'the message');
  });

  test('what is no UDP socket is refused, and nothing stays open', () => {
    const { reactor } = bench();
    const code = (value: string) => expect.objectContaining({ code: value });
    const adopt = (fd: unknown, options?: object) => () =>
      UdpSocket.adopt(reactor, fd as number, options);
    const listener = bench().listen();
    expect(adopt(listener.fd)).toThrow(code('ERR_INVALID_ARG_VALUE'));
    const file = devNull();
    expect(adopt(file)).toThrow(expect.objectContaining({ code: 'ENOTSOCK', fd: file }));
    close(file);
    const gone = dup(listener.fd);
    close(gone);
    expect(adopt(gone)).toThrow(expect.objectContaining({ code: 'EBADF', fd: gone }));
    expect(adopt('3')).toThrow(code('ERR_INVALID_ARG_TYPE'));
    expect(adopt(-1)).toThrow(code('ERR_OUT_OF_RANGE'));
    const good = bench().track(UdpSocket.bind(reactor, { address: V4 }));
    for (const [name, value] of Object.entries({ address: V4, port: 1, reusePort: true })) {
      expect(adopt(good.fd, { [name]: value })).toThrow(
        expect.objectContaining({ message: expect.stringContaining(`options.${name}`) }),
      );
    }
    expect(adopt(good.fd, { ttl: 0 })).toThrow(code('ERR_OUT_OF_RANGE'));
    expect(() => TcpListener.listen(reactor, { fd: good.fd })).toThrow(
      code('ERR_INVALID_ARG_VALUE'),
    );
  });
});
