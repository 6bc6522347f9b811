// A Unix datagram socket that takes descriptors is ready, and is closed by another's listener before
// it is read: nobody else's descriptor is read in its place, not even descriptor 0.
import { backends } from '@pollux/testkit/conformance';
import { expect, test } from 'vitest';
import { runChild } from './support.js';

test.each(backends)('%s', async (backend) => {
  const { stdout, stderr, code } = await runChild(`
    import { closeSync } from 'node:fs';
    import { Reactor } from '@pollux/core';
    import { UnixDatagramSocket, UnixStream } from '@pollux/net';
    const reactor = new Reactor({ backend: '${backend}', mode: 'blocking' });
    const sender = UnixDatagramSocket.open(reactor);
    const [writer, reader] = UnixStream.pair(reactor);
    const closing = UnixDatagramSocket.bind(reactor, { receiveFds: true });
    closeSync(0);
    const bystander = UnixDatagramSocket.bind(reactor);
    const got = [];
    closing.on('message', () => got.push('of a closed socket'));
    bystander.on('message', (data) => got.push(data.toString()));
    reader.on('data', () => closing.close());
    const { fd } = bystander;
    sender.send('dropped', closing.address());
    sender.send('kept', bystander.address());
    writer.write('now');
    for (let i = 0; i < 5; i++) reactor.turn(5);
    console.log(JSON.stringify({ fd, got, closed: closing.closed }));
    reactor.close();
  `);
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  expect(JSON.parse(stdout)).toEqual({ fd: 0, got: ['kept'], closed: true });
});
