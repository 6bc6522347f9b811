// Unix datagram sockets: at paths and abstract names, connected, unbound, in pairs, adopted; what they
// bring, and whom they refuse. Also systemd's way of saying that a service is ready.
import { existsSync, lstatSync } from 'node:fs';
import { type UnixAddress, UnixDatagramSocket } from '@pollux/net';
import { close, isCloexec, isNonblocking, openFds, socketpair, unixDgram } from '@pollux/testkit';
import { expect, test } from 'vitest';
import { onEveryReactor, pattern, record, runChild } from './support.js';
import { newName, newPath, tracked } from './unix-support.js';

onEveryReactor((bench) => {
  const bind = (path?: string | Uint8Array, options = {}) =>
    bench().track(
      UnixDatagramSocket.bind(bench().reactor, path === undefined ? options : { path, ...options }),
    );
  const connect = (path: string, options = {}) =>
    bench().track(UnixDatagramSocket.connect(bench().reactor, { path, ...options }));

  const places: [string, () => string | Uint8Array | undefined][] = [
    ['a path', newPath],
    ['an abstract name', newName],
    ['a path of bytes', () => Buffer.concat([Buffer.from(newPath()), Buffer.of(0xff)])],
    ['a name of the system’s choice', () => undefined],
  ];
  for (const [name, place] of places) {
    test(`an echo at ${name}, and answers to the peer that was told`, async () => {
      const server = bind(place());
      const client = bind(place());
      server.on('message', (data, peer) => server.send(data, peer));
      const got = record(client, 'message');
      const messages = ['one', '', 'three', pattern(65_536).toString('latin1')];
      for (const text of messages) client.send(Buffer.from(text, 'latin1'), server.address());
      await bench().until(() => got.length === messages.length, 'the echoes');
      expect(got.map(([, data]) => (data as Buffer).toString('latin1'))).toEqual(messages);
      expect(got.map(([, , peer]) => peer)).toEqual(messages.map(() => server.address()));
      expect(got.every(([, , , info]) => info === undefined)).toBe(true);
      if (name.startsWith('a name')) expect(server.address().path).toMatch(/^\0[0-9a-f]{5}$/);
    });
  }

  test('an unbound sender: heard, and nobody to answer', async () => {
    const server = bind(newPath());
    const sender = bench().track(UnixDatagramSocket.open(bench().reactor));
    const got = record(server, 'message');
    sender.send('from nobody', server.address().path);
    await bench().until(() => got.length === 1, 'the message');
    const peer = got[0]?.[2] as UnixAddress;
    expect([peer.path, sender.address().path]).toEqual(['', '']);
    expect(() => server.send('who?', peer)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    );
  });

  test('connected: to one, and from one alone', async () => {
    const server = bind(newPath());
    server.on('message', (data, peer) => {
      if (peer.path !== '') server.send(`${data}!`, peer);
    });
    const other = bind(newPath());
    const named = connect(server.address().path, { localPath: newPath() });
    const automatic = connect(server.address().path, { autobind: true });
    const nameless = connect(server.address().path);
    const events = [named, automatic].map((each) => record(each, 'message'));
    const errors = [record(server, 'error'), record(other, 'error')];
    for (const each of [named, automatic]) each.send('hello');
    await bench().until(() => events.every((each) => each.length === 1), 'the answers');
    expect(events.flat().map(([, data]) => `${data}`)).toEqual(['hello!', 'hello!']);
    expect(named.remote?.path).toBe(server.address().path);
    nameless.send('x');
    other.send('not yours', named.address());
    await bench().until(() => errors[1]?.length === 1, 'the refusal');
    expect(errors[1]?.[0]?.[1]).toMatchObject({ code: 'EPERM', address: named.address().path });
    expect(existsSync(named.address().path)).toBe(true);
    const path = named.address().path;
    named.close();
    expect(existsSync(path)).toBe(false);
  });

  test('a pair, and an adopted one', async () => {
    const [first, second] = UnixDatagramSocket.pair(bench().reactor);
    bench().track(first);
    bench().track(second);
    const got = record(second, 'message');
    first.send('a');
    first.send('b');
    await bench().until(() => got.length === 2, 'both');
    expect(got.map(([, data]) => `${data}`)).toEqual(['a', 'b']);

    const [theirs, other] = socketpair('dgram');
    const adopted = bench().track(UnixDatagramSocket.adopt(bench().reactor, theirs));
    const friend = bench().track(UnixDatagramSocket.adopt(bench().reactor, other));
    close(theirs);
    close(other);
    expect([isCloexec(adopted.fd), isNonblocking(adopted.fd)]).toEqual([true, true]);
    const heard = record(friend, 'message');
    adopted.send('adopted');
    await bench().until(() => heard.length === 1, 'it');
    const bound = tracked(bench(), unixDgram(newPath()));
    const third = bench().track(UnixDatagramSocket.adopt(bench().reactor, bound));
    expect(third.remote).toBe(undefined);
    third.send('to anybody', third.address());
  });

  test('raw: received and sent on without a copy', async () => {
    const server = bind(newName());
    server.receive((buffer, offset, length, peer, socket) => {
      socket.sendSlice(buffer, offset, length, peer);
    });
    const client = bind();
    const got = record(client, 'message');
    for (let i = 0; i < 10; i++) client.send(`${i}`, server.address());
    await bench().until(() => got.length === 10, 'the echoes');
    expect(got.map(([, data]) => `${data}`).join('')).toBe('0123456789');
  });

  test('for await', async () => {
    const server = bind(newName());
    const client = bind();
    const heard: string[] = [];
    const loop = (async () => {
      for await (const { data, peer } of server) {
        heard.push(`${data} ${peer.path === client.address().path}`);
        if (heard.length === 3) break;
      }
    })();
    for (const text of ['a', 'b', 'c']) client.send(text, server.address());
    await bench().until(() => heard.length === 3, 'three');
    await loop;
    expect(heard).toEqual(['a true', 'b true', 'c true']);
  });

  test('refusals come with the path, and the socket goes on', async () => {
    const sender = bench().track(UnixDatagramSocket.open(bench().reactor));
    const stale = newPath();
    close(unixDgram(stale));
    const errors = record(sender, 'error');
    sender.send('x', newPath());
    sender.send('x', stale);
    sender.send('x', '\0nobody');
    await bench().until(() => errors.length === 3, 'the errors');
    expect(errors.map(([, error]) => (error as NodeJS.ErrnoException).code)).toEqual([
      'ENOENT',
      'ECONNREFUSED',
      'ECONNREFUSED',
    ]);
    expect(errors[1]?.[1]).toMatchObject({ address: stale, syscall: 'sendmmsg' });
    expect(errors[2]?.[1]).toMatchObject({ address: '@nobody' });
    const server = bind(stale, { unlink: true });
    const got = record(server, 'message');
    sender.send('y', stale);
    await bench().until(() => got.length === 1, 'the message');

    const gone = bind(newPath());
    const client = connect(gone.address().path);
    gone.close();
    const told = record(client, 'error');
    client.send('x');
    await bench().until(() => told.length === 1, 'the error');
    expect(told[0]?.[1]).toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('refused binds and connects leave nothing open, and no file', () => {
    const { reactor } = bench();
    const taken = bind(newPath()).address().path;
    const before = openFds();
    const local = newPath();
    const inUse = expect.objectContaining({ code: 'EADDRINUSE', syscall: 'bind', address: taken });
    expect(() => bind(taken)).toThrow(inUse);
    expect(() => bind(taken, { unlink: true })).toThrow(inUse);
    expect(() =>
      UnixDatagramSocket.connect(reactor, { path: newPath(), localPath: local }),
    ).toThrow(expect.objectContaining({ code: 'ENOENT', syscall: 'connect' }));
    expect(existsSync(local)).toBe(false);
    expect(openFds()).toEqual(before);
    const quiet = bind(newPath(), { mode: 0o600 });
    expect(lstatSync(quiet.address().path).mode & 0o777).toBe(0o600);
  });

  test('finish: what the system has is handed out, what is answered is sent', async () => {
    const server = bind(newName());
    const client = bind();
    const got = record(client, 'message');
    server.on('message', (data, peer) => server.send(data, peer));
    for (let i = 0; i < 5; i++) client.send(`${i}`, server.address());
    client.on('message', () => {});
    const closed = record(server, 'close');
    await bench().turn(); // sent
    server.finish();
    await bench().until(() => closed.length === 1 && got.length === 5, 'the answers');
  });
});

test('sd_notify: a service says that it is ready', async () => {
  const { stdout, stderr, code } = await runChild(`
    import { Reactor } from '@pollux/core';
    import { UnixDatagramSocket } from '@pollux/net';
    const reactor = new Reactor();
    const manager = UnixDatagramSocket.bind(reactor);
    process.env.NOTIFY_SOCKET = manager.address().path.replace('\\0', '@');
    manager.on('message', (data) => {
      console.log(data.toString());
      manager.close();
    });
    const notify = UnixDatagramSocket.open(reactor);
    notify.send('READY=1', process.env.NOTIFY_SOCKET.replace(/^@/, '\\0'));
    notify.close();
  `);
  expect({ stdout, stderr, code }).toEqual({ stdout: 'READY=1\n', stderr: '', code: 0 });
});
