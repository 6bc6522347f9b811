// The system has no memory for what is written (ENOBUFS, ENOMEM): that passes, so it waits, and is
// tried again now and then. Not as often as the poller tells that the socket is writable, which it is
// all the time. The sockets are real; that memory is short is put into the addon's mouth.
import { constants } from 'node:os';
import type { OwnedFd } from '@pollux/net';
import { close, pipe } from '@pollux/testkit';
import { afterEach, expect, test, vi } from 'vitest';
import { native } from '../dist/native.js';
import { type Bench, onEveryReactor, pattern, record } from './support.js';
import { pairOf } from './unix-support.js';

const { ENOBUFS, ENOMEM, EAGAIN } = constants.errno;
/** Pauses double from 1 ms up to this. */
const LONGEST_PAUSE_MS = 64;

afterEach(() => {
  vi.restoreAllMocks();
});

/** Lets it wait a while: it is tried no more often than such pauses allow, and the poller is silent. */
async function waits(bench: Bench, tries: () => number): Promise<void> {
  await bench.until(() => tries() > 1, 'another try');
  let events = -1; // until what was on its way has been read
  const silent = () => bench.reactor.stats().events === events;
  for (let looks = 0; looks < 100 && !silent(); looks++) {
    ({ events } = bench.reactor.stats());
    await bench.idle();
  }
  const before = tries();
  const start = performance.now();
  await bench.idle(100);
  const elapsed = performance.now() - start;
  expect(bench.reactor.stats().events).toBe(events);
  const allowed = Math.log2(LONGEST_PAUSE_MS) + 1 + elapsed / LONGEST_PAUSE_MS;
  expect(tries() - before).toBeLessThanOrEqual(allowed);
}

onEveryReactor((bench) => {
  test.each([
    ['ENOBUFS', ENOBUFS],
    ['ENOMEM', ENOMEM],
  ])('%s: nothing is lost, nothing fails, drain follows', async (_name, errno) => {
    const { client, server } = await bench().pair({ highWaterMark: 10 });
    const events = record(client, 'error', 'close', 'drain');
    const got: Buffer[] = [];
    server.on('data', (data) => got.push(data));
    const short = vi.spyOn(native, 'write').mockReturnValue(-errno);
    expect(client.write('a piece that waits, ')).toBe(false);
    await waits(bench(), () => short.mock.calls.length);
    client.end('and one behind it');
    expect([client.queuedBytes, events, got]).toEqual([37, [], []]);
    short.mockRestore();
    await bench().until(() => server.destroyed || !server.readable, 'the end');
    expect(Buffer.concat(got).toString()).toBe('a piece that waits, and one behind it');
    expect(events[0]).toEqual(['drain']);
    expect(events.filter(([name]) => name === 'error')).toEqual([]);
  });

  test('a stream that was full asks the poller for no room meanwhile', async () => {
    const { client, server } = await bench().pair();
    const errors = record(client, 'error');
    client.write(pattern(6_000_000));
    await bench().idle();
    expect(client.queuedBytes).toBeGreaterThan(0);
    const short = vi.spyOn(native, 'write').mockReturnValue(-ENOBUFS);
    server.resume();
    await waits(bench(), () => short.mock.calls.length);
    short.mockRestore();
    await bench().until(() => server.bytesRead === 6_000_000, 'everything');
    expect(errors).toEqual([]);
  });

  test('maxQueuedBytes holds', async () => {
    const { client } = await bench().pair({ maxQueuedBytes: 1_000 });
    const events = record(client, 'error', 'close');
    vi.spyOn(native, 'write').mockReturnValue(-ENOBUFS);
    client.write(pattern(1_000));
    await bench().idle();
    expect([client.queuedBytes, events]).toEqual([1_000, []]);
    client.write('x');
    await bench().until(() => events.length === 2, 'the failure');
    expect(events[0]?.[1]).toMatchObject({ code: 'ERR_POLLUX_QUEUE_FULL' });
  });

  test('destroyed while it waits: not tried again', async () => {
    const { client } = await bench().pair();
    const short = vi.spyOn(native, 'write').mockReturnValue(-ENOBUFS);
    client.write('x');
    await bench().until(() => short.mock.calls.length > 1, 'another try');
    client.destroy();
    const tries = short.mock.calls.length;
    await bench().idle(2 * LONGEST_PAUSE_MS);
    expect(short.mock.calls.length).toBe(tries);
  });

  test('descriptors for which there was no room first, and then too many on their way', async () => {
    const [first, second] = pairOf(bench());
    const [reader, writer] = pipe();
    const errors = record(first, 'error');
    const arrived = record(second, 'fds');
    second.resume();
    const short = vi
      .spyOn(native, 'sendFds')
      .mockReturnValue(-ENOBUFS)
      .mockReturnValueOnce(-EAGAIN);
    first.sendFds('x', [reader]);
    await waits(bench(), () => short.mock.calls.length);
    expect([first.queuedFds, arrived]).toEqual([1, []]);
    short.mockRestore();
    await bench().until(() => arrived.length === 1, 'the descriptor');
    for (const fd of arrived.flatMap(([, fds]) => fds as OwnedFd[])) fd.close();
    close(reader);
    close(writer);
    expect([first.queuedFds, errors]).toEqual([0, []]);
  });
});
