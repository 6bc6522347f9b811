// What a `receive` callback is given may be written to any stream, which may have to wait with it. If
// it lies in a slab that is not the stream's, the datagrams' or another reactor's, it is copied: that
// slab is used anew sooner.
import { Reactor } from '@pollux/core';
import { UdpSocket, UnixStream } from '@pollux/net';
import { expect, test } from 'vitest';
import { onEveryReactor, pattern } from './support.js';

const SIZE = 20_000;
const COUNT = 500;

onEveryReactor((bench) => {
  for (const how of ['writeSlice', 'write', 'corked'] as const) {
    test(`datagrams that are passed on to a stream that is full, by ${how}`, async () => {
      const { client, server } = await bench().pair();
      const { reactor } = bench();
      const gate = bench().track(UdpSocket.bind(reactor, { address: '127.0.0.1' }));
      const sender = bench().track(UdpSocket.connect(reactor, gate.address()));
      const all = pattern(COUNT * SIZE);
      let passed = 0;
      gate.receive((buffer, offset, length) => {
        passed++;
        if (how === 'write') client.write(buffer.subarray(offset, offset + length));
        else client.writeSlice(buffer, offset, length);
        if (passed < COUNT) sender.send(all.subarray(passed * SIZE, (passed + 1) * SIZE));
        else if (how === 'corked') client.uncork();
      });
      if (how === 'corked') client.cork();
      sender.send(all.subarray(0, SIZE));
      await bench().until(() => passed === COUNT, 'the datagrams');
      expect(client.queuedBytes).toBeGreaterThan(0);

      const pieces: Buffer[] = [];
      let length = 0;
      server.on('data', (data) => {
        pieces.push(data);
        length += data.length;
      });
      await bench().until(() => length === all.length, 'the bytes');
      expect(Buffer.concat(pieces).equals(all)).toBe(true);
    });
  }

  test('what another reactor has received is passed on to a stream', async () => {
    const { client, server } = await bench().pair();
    using other = new Reactor({ mode: 'blocking' });
    const [near, far] = UnixStream.pair(other);
    const all = pattern(COUNT * SIZE);
    let passed = 0;
    near.receive((buffer, offset, length) => {
      passed += length;
      client.writeSlice(buffer, offset, length);
    });
    far.end(all);
    await bench().until(() => {
      if (!other.closed) other.turn(0);
      return passed === all.length;
    }, 'the bytes');

    const pieces: Buffer[] = [];
    let length = 0;
    server.on('data', (data) => {
      pieces.push(data);
      length += data.length;
    });
    await bench().until(() => length === all.length, 'the bytes');
    expect(Buffer.concat(pieces).equals(all)).toBe(true);
  });
});
