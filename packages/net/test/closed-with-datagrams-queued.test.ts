// A reactor that is closed in a callback, after a send in the same callback: what was queued names its
// socket by a number that may be another's when the callback is over. It is dropped, not sent by that
// other.
import { Reactor } from '@pollux/core';
import { UdpSocket } from '@pollux/net';
import { expect, test } from 'vitest';
import { onEveryReactor, record } from './support.js';

const address = '127.0.0.1';

onEveryReactor((bench) => {
  test('is not sent by a socket that got its number', async () => {
    const { reactor } = bench();
    const other = new Reactor({ backend: reactor.backend, mode: 'blocking' });
    const sink = UdpSocket.bind(other, { address });
    const got = record(sink, 'message');
    const sender = UdpSocket.bind(reactor, { address });
    const { fd } = sender;
    const numbers: number[] = [];
    sender.on('message', () => {
      sender.send('of the closed one', sink.address());
      reactor.close();
      for (let i = 0; i < 8; i++) numbers.push(UdpSocket.bind(other, { address }).fd);
    });
    sink.send('go', sender.address());
    other.turn(0);
    await bench().until(() => reactor.closed, 'the end');
    other.turn(20);
    expect(numbers).toContain(fd);
    expect(got).toEqual([]);
    other.close();
  });
});
