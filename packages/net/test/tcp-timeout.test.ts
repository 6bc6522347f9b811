// `'timeout'` tells of silence in both directions, and of nothing else; activity puts it off without
// touching a timer.
import { TcpStream } from '@pollux/net';
import { expect, test } from 'vitest';
import { onEveryReactor, pattern, record, runChild } from './support.js';

/** Twice as long as a busy machine keeps a process from writing. */
const TIMEOUT_MS = 600;

onEveryReactor((bench) => {
  test('an idle stream is told again and again, never early, and lives on', async () => {
    const began = performance.now();
    const { client, server } = await bench().pair({ timeoutMs: 30 });
    const times: number[] = [];
    client.on('timeout', () => times.push(performance.now()));
    expect(client.timeoutMs).toBe(30);
    await bench().until(() => times.length >= 3, 'three timeouts');
    for (let i = 0; i < 3; i++) expect(times[i]).toBeGreaterThanOrEqual(began + 30 * (i + 1));
    expect(client.destroyed).toBe(false);
    client.setTimeout(0);
    expect(client.timeoutMs).toBe(0);
    const told = times.length;
    await bench().idle(70);
    expect(times).toHaveLength(told);
    server.destroy();
  });

  const busy = 'bytes of either direction put it off, and no timer is started for them';
  test(busy, { timeout: 60_000 }, async () => {
    const { client, server } = await bench().pair();
    const timeouts = record(client, 'timeout');
    const others = record(server, 'timeout');
    const { timer } = bench().reactor;
    client.setTimeout(TIMEOUT_MS);
    server.setTimeout(TIMEOUT_MS);
    let started = 0;
    bench().reactor.timer = (...args) => {
      started++;
      return timer.apply(bench().reactor, args);
    };
    client.resume();
    server.resume();
    // A stretch in which this process was never kept from writing for so long that it was silence.
    let wrote = 0;
    for (let longest = TIMEOUT_MS; longest > TIMEOUT_MS / 2; ) {
      await bench().idle(5);
      longest = 0;
      timeouts.length = others.length = started = 0;
      const began = performance.now();
      wrote = began;
      while (wrote - began < 2.2 * TIMEOUT_MS) {
        const before = wrote;
        wrote = performance.now();
        longest = Math.max(longest, wrote - before);
        (wrote - began < 1.1 * TIMEOUT_MS ? client : server).write('x');
        await bench().idle(5);
      }
      longest = Math.max(longest, performance.now() - wrote);
    }
    expect([timeouts, others, started]).toEqual([[], [], 0]);
    await bench().until(() => timeouts.length > 0 && others.length > 0, 'silence');
    expect(performance.now() - wrote).toBeGreaterThanOrEqual(TIMEOUT_MS);
  });

  test('a stream that waits for its peer to read is idle', async () => {
    const { client, server } = await bench().pair();
    client.write(pattern(8_000_000));
    await bench().idle();
    const timeouts = record(client, 'timeout');
    client.setTimeout(40);
    await bench().until(() => timeouts.length > 0, 'timeout');
    server.resume();
    await bench().until(() => client.queuedBytes === 0, 'everything');
  });

  test('a callback is called once; one that destroys is the last', async () => {
    const { client } = await bench().pair();
    const events = record(client, 'timeout', 'close');
    let called = 0;
    client.setTimeout(10, () => called++);
    await bench().until(() => events.length > 2, 'timeouts');
    expect(called).toBe(1);
    client.once('timeout', () => client.destroy());
    await bench().until(() => client.destroyed, 'the end');
    await bench().idle(40);
    expect(events.slice(-2).map(([name]) => name)).toEqual(['timeout', 'close']);
    expect(events.filter(([name]) => name === 'close')).toHaveLength(1);
    expect(bench().reactor.stats().timers).toBe(0);
  });

  test('a callback that is taken back, and a stream that is closed', async () => {
    const { client } = await bench().pair();
    const never = () => {
      throw new Error('called');
    };
    client.setTimeout(10, never);
    client.setTimeout(0, never);
    expect(client.listenerCount('timeout')).toBe(0);
    client.destroy();
    expect(client.setTimeout(5)).toBe(client);
    expect(bench().reactor.stats().timers).toBe(0);
  });

  test('bytes that came while a callback ran long are no silence', async () => {
    const { client, server } = await bench().pair();
    const timeouts = record(client.resume(), 'timeout');
    client.setTimeout(250);
    await bench().idle(10);
    server.write('x');
    server.flush();
    timeouts.length = 0; // of before, if the machine was busy
    const end = performance.now() + 300;
    while (performance.now() < end);
    await bench().until(() => client.bytesRead === 1, 'the byte');
    expect(timeouts).toEqual([]);
  });

  test('it keeps nothing alive, and runs while connecting', async () => {
    const { address, port } = bench().listen().unref().address();
    const stream = bench().track(
      TcpStream.connect(bench().reactor, { address, port, timeoutMs: 10_000 }),
    );
    stream.unref();
    expect(bench().reactor.alive).toBe(false);
    expect(bench().reactor.stats().timers).toBe(1);
  });
});

test('ten thousand streams with timeouts: all idle ones are told, none early, and no busy one', async () => {
  const { stdout, stderr, code } = await runChild(
    `
    import { Reactor } from '@pollux/core';
    import { TcpListener, TcpStream } from '@pollux/net';
    const reactor = new Reactor({ backend: 'epoll' });
    const listeners = [1, 2].map((i) => TcpListener.listen(reactor, { address: '127.0.0.' + i, backlog: 4096 }));
    const streams = [];
    let early = 0;
    const told = new Set();
    const add = (stream) => {
      streams.push(stream);
      stream.resume();
    };
    for (const listener of listeners) listener.on('connection', add);
    for (let i = 0; i < 5000; i += 200) {
      const some = Array.from({ length: 200 }, () => TcpStream.open(reactor, listeners[i % 400 ? 1 : 0].address()));
      for (const stream of await Promise.all(some)) add(stream);
    }
    while (streams.length < 10000) await new Promise((resolve) => setTimeout(resolve, 5));
    const began = performance.now();
    let last = 0;
    for (const stream of streams) {
      stream.setTimeout(1500);
      stream.on('timeout', () => {
        if (performance.now() - began < 1500) early++;
        told.add(stream);
        last = performance.now();
      });
    }
    // Half of them are busy: a byte every now and then.
    const busy = setInterval(() => {
      for (let i = 0; i < 10000; i += 200) streams[i].write('x');
    }, 20);
    const before = reactor.stats().turns;
    while (told.size < 9900 && performance.now() - began < 12000) await new Promise((resolve) => setTimeout(resolve, 20));
    clearInterval(busy);
    const idle = told.size;
    console.log(JSON.stringify({ streams: streams.length, early, idle: idle >= 9900, busyTold: streams.filter((s, i) => i % 200 === 0 && told.has(s)).length }));
    process.exit();
  `,
    (command) => ['sh', '-c', 'ulimit -n 12000 && exec "$0" "$@"', ...command],
  );
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  expect(JSON.parse(stdout)).toEqual({ streams: 10_000, early: 0, idle: true, busyTold: 0 });
}, 30_000);
