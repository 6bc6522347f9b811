// `resetAndDestroy` breaks a connection: the peer is told ECONNRESET, not an end.
import { TcpStream } from '@pollux/net';
import { expect, test } from 'vitest';
import { onEveryReactor, pattern, record } from './support.js';

onEveryReactor((bench) => {
  test('the peer is told of a reset, we of a close', async () => {
    const { client, server } = await bench().pair();
    const ours = record(server, 'end', 'error', 'close');
    const theirs = record(client.resume(), 'end', 'error', 'close');
    expect(server.resetAndDestroy()).toBe(server);
    expect(server.destroyed).toBe(true);
    await bench().until(() => ours.length === 1 && theirs.length === 2, 'both closes');
    expect(ours).toEqual([['close', false]]);
    expect(theirs).toEqual([
      ['error', expect.objectContaining({ code: 'ECONNRESET', syscall: 'recv' })],
      ['close', true],
    ]);
    server.resetAndDestroy();
  });

  test('what waits is dropped', async () => {
    const { client, server } = await bench().pair();
    client.write(pattern(8_000_000));
    await bench().idle();
    expect(client.queuedBytes).toBeGreaterThan(0);
    const events = record(server, 'end', 'error', 'close');
    client.resetAndDestroy();
    server.resume();
    await bench().until(() => events.length === 2, 'error and close');
    expect(events[0]?.[1]).toMatchObject({ code: 'ECONNRESET' });
    expect(server.bytesRead).toBeLessThan(8_000_000);
  });

  test('while it connects, it is a destroy', async () => {
    const { address, port } = bench().listen().address();
    const stream = TcpStream.connect(bench().reactor, { address, port });
    const events = record(stream, 'connect', 'error', 'close');
    stream.resetAndDestroy();
    await bench().until(() => events.length === 1, 'close');
    expect(events).toEqual([['close', false]]);
  });
});
