// What `finish` still receives does not overtake what was received before and is not handed out yet,
// because the reactor was stopped in the middle of it.
import { UdpSocket } from '@pollux/net';
import { expect, test } from 'vitest';
import { onEveryReactor } from './support.js';

onEveryReactor((bench) => {
  test('a stop while held datagrams are handed out does not let finish overtake them', async () => {
    const { reactor } = bench();
    const server = bench().track(UdpSocket.bind(reactor, { address: '127.0.0.1' }));
    const client = bench().track(UdpSocket.connect(reactor, server.address()));
    const got: number[] = [];
    let closed = false;
    server.on('close', () => {
      closed = true;
    });
    server.on('message', (data) => {
      got.push(Number(String(data)));
      // 1 to 4 are held.
      if (got.length === 1) server.pause();
      if (got.length === 2) reactor.stop();
    });
    for (let i = 0; i < 5; i++) client.send(`${i}`);
    await bench().until(() => got.length === 1, 'the first');
    for (let i = 5; i < 10; i++) client.send(`${i}`);
    await bench().idle(5);
    server.finish();
    await bench().until(() => {
      if (reactor.stopped && reactor.mode === 'attached') void reactor.run();
      return closed;
    }, 'the end');
    expect(got).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
});
