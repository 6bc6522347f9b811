// Descriptors with Unix datagrams: they belong to a datagram, to whoever asks for them, and else to
// nobody, so they are closed.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type OwnedFd, UnixDatagramSocket } from '@pollux/net';
import { close, isCloexec, kernelPoll, openFds, pipe, read, write } from '@pollux/testkit';
import { expect, test } from 'vitest';
import { catchUncaught, onEveryReactor, record, runChild } from './support.js';
import { labelled } from './unix-support.js';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

onEveryReactor((bench) => {
  const pair = (options = {}) => {
    const [first, second] = UnixDatagramSocket.pair(bench().reactor, options);
    return [bench().track(first), bench().track(second)] as const;
  };
  function sendLabelled(socket: UnixDatagramSocket, data: string, ...texts: string[]): void {
    const fds = texts.map((text) => labelled(write, text));
    socket.sendFds(data, fds);
    for (const fd of fds) close(fd);
  }
  const open = (fds: OwnedFd[] | undefined) =>
    (fds ?? []).map((fd) => {
      const text = `${isCloexec(fd.fd)} ${read(fd.fd)}`;
      fd.close();
      return text;
    });

  test('each with its datagram, in order with the others', async () => {
    const [first, second] = pair({ receiveFds: true });
    const got: unknown[] = [];
    second.on('message', (data, _peer, info) => got.push([`${data}`, open(info?.fds)]));
    first.send('plain');
    sendLabelled(first, 'two', 'a', 'b');
    sendLabelled(first, '', 'c');
    first.send('last');
    await bench().until(() => got.length === 4, 'all four');
    expect(got).toEqual([
      ['plain', []],
      ['two', ['true a', 'true b']],
      ['', ['true c']],
      ['last', []],
    ]);
  });

  test('by the raw callback, by for await, and when they had to be held', async () => {
    const [first, second] = pair({ receiveFds: true });
    const got: unknown[] = [];
    second.receive((buffer, offset, length, _peer, _socket, info) => {
      got.push([buffer.toString('latin1', offset, offset + length), open(info.fds)]);
      second.pause(); // what came with it in one receive is held
    });
    sendLabelled(first, 'one', '1');
    sendLabelled(first, 'two', '2');
    await bench().until(() => got.length === 1, 'the first');
    await bench().idle();
    expect(got).toEqual([['one', ['true 1']]]);
    second.resume();
    await bench().until(() => got.length === 2, 'the second');
    expect(got[1]).toEqual(['two', ['true 2']]);
    second.receive(undefined);
    second.resume();

    const loop = (async () => {
      for await (const { data, info } of second) {
        got.push([`${data}`, open(info?.fds)]);
        if (got.length === 4) break;
      }
    })();
    sendLabelled(first, 'three', '3');
    sendLabelled(first, 'four', '4');
    await bench().until(() => got.length === 4, 'the loop');
    await loop;
    expect(got.slice(2)).toEqual([
      ['three', ['true 3']],
      ['four', ['true 4']],
    ]);
  });

  test('those that nobody asks for are closed', async () => {
    const [first, second] = pair({ receiveFds: true });
    const before = openFds();
    let heard = 0;
    second.on('message', () => heard++);
    sendLabelled(first, 'x', 'a', 'b');
    await bench().until(() => heard === 1, 'it');
    expect(openFds()).toEqual(before);
    second.removeAllListeners('message');
    sendLabelled(first, 'x', 'a', 'b');
    await bench().idle();
    const isEmpty = () => kernelPoll([second.fd], ['in'])[0]?.length === 0;
    await bench().until(isEmpty, 'it to be dropped');
    expect(openFds()).toEqual(before);
    second.receive(() => heard++);
    sendLabelled(first, 'x', 'a', 'b');
    await bench().until(() => heard === 2, 'it');
    expect(openFds()).toEqual(before);
    second.receive(undefined);
    const loop = (async () => {
      for await (const _ of second) if (++heard === 12) break;
    })();
    for (let i = 0; i < 10; i++) {
      sendLabelled(first, 'x', 'a', 'b');
      await bench().turn();
    }
    await bench().until(() => heard === 12, 'the loop');
    await loop;
    await bench().until(() => {
      collectGarbage(); // a loop may ask later, as long as it has the datagram
      return openFds().every((fd) => before.includes(fd));
    }, 'the end of what the loop did not ask for');
  });

  test('a loop asks when it likes: after an await, and after the socket has finished', async () => {
    const [first, second] = pair({ receiveFds: true });
    const got: unknown[] = [];
    const loop = (async () => {
      for await (const { data, info } of second) {
        const had = got.length;
        await bench().until(() => second.closed || had < 2, 'the close');
        got.push([`${data}`, open(info?.fds)]);
      }
    })();
    for (let i = 0; i < 4; i++) sendLabelled(first, `${i}`, `${i}`);
    await bench().until(() => got.length === 2, 'two');
    second.finish();
    await bench().until(() => got.length === 4, 'the rest');
    await loop;
    expect(got).toEqual([0, 1, 2, 3].map((i) => [`${i}`, [`true ${i}`]]));
  });

  test('a socket that did not ask for them: dropped by the kernel', async () => {
    const [first, second] = pair();
    const before = openFds();
    const got = record(second, 'message');
    sendLabelled(first, 'x', 'a', 'b');
    await bench().until(() => got.length === 1, 'it');
    expect(got[0]?.[3]).toBe(undefined);
    expect(openFds()).toEqual(before);
  });

  test('closed, or thrown, in the listener; and closed with some held', async () => {
    const uncaught = catchUncaught();
    try {
      const [first, second] = pair({ receiveFds: true });
      let heard = 0;
      second.on('message', (_data, _peer, info) => {
        heard++;
        if (heard === 1) throw new Error('in message');
        open(info?.fds);
        second.pause();
      });
      for (let i = 0; i < 5; i++) sendLabelled(first, `${i}`, 'a', 'b');
      await bench().until(() => heard === 2, 'two');
      await bench().idle();
      expect(uncaught.errors).toEqual([expect.objectContaining({ message: 'in message' })]);
      second.close();
      const [third, fourth] = pair({ receiveFds: true });
      fourth.on('message', () => fourth.close());
      for (let i = 0; i < 5; i++) sendLabelled(third, `${i}`, 'a', 'b');
      await bench().until(() => fourth.closed, 'the close');
    } finally {
      uncaught.restore();
    }
  });

  test('10,000 passes', async () => {
    const [first, second] = pair({ receiveFds: true });
    const [reader, writer] = pipe();
    await bench().turn();
    const before = openFds();
    let got = 0;
    second.on('message', (_data, _peer, info) => {
      for (const fd of info?.fds ?? []) {
        fd.close();
        got++;
      }
    });
    for (let sent = 0; sent < 10_000; sent += 2) {
      first.sendFds('x', [reader, writer]);
      if (sent % 200 === 0) await bench().until(() => first.queuedBytes === 0, 'room');
    }
    await bench().until(() => got === 10_000, 'all of them');
    expect(openFds()).toEqual(before);
    close(reader);
    close(writer);
  });

  test('refused arguments', () => {
    const [first] = pair();
    const before = openFds();
    const bad: [unknown, unknown, string][] = [
      ['x', [1_000_000], 'EBADF'],
      ['x', [], 'ERR_OUT_OF_RANGE'],
      ['x', Array(254).fill(0), 'ERR_OUT_OF_RANGE'],
      ['x', 0, 'ERR_INVALID_ARG_TYPE'],
      [5, [0], 'ERR_INVALID_ARG_TYPE'],
      [Buffer.alloc(65_537), [0], 'ERR_OUT_OF_RANGE'],
    ];
    for (const [data, fds, code] of bad) {
      expect(() => first.sendFds(data as string, fds as number[])).toThrow(
        expect.objectContaining({ code }),
      );
      expect(first.queuedBytes).toBe(0);
      expect(openFds()).toEqual(before);
    }
    first.close();
    expect(() => first.sendFds('x', [0])).toThrow(
      expect.objectContaining({ code: 'ERR_POLLUX_CLOSED' }),
    );
  });
});

test('out of descriptors: an error in place of the datagram, and the socket goes on', async () => {
  const { stdout, stderr, code } = await runChild(
    `
    import { Reactor } from '@pollux/core';
    import { UnixDatagramSocket } from '@pollux/net';
    import { close, openFds, openFile } from '@pollux/testkit';
    const reactor = new Reactor({ mode: 'blocking' });
    const [first, second] = UnixDatagramSocket.pair(reactor, { receiveFds: true });
    first.sendFds('x', Array(50).fill(0));
    first.send('y');
    const taken = [];
    second.pause();
    reactor.turn(0);
    try { for (;;) taken.push(openFile('/dev/null')); } catch (error) { console.log(error.code); }
    for (let i = 0; i < 10; i++) close(taken.pop());
    const full = openFds().length;
    second.on('message', (data) => console.log(data.toString()));
    second.on('error', (error) => console.log(error.code));
    second.resume();
    for (let i = 0; i < 5; i++) reactor.turn(10);
    console.log(openFds().length - full);
    reactor.close();
    `,
    (command) => ['prlimit', '--nofile=200:200', ...command],
  );
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  expect(stdout.trim().split('\n').sort()).toEqual(['0', 'EMFILE', 'EMFILE', 'y']);
});
