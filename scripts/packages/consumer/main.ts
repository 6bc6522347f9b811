// Compiled, not run, against the types as they are published, by each TypeScript that is about
// (npm run test:packages): a program as people write it, and every entry point of every package.
import {
  Events,
  explainSelection,
  Interest,
  PolluxError,
  Reactor,
  type Selection,
  type Watcher,
} from '@pollux/core';
import { ManualClock, MemoryPoller } from '@pollux/core/testing';
import { type Endpoint, TcpListener, TcpStream, toDuplex, UdpSocket } from '@pollux/net';

export async function main(fd: number): Promise<Selection> {
  const reactor = new Reactor({ mode: 'blocking' });
  const watcher: Watcher = reactor.watch(fd, Interest.readable, (events: number) => {
    if (events & Events.readable) watcher.close();
  });
  const echo = UdpSocket.bind(reactor, { address: '127.0.0.1', port: 0 });
  echo.on('message', (data: Buffer, peer: Endpoint) => echo.send(data, peer));
  const listener = TcpListener.listen(reactor, { port: 0 });
  listener.on('connection', (stream: TcpStream) => toDuplex(stream).end('x'));
  const stream = await TcpStream.open(reactor, { host: 'localhost', port: 1 });
  for await (const data of stream) data.toString('utf8');
  // @ts-expect-error: a port is a number
  TcpListener.listen(reactor, { port: 'x' });
  return explainSelection({ avoid: ['select'] });
}

export function code(error: unknown): string | undefined {
  return error instanceof PolluxError ? error.code : undefined;
}

export const inMemory: readonly unknown[] = [ManualClock, MemoryPoller];
