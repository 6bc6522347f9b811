// A datagram socket that is paused while it finishes waits for `resume`, and does not look again and
// again meanwhile.
import { UdpSocket } from '@pollux/net';
import { expect, test } from 'vitest';
import { onEveryReactor, record } from './support.js';

onEveryReactor((bench) => {
  test('waits without a callback, then hands out the rest and closes', async () => {
    const { reactor } = bench();
    const socket = bench().track(UdpSocket.bind(reactor, { address: '127.0.0.1' }));
    const to = socket.address();
    const closes = record(socket, 'close');
    const got: string[] = [];
    socket.on('message', (data) => {
      got.push(String(data));
      if (got.length === 2) socket.pause();
    });
    socket.pause();
    for (let i = 0; i < 5; i++) socket.send(`${i}`, to);
    await bench().idle();
    socket.finish();
    await bench().until(() => got.length === 2, 'the first two');
    await bench().idle();
    await bench().caughtUp();
    const before = reactor.stats().callbacks;
    await bench().idle();
    expect(reactor.stats().callbacks).toBe(before);
    expect([got.length, socket.closed]).toEqual([2, false]);
    for (let i = 0; i < 3; i++) socket.resume();
    await bench().until(() => closes.length === 1, 'the close');
    expect(got).toEqual(['0', '1', '2', '3', '4']);
  });
});
