// No descriptor is lost: not in ten thousand passes, not in whatever state a stream ends, not when
// the process runs out of them, and not with a worker that is terminated.
import { Worker } from 'node:worker_threads';
import { OwnedFd } from '@pollux/net';
import { close, openFds, pipe } from '@pollux/testkit';
import { expect, test } from 'vitest';
import { onEveryReactor, record, runChild } from './support.js';
import { pairOf } from './unix-support.js';

onEveryReactor((bench) => {
  test('10,000 passes', async () => {
    const [first, second] = pairOf(bench());
    const [reader, writer] = pipe();
    await bench().turn();
    const before = openFds();
    let sent = 0;
    let got = 0;
    const send = () => {
      while (sent < 10_000 && first.sendFds('x', [reader, writer])) sent += 2;
    };
    second.on('fds', (fds) => {
      got += fds.length;
      for (const fd of fds) fd.close();
    });
    second.resume();
    first.on('drain', () => {
      sent += 2; // the one that was told to wait was taken
      send();
    });
    send();
    await bench().until(() => got >= 10_000, 'all of them');
    await bench().until(() => got === sent, 'the last');
    expect(openFds()).toEqual(before);
    close(reader);
    close(writer);
  });

  // That none is left open is checked after each test, in support.ts.

  for (const end of ['destroy', 'the reactor', 'the peer'] as const) {
    test(`queued to send, when it ends by ${end}`, async () => {
      const [first, second] = pairOf(bench());
      first.on('error', () => {});
      const [reader, writer] = pipe();
      second.pause();
      first.write(Buffer.alloc(1_000_000));
      for (let i = 0; i < 20; i++) first.sendFds('x', [reader, writer]);
      await bench().turn();
      for (let i = 0; i < 20; i++) first.sendFds('y', [reader, writer]);
      expect(first.queuedFds).toBe(80);
      close(reader);
      close(writer);
      if (end === 'destroy') first.destroy();
      else if (end === 'the reactor') bench().reactor.close();
      else {
        second.destroy();
        await bench().until(() => first.destroyed, 'the end');
      }
      expect(first.queuedFds).toBe(0);
      expect(first.sendFds('z', [0])).toBe(false);
    });

    test(`received and not read, or held, when it ends by ${end}`, async () => {
      const [first, second] = pairOf(bench());
      const [other, third] = pairOf(bench());
      const [reader, writer] = pipe();
      for (const [sender, receiver, neighbour] of [
        [first, second, third],
        [other, third, second],
      ] as const) {
        receiver.on('error', () => {});
        receiver.on('fds', (fds) => {
          for (const fd of fds) fd.close();
          neighbour.pause(); // so the neighbour, read in the same turn, holds its own
        });
        receiver.resume();
        for (let i = 0; i < 5; i++) sender.sendFds('x', [reader, writer]);
      }
      close(reader);
      close(writer);
      await bench().idle();
      if (end === 'destroy') for (const each of [second, third]) each.destroy();
      else if (end === 'the reactor') bench().reactor.close();
      else for (const each of [first, other]) each.destroy();
      await bench().idle();
    });
  }

  test('arrived, when the listener has gone since', async () => {
    const [first, second] = pairOf(bench());
    const [other, third] = pairOf(bench());
    const [reader, writer] = pipe();
    let told = 0;
    for (const [sender, receiver, neighbour] of [
      [first, second, third],
      [other, third, second],
    ] as const) {
      receiver.on('fds', (fds) => {
        told += fds.length;
        for (const fd of fds) fd.close();
        neighbour.removeAllListeners('fds');
      });
      receiver.resume();
      sender.sendFds('x', [reader, writer]);
    }
    close(reader);
    close(writer);
    await bench().until(() => second.bytesRead + third.bytesRead === 2, 'both');
    expect(told).toBe(2);
  });

  test('refused arguments', () => {
    const [first] = pairOf(bench());
    const [reader, writer] = pipe();
    close(writer);
    const before = openFds();
    const TYPE = 'ERR_INVALID_ARG_TYPE';
    const RANGE = 'ERR_OUT_OF_RANGE';
    const closed = OwnedFd.dup(reader);
    closed.close();
    const bad: [unknown, unknown, string, string][] = [
      ['x', [reader, writer], 'EBADF', 'dup'],
      ['x', [reader, -1], RANGE, '"fds[1]"'],
      ['x', [closed], RANGE, '"fds[0]"'],
      ['x', [1.5], RANGE, '"fds[0]"'],
      ['x', [2 ** 31], RANGE, '"fds[0]"'],
      ['x', ['0'], TYPE, '"fds[0]"'],
      ['x', [undefined], TYPE, '"fds[0]"'],
      ['x', [{}], TYPE, '"fds[0]"'],
      ['x', Array(1), TYPE, '"fds[0]"'],
      ['x', undefined, TYPE, '"fds"'],
      ['x', reader, TYPE, '"fds"'],
      ['x', new Set([reader]), TYPE, '"fds"'],
      ['x', [], RANGE, '"fds"'],
      ['x', Array(254).fill(reader), RANGE, '"fds"'],
      ['', [reader], 'ERR_INVALID_ARG_VALUE', '"data"'],
      [Buffer.alloc(0), [reader], 'ERR_INVALID_ARG_VALUE', '"data"'],
      [5, [reader], TYPE, '"data"'],
    ];
    for (const [data, fds, code, message] of bad) {
      expect(() => first.sendFds(data as string, fds as number[]), message).toThrow(
        expect.objectContaining({ code, message: expect.stringContaining(message) }),
      );
      expect([first.queuedBytes, first.queuedFds]).toEqual([0, 0]);
      expect(openFds()).toEqual(before);
    }
    first.end();
    expect(() => first.sendFds('x', [reader])).toThrow(
      expect.objectContaining({ code: 'ERR_POLLUX_CLOSED' }),
    );
    expect(openFds()).toEqual(before);
    close(reader);
  });

  test('bytes that were transferred away before they were written', async () => {
    const [first, second] = pairOf(bench());
    const [reader, writer] = pipe();
    const data = new Uint8Array(10_000);
    const events = record(first, 'error');
    first.sendFds(data, [reader, writer]);
    structuredClone(data.buffer, { transfer: [data.buffer] });
    await bench().until(() => events.length === 1, 'the error');
    expect(first.destroyed).toBe(true);
    close(reader);
    close(writer);
    second.destroy();
  });
});

test('out of descriptors: the stream fails with EMFILE, and what came is closed', async () => {
  const { stdout, stderr, code } = await runChild(
    `
    import { Reactor } from '@pollux/core';
    import { UnixStream } from '@pollux/net';
    import { openFds, openFile } from '@pollux/testkit';
    const reactor = new Reactor({ mode: 'blocking' });
    const [first, second] = UnixStream.pair(reactor);
    const [other, third] = UnixStream.pair(reactor);
    first.sendFds('x', Array(50).fill(0));
    other.write('y');
    reactor.turn(0);
    const taken = [];
    const before = openFds().length;
    try { for (;;) taken.push(openFile('/dev/null')); } catch (error) { console.log(error.code); }
    const { close } = await import('@pollux/testkit');
    for (let i = 0; i < 10; i++) close(taken.pop());
    const full = openFds().length;
    second.on('fds', () => console.log('never'));
    second.on('data', () => console.log('never'));
    second.on('error', (error) => console.log(error.code, error.syscall));
    second.on('close', (hadError) => console.log('close', hadError));
    third.on('data', (data) => console.log(data.toString()));
    for (let i = 0; i < 5; i++) reactor.turn(10);
    console.log(openFds().length - full);
    try { third.sendFds('x', Array(20).fill(0)); } catch (error) { console.log(error.code, error.syscall); }
    console.log(openFds().length - full);
    reactor.close();
    `,
    (command) => ['prlimit', '--nofile=200:200', ...command],
  );
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  expect(stdout.trim().split('\n')).toEqual([
    'EMFILE',
    'y',
    'EMFILE recvmsg',
    'close true',
    '-1', // the stream itself
    'EMFILE dup',
    '-1',
  ]);
});

test('too many on their way for an ordinary user: they wait, and arrive', async () => {
  const { stdout, stderr, code } = await runChild(
    `
    import { Reactor } from '@pollux/core';
    import { UnixDatagramSocket, UnixStream } from '@pollux/net';
    const reactor = new Reactor({ mode: 'blocking' });
    const [first, second] = UnixStream.pair(reactor);
    const [third, fourth] = UnixDatagramSocket.pair(reactor, { receiveFds: true });
    fourth.pause();
    for (let i = 0; i < 24; i++) {
      first.sendFds(String(i % 10), Array(20).fill(0));
      reactor.turn(0);
    }
    console.log(first.queuedFds > 100, first.destroyed);
    third.sendFds('x', Array(20).fill(0));
    const before = reactor.stats().callbacks;
    for (let i = 0; i < 50; i++) reactor.turn(2);
    console.log(third.queuedBytes > 0, reactor.stats().callbacks - before < 40);
    let fds = 0;
    let text = '';
    const count = (some) => { for (const fd of some) { fd.close(); fds++; } };
    second.on('fds', count);
    second.on('data', (data) => { text += data; });
    fourth.on('message', (data, peer, info) => { count(info.fds); text += data; });
    fourth.resume();
    while (text.length < 25) reactor.turn(50);
    console.log(fds, text.replace('x', ''), first.queuedFds, third.queuedBytes);
    reactor.close();
    `,
    (command) => [
      ...(process.getuid?.() === 0
        ? [
            // A user of its own: what other tests have on their way counts for theirs.
            'setpriv',
            '--reuid=61234',
            '--clear-groups',
            ...['inh-caps', 'ambient-caps'].map((set) => `--${set}=+dac_override`),
          ]
        : []),
      'prlimit',
      // So many may be on their way; those that wait are open here, and fewer.
      '--nofile=300:300',
      ...command,
    ],
  );
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  expect(stdout.split('\n')).toEqual([
    'true false',
    'true true',
    '500 012345678901234567890123 0 0',
    '',
  ]);
});

test('a worker that is terminated in the middle leaves none open', async () => {
  const code = `
    const { parentPort } = require('node:worker_threads');
    (async () => {
      const { Reactor } = await import('@pollux/core');
      const { UnixStream } = await import('@pollux/net');
      const reactor = new Reactor({ mode: 'blocking' });
      const [first, second] = UnixStream.pair(reactor);
      const kept = [];
      let rounds = 0;
      second.on('fds', (fds) => {
        if (kept.length < 100) kept.push(...fds);
        else for (const fd of fds) fd.close();
        if (++rounds === 100) parentPort.postMessage('ready');
      });
      second.resume();
      for (;;) {
        if (first.queuedFds < 500) first.sendFds('x', [0, 1, 2]);
        reactor.turn(0);
      }
    })();
  `;
  let before: number[] = [];
  for (let round = 0; round < 4; round++) {
    // The first worker also opens what Node opens only once.
    if (round === 1) before = openFds();
    const worker = new Worker(code, { eval: true });
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    await worker.terminate();
  }
  expect(openFds()).toEqual(before);
});
