// O_NONBLOCK belongs to the open file, not to the descriptor: who shares a socket may take it back.
// Node does so with a descriptor that a child gets as its stdin. No call of ours waits for all that.
// Each in a process of its own, for one that waits cannot be stopped from within.
import { expect, test } from 'vitest';
import { runChild } from './support.js';

const kinds = {
  'a UDP socket that receives': `
    const socket = UdpSocket.bind(reactor, { address });
    socket.on('message', (data) => tell(String(data)));
    give(socket);
    socket.send('came', socket.address());`,
  'a Unix socket that receives': `
    const [first, second] = UnixDatagramSocket.pair(reactor);
    second.on('message', (data) => tell(String(data)));
    give(second);
    first.send('came');`,
  'a Unix socket whose peer is full': `
    const [first, second] = UnixDatagramSocket.pair(reactor);
    second.pause();
    give(first);
    while (first.queuedBytes === 0) { first.send('x'); reactor.turn(0); }
    tell('came');`,
  'a stream that reads': `
    const [first, second] = UnixStream.pair(reactor);
    second.receive((buffer, offset, length) => tell(buffer.toString('latin1', offset, offset + length)));
    give(second);
    first.write('came');`,
  'a stream that takes descriptors': `
    const [first, second] = UnixStream.pair(reactor);
    second.on('fds', (fds) => { for (const fd of fds) fd.close(); });
    second.on('data', (data) => tell(String(data)));
    give(second);
    first.sendFds('came', [0]);`,
  'a stream that writes more than there is room for': `
    const [first, second] = UnixStream.pair(reactor);
    second.pause();
    give(first);
    first.write(Buffer.alloc(4_000_000));
    reactor.turn(0);
    tell(first.queuedBytes > 0 ? 'came' : 'none waits');`,
  'a stream that sends descriptors with more than there is room for': `
    const [first, second] = UnixStream.pair(reactor);
    second.pause();
    give(first);
    first.sendFds(Buffer.alloc(4_000_000), [0]);
    reactor.turn(0);
    tell(first.queuedBytes > 0 ? 'came' : 'none waits');`,
  'a listener': `
    const listener = TcpListener.listen(reactor, { address });
    listener.on('connection', () => tell('came'));
    give(listener);
    TcpStream.connect(reactor, listener.address());`,
};

test.each(Object.entries(kinds))(
  '%s',
  async (_, code) => {
    const { stdout, stderr, signal } = await runChild(`
    import { spawnSync } from 'node:child_process';
    import { Reactor } from '@pollux/core';
    import { TcpListener, TcpStream, UdpSocket, UnixDatagramSocket, UnixStream } from '@pollux/net';
    import { isNonblocking } from '@pollux/testkit';
    const reactor = new Reactor({ mode: 'blocking' });
    const address = '127.0.0.1';
    let told = false;
    function tell(text) {
      told = true;
      console.log(text);
    }
    function give(socket) {
      spawnSync('true', { stdio: [socket.fd, 'ignore', 'ignore'] });
      if (isNonblocking(socket.fd)) console.log('it was not taken back');
    }
    ${code}
    // The network may take a moment.
    for (let i = 0; i < 500 && !told; i++) reactor.turn(20);
    for (let i = 0; i < 5; i++) reactor.turn(2);
    reactor.close();
  `);
    expect({ stdout, stderr, signal }).toEqual({ stdout: 'came\n', stderr: '', signal: null });
  },
  20_000,
);
