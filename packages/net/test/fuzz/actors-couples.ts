// Streams that are connected from the first: pairs, and what is adopted, at one end or at both.
import net from 'node:net';
import type { Reactor } from '@pollux/core';
import { TcpStream, UnixStream } from '@pollux/net';
import { close, socketpair, tcpPair } from '@pollux/testkit';
import type { CoupleKit, ListenOptions, StreamActor } from './actors.js';
import { NodeStream } from './actors-node.js';
import { PolluxStream } from './actors-pollux.js';

/** Takes a descriptor over, and closes the original. */
function adopt(reactor: Reactor, fd: number, unix: boolean, options: ListenOptions): StreamActor {
  const stream = unix
    ? UnixStream.adopt(reactor, fd, options)
    : TcpStream.adopt(reactor, fd, options);
  close(fd);
  return new PolluxStream(stream, unix ? 'unix' : 'pollux');
}

export function coupleKits(reactor: Reactor): CoupleKit[] {
  return [
    {
      kind: 'pair',
      couple(client, server) {
        const [one, other] = UnixStream.pair(reactor, client);
        other.allowHalfOpen = server.allowHalfOpen;
        return [new PolluxStream(one, 'unix'), new PolluxStream(other, 'unix')];
      },
    },
    {
      kind: 'adopted',
      couple(client, server) {
        const [one, other] = socketpair('stream');
        return [adopt(reactor, one, true, client), adopt(reactor, other, true, server)];
      },
    },
    {
      kind: 'tcp-adopted',
      couple(client, server) {
        const [one, other] = tcpPair();
        return [adopt(reactor, one, false, client), adopt(reactor, other, false, server)];
      },
    },
    {
      kind: 'half-adopted',
      couple(client, { allowHalfOpen }) {
        const [one, other] = socketpair('stream');
        const theirs = new net.Socket({
          ...{ fd: other, readable: true, writable: true, allowHalfOpen },
        });
        return [adopt(reactor, one, true, client), new NodeStream(theirs, 'unix-node')];
      },
    },
  ];
}
