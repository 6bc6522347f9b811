// Descriptors over a Unix stream: what arrives is the open file that was sent, in order with the
// bytes, whatever the buffers and the listeners are up to.
import { openSync } from 'node:fs';
import { OwnedFd, TcpListener, TcpStream, UnixListener, UnixStream } from '@pollux/net';
import {
  close,
  isCloexec,
  isNonblocking,
  kernelPoll,
  openFds,
  pipe,
  read,
  tcpPair,
  write,
} from '@pollux/testkit';
import { expect, test } from 'vitest';
import { catchUncaught, onEveryReactor, pattern, record, runChild } from './support.js';
import { collect, labelled, newPath, pairOf, tracked } from './unix-support.js';

onEveryReactor((bench) => {
  /** Sends the reading end of a pipe with this text in it; our own is closed at once. */
  function sendLabelled(
    stream: UnixStream,
    data: string | Uint8Array,
    ...texts: string[]
  ): boolean {
    const fds = texts.map((text) => labelled(write, text));
    const room = stream.sendFds(data, fds);
    for (const fd of fds) close(fd);
    return room;
  }

  test('a pipe, a file and a TCP socket, used at the other end', async () => {
    const [first, second] = pairOf(bench());
    const [client, server] = tcpPair().map((fd) => tracked(bench(), fd)) as [number, number];
    const file = openSync(new URL(import.meta.url), 'r');
    const reader = labelled(write, 'through a pipe');
    const before = openFds();
    first.sendFds('three', [reader, file, server]);
    for (const fd of [reader, file, server]) close(fd);
    const arrived: OwnedFd[] = [];
    second.on('fds', (fds) => arrived.push(...fds.map((fd) => bench().track(fd))));
    second.resume();
    await bench().until(() => arrived.length === 3, 'the descriptors');
    const [pipeEnd, fileEnd, tcpEnd] = arrived as [OwnedFd, OwnedFd, OwnedFd];
    expect(arrived.map((each) => isCloexec(each.fd))).toEqual([true, true, true]);
    expect(read(pipeEnd.fd)?.toString()).toBe('through a pipe');
    expect(read(fileEnd.fd)?.toString()).toContain('// Descriptors over a Unix stream');
    expect(isNonblocking(fileEnd.fd)).toBe(false); // as its sender left it
    write(tcpEnd.fd, 'through TCP');
    await bench().until(() => kernelPoll([client], ['in'])[0]?.includes('in') ?? false, 'TCP');
    expect(read(client)?.toString()).toBe('through TCP');
    for (const each of arrived) each.close();
    expect(openFds().length).toBe(before.length - 3);
  });

  test('each comes with its bytes, in order with what is written', async () => {
    const [first, second] = pairOf(bench());
    const got = collect(second);
    for (let i = 0; i < 50; i++) {
      first.write(`w${i}.`);
      sendLabelled(first, `f${i}.`, `${i}`);
      if (i % 10 === 9) await bench().turn();
    }
    first.end('end');
    await bench().until(() => second.destroyed || got.text.endsWith('end'), 'the end');
    // Never after the byte it came with, never before what was read earlier.
    const expected = Array.from({ length: 50 }, (_, i) => `w${i}.f${i}.`).join('');
    expect(got.text).toBe(`${expected}end`);
    let seen = '';
    let next = 0;
    for (const item of got.order) {
      if (item.startsWith('<')) {
        expect(item).toBe(`<${next}>`);
        expect(seen).not.toContain(`f${next}.`);
        next++;
      } else {
        seen += item;
        expect(seen.includes(`f${next}.`)).toBe(false); // the next one's bytes do not come alone
      }
    }
    expect(next).toBe(50);
  });

  test('a full socket: partial writes, and descriptors between them', async () => {
    const [first, second] = pairOf(bench());
    second.pause();
    const big = pattern(1_000_000);
    first.write(big);
    sendLabelled(first, Buffer.concat([Buffer.from('A'), big]), 'a1', 'a2');
    sendLabelled(first, 'B', 'b');
    first.write('C');
    await bench().idle();
    expect(first.queuedFds).toBe(3);
    const fds: [string, number][] = [];
    let length = 0;
    const bytes: Buffer[] = [];
    second.on('fds', (arrived) => {
      for (const fd of arrived) {
        fds.push([read(fd.fd)?.toString() ?? '', length]);
        fd.close();
      }
    });
    second.on('data', (data) => {
      bytes.push(data);
      length += data.length;
    });
    second.resume();
    const total = 2 * big.length + 3;
    await bench().until(() => length === total, 'all bytes');
    expect(
      Buffer.concat(bytes).equals(Buffer.concat([big, Buffer.from('A'), big, Buffer.from('BC')])),
    ).toBe(true);
    expect(fds.map(([name]) => name)).toEqual(['a1', 'a2', 'b']);
    // Told before a read that reached the byte; a read is at most 64 KiB.
    const marks = [big.length, big.length, 2 * big.length + 1];
    for (const [i, [, at]] of fds.entries()) {
      expect(at).toBeLessThanOrEqual(marks[i] as number);
      expect(at).toBeGreaterThan((marks[i] as number) - 65_536);
    }
    expect(first.queuedFds).toBe(0);
    expect(first.bytesWritten).toBe(total);
  });

  test('253 at once, and the same one twice', async () => {
    const [first, second] = pairOf(bench());
    const [reader, writer] = pipe();
    const got = record(second, 'fds');
    second.resume();
    first.sendFds('x', Array(253).fill(writer));
    first.sendFds('y', [reader, reader]);
    await bench().until(() => got.length === 2, 'the descriptors');
    const lengths = got.map(([, fds]) => (fds as OwnedFd[]).length);
    expect(lengths).toEqual([253, 2]);
    const all = got.flatMap(([, fds]) => fds as OwnedFd[]);
    expect(new Set(all.map((each) => each.fd)).size).toBe(255);
    for (const each of all) each.close();
    close(reader);
    close(writer);
  });

  test('sockets of ours may be passed by name; a listener goes on at the other end', async () => {
    const [first, second] = pairOf(bench());
    const listener = bench().listen();
    const { port } = listener.address();
    first.sendFds('l', [listener]);
    listener.close();
    let taken: TcpListener | undefined;
    second.on('fds', ([fd]) => {
      using owned = fd as OwnedFd;
      taken = bench().track(TcpListener.listen(bench().reactor, { fd: owned.fd }));
    });
    second.resume();
    await bench().until(() => taken !== undefined, 'the listener');
    const accepted = record(taken as TcpListener, 'connection');
    bench().track(TcpStream.connect(bench().reactor, { address: '127.0.0.1', port }));
    await bench().until(() => accepted.length === 1, 'a connection');
    bench().track(accepted[0]?.[1] as TcpStream);
  });

  test('a Unix stream through a Unix stream', async () => {
    const [first, second] = pairOf(bench());
    const [inner, outer] = pairOf(bench());
    first.sendFds('s', [inner]);
    inner.destroy();
    let answer = '';
    outer.on('data', (data) => {
      answer += data;
    });
    second.on('fds', ([fd]) => {
      using owned = fd as OwnedFd;
      bench().track(UnixStream.adopt(bench().reactor, owned)).write('inside');
    });
    second.resume();
    await bench().until(() => answer === 'inside', 'the answer');
  });

  test('the raw callback, and once: told right before the bytes', async () => {
    const [first, second] = pairOf(bench());
    const order: string[] = [];
    second.on('fds', (fds) => {
      order.push('fds');
      for (const fd of fds) fd.close();
    });
    second.receive((buffer, offset, length) => {
      order.push(buffer.toString('latin1', offset, offset + length));
    });
    sendLabelled(first, 'one', '1');
    await bench().until(() => order.length === 2, 'the first');
    sendLabelled(first, 'two', '2');
    await bench().until(() => order.length === 4, 'the second');
    expect(order).toEqual(['fds', 'one', 'fds', 'two']);
  });

  test('a paused stream keeps them with its bytes', async () => {
    const [first, second] = pairOf(bench());
    const [other, third] = pairOf(bench());
    // Read in the same turn as the stream that pauses it: held.
    const got = collect(second);
    const also = collect(third);
    third.once('data', () => second.pause());
    second.once('data', () => third.pause());
    sendLabelled(first, 'A', 'a');
    sendLabelled(other, 'B', 'b');
    await bench().until(() => got.text + also.text !== '', 'one of them');
    await bench().idle();
    expect(got.order.concat(also.order)).toHaveLength(2);
    second.resume();
    third.resume();
    await bench().until(() => got.text === 'A' && also.text === 'B', 'both');
    expect([got.order, also.order]).toEqual([
      ['<a>', 'A'],
      ['<b>', 'B'],
    ]);
  });

  test('a listener that pauses or throws: the bytes follow', async () => {
    const uncaught = catchUncaught();
    try {
      const [first, second] = pairOf(bench());
      const order: string[] = [];
      let turn = 0;
      second.on('fds', (fds) => {
        for (const fd of fds) fd.close();
        order.push('fds');
        if (turn++ === 0) second.pause();
        else throw new Error('in fds');
      });
      second.on('data', (data) => order.push(data.toString()));
      sendLabelled(first, 'A', 'a');
      await bench().until(() => order.length === 1, 'the pause');
      await bench().idle();
      expect(order).toEqual(['fds']);
      second.resume();
      await bench().until(() => order.length === 2, 'A');
      sendLabelled(first, 'B', 'b');
      await bench().until(() => order.length === 4, 'B');
      expect(order).toEqual(['fds', 'A', 'fds', 'B']);
      expect(uncaught.errors).toEqual([expect.objectContaining({ message: 'in fds' })]);
    } finally {
      uncaught.restore();
    }
  });

  test('without a listener the kernel drops them; with a later one the next arrive', async () => {
    const [first, second] = pairOf(bench());
    const before = openFds();
    let text = '';
    second.on('data', (data) => {
      text += data;
    });
    sendLabelled(first, 'A', 'a');
    await bench().until(() => text === 'A', 'A');
    expect(openFds()).toEqual(before);
    const got = collect(second);
    sendLabelled(first, 'B', 'b');
    await bench().until(() => got.text === 'B', 'B');
    expect(got.order).toEqual(['<b>', 'B']);
  });

  test('backpressure: false after 64 that wait, drain when they are sent, ENOBUFS far beyond', async () => {
    const [first, second] = pairOf(bench());
    second.pause();
    first.write(Buffer.alloc(1_000_000));
    await bench().idle();
    const drains = record(first, 'drain');
    const [reader, writer] = pipe();
    expect(first.sendFds('x', Array(253).fill(reader))).toBe(false);
    for (let i = 0; i < 3; i++) first.sendFds('x', Array(253).fill(reader));
    expect(first.queuedFds).toBe(1_012);
    const before = openFds();
    expect(() => first.sendFds('x', [reader])).toThrow(
      expect.objectContaining({ code: 'ENOBUFS' }),
    );
    expect(openFds()).toEqual(before);
    close(reader);
    close(writer);
    expect(drains).toEqual([]);
    second.resume(); // nobody listens for 'fds': the kernel drops them
    await bench().until(() => drains.length === 1, 'drain');
    expect([first.queuedFds, first.queuedBytes]).toEqual([0, 0]);
  });

  test('written before it is connected', async () => {
    const path = newPath();
    const listener = bench().track(UnixListener.listen(bench().reactor, { path }));
    const client = bench().track(UnixStream.connect(bench().reactor, { path }));
    sendLabelled(client, 'early', 'bird');
    let got: ReturnType<typeof collect> | undefined;
    listener.on('connection', (stream) => {
      got = collect(bench().track(stream));
    });
    await bench().until(() => got?.text === 'early', 'it');
    expect(got?.order).toEqual(['<bird>', 'early']);
  });

  test('to another process and back', async () => {
    const path = newPath();
    const listener = bench().track(UnixListener.listen(bench().reactor, { path }));
    const answers: string[] = [];
    listener.on('connection', (stream) => {
      bench().track(stream);
      stream.on('fds', (fds) => {
        for (const fd of fds) answers.push(`${read(fd.fd)}`);
        for (const fd of fds) fd.close();
      });
      stream.on('data', (data) => answers.push(data.toString()));
      sendLabelled(stream, 'ping', 'question');
    });
    let ended = false;
    const child = runChild(`
      import { Reactor } from '@pollux/core';
      import { UnixStream } from '@pollux/net';
      import { pipe, write, read } from '@pollux/testkit';
      const stream = UnixStream.connect(new Reactor(), { path: ${JSON.stringify(path)} });
      let question;
      stream.on('fds', ([fd]) => { question = read(fd.fd).toString(); fd.close(); });
      stream.on('data', (data) => {
        const [reader, writer] = pipe();
        write(writer, question.toUpperCase());
        stream.sendFds(data.toString() + '-pong', [reader]);
        stream.end();
      });
    `).then((result) => {
      ended = true;
      return result;
    });
    await bench().until(() => ended && answers.length === 2, 'the answers');
    expect(await child).toMatchObject({ stderr: '', code: 0 });
    expect(answers).toEqual(['QUESTION', 'ping-pong']);
  });
});

test('OwnedFd: closed once, released once, a duplicate of anything', () => {
  const [reader, writer] = pipe();
  const owned = OwnedFd.dup(reader);
  const also = OwnedFd.dup(owned);
  expect(isCloexec(owned.fd)).toBe(true);
  expect(owned.fd).not.toBe(reader);
  owned.close();
  owned.close();
  expect([owned.fd, owned.closed]).toEqual([-1, true]);
  expect(() => owned.release()).toThrow(expect.objectContaining({ code: 'ERR_POLLUX_CLOSED' }));
  expect(() => OwnedFd.dup(owned)).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
  const number = also.release();
  expect([also.fd, also.closed]).toEqual([-1, true]);
  also.close(); // not ours any more
  expect(openFds()).toContain(number);
  close(number);
  close(reader);
  close(writer);
  expect(() => OwnedFd.dup(number)).toThrow(
    expect.objectContaining({ code: 'EBADF', syscall: 'dup', fd: number }),
  );
});
