// What the options of a stream say may be changed when it is there already, and what is queued may
// be offered to the system at once.
import { expect, test } from 'vitest';
import { onEveryReactor, pattern, record } from './support.js';

onEveryReactor((bench) => {
  test('allowHalfOpen, set before the peer ends', async () => {
    const { client, server } = await bench().pair();
    expect(server.allowHalfOpen).toBe(false);
    server.allowHalfOpen = true;
    expect(server.allowHalfOpen).toBe(true);
    const got: string[] = [];
    const ends = record(server, 'end');
    client.on('data', (data) => got.push(String(data)));
    server.resume();
    client.end();
    await bench().until(() => ends.length === 1, 'end');
    await bench().idle();
    expect(server.destroyed).toBe(false);
    server.end('still here');
    await bench().until(() => client.destroyed && server.destroyed, 'close');
    expect(got).toEqual(['still here']);
  });

  test('highWaterMark: more may wait, or less', async () => {
    const { client } = await bench().pair();
    expect(client.highWaterMark).toBe(65_536);
    client.highWaterMark = 100_000;
    expect(client.write(pattern(99_999))).toBe(true);
    expect(client.write('x')).toBe(false);
    client.highWaterMark = 0;
    expect(client.highWaterMark).toBe(0);
    expect(client.write('x')).toBe(false);
    expect(client.write('')).toBe(false);
  });

  test("highWaterMark, set to 0 while something waits: 'drain' follows, once", async () => {
    const { client, server } = await bench().pair();
    server.resume();
    const drains = record(client, 'drain');
    expect(client.write('little')).toBe(true);
    client.highWaterMark = 0;
    client.highWaterMark = 1_000;
    await bench().until(() => drains.length > 0, 'drain');
    expect(client.queuedBytes).toBe(0);
    // And nothing follows where nothing waits, or was not asked for.
    client.highWaterMark = 0;
    client.highWaterMark = 1_000;
    client.write('more');
    await bench().until(() => server.bytesRead === 10, 'all bytes');
    await bench().idle();
    expect(drains).toHaveLength(1);
  });

  test('flush: the system has it at once, so destroy loses nothing', async () => {
    const { client, server } = await bench().pair();
    const got: string[] = [];
    const events = record(server, 'end', 'error');
    server.on('data', (data) => got.push(String(data)));
    client.write('last ');
    client.write('words');
    expect(client.bytesWritten).toBe(0);
    client.flush();
    expect([client.bytesWritten, client.queuedBytes]).toEqual([10, 0]);
    client.destroy();
    await bench().until(() => server.destroyed, 'close');
    expect(got.join('')).toBe('last words');
    expect(events).toEqual([['end']]);
    client.flush(); // nothing to do any more
  });

  test('flush of more than the system takes leaves the rest queued, for later', async () => {
    const { client, server } = await bench().pair();
    const sent = pattern(8_000_000);
    client.write(sent);
    client.flush();
    expect(client.bytesWritten).toBeGreaterThan(0);
    expect(client.queuedBytes).toBeGreaterThan(0);
    expect(client.queuedBytes + client.bytesWritten).toBe(sent.length);
    const got: Buffer[] = [];
    server.on('data', (data) => got.push(data));
    client.end();
    await bench().until(() => server.destroyed, 'close');
    expect(Buffer.concat(got).equals(sent)).toBe(true);
  });
});
