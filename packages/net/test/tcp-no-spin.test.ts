// A stream whose reader was slow and has caught up asks the poller for nothing but reading: a
// socket with room is writable for ever.
import type { TcpStream } from '@pollux/net';
import { expect, test } from 'vitest';
import { type Bench, onEveryReactor, pattern } from './support.js';

/** What the poller tells a reactor that has nothing to do. */
async function noise(bench: Bench): Promise<number> {
  await bench.idle();
  await bench.caughtUp();
  const before = bench.reactor.stats().events;
  await bench.idle(60);
  return bench.reactor.stats().events - before;
}

async function fill(bench: Bench, stream: TcpStream): Promise<void> {
  stream.write(pattern(6_000_000));
  await bench.idle();
  expect(stream.queuedBytes).toBeGreaterThan(0);
}

onEveryReactor((bench) => {
  test('after everything that waited was written', async () => {
    const { client, server } = await bench().pair();
    await fill(bench(), client);
    server.resume();
    await bench().until(() => server.bytesRead === 6_000_000, 'everything');
    expect(await noise(bench())).toBe(0);
  });

  test('while it is corked, though the system has room again', async () => {
    const { client, server } = await bench().pair();
    await fill(bench(), client);
    client.cork();
    server.resume();
    await bench().until(() => server.bytesRead === client.bytesWritten, 'what was written');
    expect(client.queuedBytes).toBeGreaterThan(0);
    expect(await noise(bench())).toBe(0);
    client.uncork();
    await bench().until(() => server.bytesRead === 6_000_000, 'the rest');
  });
});
