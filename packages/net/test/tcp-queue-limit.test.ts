// How much memory a peer who does not read can cost: little if one heeds what `write` answers, up to
// `maxQueuedBytes` if one does not.
import { TcpStream } from '@pollux/net';
import { expect, test } from 'vitest';
import { onEveryReactor, pattern, record } from './support.js';

const PIECE = 64 * 1024;

onEveryReactor((bench) => {
  test('heeded: never more waits than the mark and one piece', async () => {
    const { client, server } = await bench().pair({ highWaterMark: 100_000 });
    let most = 0;
    let wrote = 0;
    const fill = () => {
      for (let room = true; room && wrote < 20_000_000; wrote += PIECE) {
        room = client.write(pattern(PIECE));
        most = Math.max(most, client.queuedBytes);
      }
    };
    client.on('drain', fill);
    // The peer reads now and then, and stops again.
    server.on('data', () => {
      if (server.bytesRead % 7 !== 0) return;
      server.pause();
      bench().reactor.timer(1, () => server.resume());
    });
    fill();
    await bench().until(() => wrote >= 20_000_000 && client.queuedBytes === 0, 'everything');
    await bench().until(() => server.bytesRead === wrote, 'the reader');
    expect(most).toBeLessThan(100_000 + PIECE);
  });

  test('not heeded: at the limit the stream fails, and lets go of everything', async () => {
    const { client, server } = await bench().pair({ maxQueuedBytes: 1_000_000 });
    const events = record(client, 'error', 'close');
    let wrote = 0;
    await bench().until(() => {
      if (client.writable) client.write(pattern(PIECE));
      wrote += PIECE;
      expect(client.queuedBytes).toBeLessThanOrEqual(1_000_000);
      return events.length === 2;
    }, 'the failure');
    expect(wrote).toBeGreaterThan(1_000_000);
    expect(events[0]?.[1]).toMatchObject({
      code: 'ERR_POLLUX_QUEUE_FULL',
      message: expect.stringContaining('maxQueuedBytes (1000000)'),
    });
    expect(events[1]).toEqual(['close', true]);
    expect([client.queuedBytes, client.write('x')]).toEqual([0, false]);
    server.destroy();
  });

  test('one write that is larger than the limit, and more than the system takes', async () => {
    const { client } = await bench().pair({ maxQueuedBytes: 1_000_000 });
    const events = record(client, 'error', 'close');
    // Until it was offered it is the writer's own matter.
    expect(client.write(pattern(12_000_000))).toBe(false);
    expect(client.destroyed).toBe(false);
    await bench().until(() => events.length === 2, 'the failure');
    expect(events[0]?.[1]).toMatchObject({ code: 'ERR_POLLUX_QUEUE_FULL' });
  });

  test('what the system takes at once does not count', async () => {
    const { client, server } = await bench().pair({ maxQueuedBytes: 0 });
    let got = 0;
    server.on('data', (data) => {
      got += data.length;
    });
    for (let i = 0; i < 50; i++) {
      client.write(pattern(10_000));
      await bench().turn();
    }
    await bench().until(() => got === 500_000, 'everything');
    expect(client.destroyed).toBe(false);
  });

  test('while it connects, or is corked, everything counts', async () => {
    const { address, port } = bench().listen().address();
    const connecting = TcpStream.connect(bench().reactor, { address, port, maxQueuedBytes: 1_000 });
    const events = record(connecting, 'connect', 'error', 'close');
    connecting.write(pattern(1_000));
    expect(connecting.destroyed).toBe(false);
    expect(connecting.write('x')).toBe(false);
    await bench().until(() => events.length === 2, 'the failure');
    expect(events[0]?.[1]).toMatchObject({ code: 'ERR_POLLUX_QUEUE_FULL' });

    const { client } = await bench().pair({ maxQueuedBytes: 1_000 });
    const corked = record(client, 'error', 'close');
    client.cork();
    client.write(pattern(1_001));
    await bench().until(() => corked.length === 2, 'the failure');
  });
});
