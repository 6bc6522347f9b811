// `for await` over a stream: read when the loop asks, every byte, the end, what breaks it; and
// promises that wait for a stream.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { TcpStream } from '@pollux/net';
import { expect, test } from 'vitest';
import { onEveryReactor, pattern, record } from './support.js';

/** Gathers a loop's pieces; `wait` is what its body does. */
async function gather(stream: TcpStream, wait?: () => Promise<void>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of stream) {
    pieces.push(piece);
    await wait?.();
  }
  return Buffer.concat(pieces);
}

onEveryReactor((bench) => {
  /** What becomes of a promise, while the reactor is turned. */
  async function settle<T>(promise: Promise<T>): Promise<T> {
    let over = false;
    const done = () => {
      over = true;
    };
    promise.then(done, done);
    await bench().until(() => over, 'the promise');
    return await promise;
  }

  test('every byte, and then the end', async () => {
    const { client, server } = await bench().pair();
    const sent = pattern(3_000_000);
    client.end(sent);
    const got = await settle(gather(server));
    expect(got.equals(sent)).toBe(true);
    await bench().until(() => client.destroyed && server.destroyed, 'close');
  });

  test('a slow loop holds the peer up, and keeps nothing in memory', async () => {
    const { client, server } = await bench().pair();
    const sent = pattern(6_000_000);
    client.end(sent);
    let most = 0;
    let taken = 0;
    const got = gather(server, async () => {
      most = Math.max(most, server.bytesRead - taken);
      taken = server.bytesRead;
      await new Promise((resolve) => setTimeout(resolve, 1));
    });
    expect((await settle(got)).equals(sent)).toBe(true);
    expect(most).toBeLessThanOrEqual(65_536);
  });

  test('nothing is read before the loop asks, and none of it while its body waits', async () => {
    const { client, server } = await bench().pair();
    const loop = server[Symbol.asyncIterator]();
    client.write('one');
    await bench().idle();
    expect(server.bytesRead).toBe(0);
    expect(String((await settle(loop.next())).value)).toBe('one');
    client.write('two');
    await bench().idle();
    expect(server.bytesRead).toBe(3);
    // Several may ask at once.
    const asked = [loop.next(), loop.next()];
    expect(String((await settle(asked[0]!)).value)).toBe('two');
    client.end('three');
    expect(String((await settle(asked[1]!)).value)).toBe('three');
    expect(await settle(loop.next())).toEqual({ done: true, value: undefined });
  });

  test('leaving the loop destroys the stream', async () => {
    const { client, server } = await bench().pair();
    client.resume().on('error', () => {});
    client.write('x');
    const events = record(server, 'error', 'close');
    const loop = (async () => {
      for await (const piece of server) return String(piece);
      return 'nothing';
    })();
    expect(await settle(loop)).toBe('x');
    expect(server.destroyed).toBe(true);
    await bench().until(() => events.length === 1 && client.destroyed, 'close');
    expect(events).toEqual([['close', false]]);
  });

  test('what breaks the stream is thrown in the loop, and told nowhere else', async () => {
    const { client, server } = await bench().pair();
    client.write('x');
    let count = 0;
    const loop = (async () => {
      for await (const _ of server) {
        count++;
        client.resetAndDestroy();
      }
    })();
    await expect(settle(loop)).rejects.toMatchObject({ code: 'ECONNRESET', syscall: 'recv' });
    expect(count).toBe(1);
  });

  test('an error while the body waits is thrown when it asks again, and once', async () => {
    const { server } = await bench().pair();
    const loop = server[Symbol.asyncIterator]();
    const error = new Error('enough');
    server.destroy(error);
    await bench().idle(5);
    await expect(loop.next()).rejects.toBe(error);
    expect(await loop.next()).toEqual({ done: true, value: undefined });
  });

  test('a destroy from elsewhere is no end', async () => {
    const { server } = await bench().pair();
    const loop = gather(server);
    server.destroy();
    await expect(settle(loop)).rejects.toMatchObject({ code: 'ERR_POLLUX_CLOSED' });
    await expect(gather(server)).rejects.toMatchObject({ code: 'ERR_POLLUX_CLOSED' });
  });

  test('a reactor that is closed throws in the loop', async () => {
    const { server } = await bench().pair();
    const loop = gather(server);
    bench().reactor.close();
    await expect(loop).rejects.toMatchObject({ code: 'ERR_POLLUX_CLOSED' });
  });

  test('what stands after the loop may still write', async () => {
    const { client, server } = await bench().pair();
    const answer = gather(client);
    const serving = (async () => {
      const got = await gather(server);
      server.end(`${got.length} bytes`);
    })();
    client.end('four');
    await settle(serving);
    expect(String(await settle(answer))).toBe('4 bytes');
  });

  test('a loop over a stream that has ended is over at once', async () => {
    const { client, server } = await bench().pair({ allowHalfOpen: true });
    client.end();
    const ends = record(server.resume(), 'end');
    await bench().until(() => ends.length === 1, 'the end');
    expect(server.readable).toBe(false);
    expect((await gather(server)).length).toBe(0);
    server.end();
    await bench().until(() => server.destroyed, 'close');
  });

  test('drained: when everything was taken, or at once', async () => {
    const { client, server } = await bench().pair();
    await client.drained();
    const sent = pattern(6_000_000);
    const got = gather(server);
    for (let at = 0; at < sent.length; at += 100_000) {
      if (client.write(sent.subarray(at, at + 100_000))) continue;
      await settle(client.drained());
      expect(client.queuedBytes).toBe(0);
    }
    client.end();
    expect((await settle(got)).equals(sent)).toBe(true);
  });

  test('drained rejects with what breaks the stream, and when it is closed', async () => {
    const { client, server } = await bench().pair();
    client.write(pattern(8_000_000));
    await bench().idle();
    const draining = client.drained();
    server.resetAndDestroy();
    await expect(settle(draining)).rejects.toMatchObject({
      code: expect.stringMatching(/ECONNRESET|EPIPE/),
    });
    await expect(client.drained()).rejects.toMatchObject({
      code: expect.stringMatching(/ECONNRESET|EPIPE/),
    });
    server.destroy();
    await expect(server.drained()).rejects.toMatchObject({ code: 'ERR_POLLUX_CLOSED' });
  });

  test('await using: what was written arrives, then both are closed', async () => {
    const { client, server } = await bench().pair();
    const got = gather(server);
    const sent = pattern(2_000_000);
    client.write(sent);
    const disposing = client[Symbol.asyncDispose]();
    expect(client.writable).toBe(false);
    expect((await settle(got)).equals(sent)).toBe(true);
    await settle(disposing);
    expect(client.destroyed).toBe(true);
    await client[Symbol.asyncDispose]();
  });

  test('await using of one that breaks rejects', async () => {
    const { client, server } = await bench().pair();
    client.pause();
    const disposing = client[Symbol.asyncDispose]();
    server.resetAndDestroy();
    await expect(settle(disposing)).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  test('the loop runs in its own async context', async () => {
    const { client, server } = await bench().pair();
    const storage = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    const loop = storage.run('loop', async () => {
      for await (const _ of server) seen.push(storage.getStore());
      seen.push(storage.getStore());
    });
    client.end('x');
    await settle(loop);
    expect(seen).toEqual(['loop', 'loop']);
  });
});
