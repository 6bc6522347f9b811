// Unix streams: listeners on paths and abstract names, connections, pairs, adopted sockets, and what
// they tell of the other end; also with node:net at the other end.
import { once } from 'node:events';
import { statSync } from 'node:fs';
import net from 'node:net';
import { OwnedFd, UnixListener, UnixStream } from '@pollux/net';
import { isCloexec, isNonblocking, openFds, socketpair, unixListener } from '@pollux/testkit';
import { expect, test } from 'vitest';
import { onEveryReactor, pattern, record } from './support.js';
import { newName, newPath, pairOf } from './unix-support.js';

onEveryReactor((bench) => {
  const listen = (path: string | Uint8Array, options = {}) => {
    const listener = bench().track(UnixListener.listen(bench().reactor, { path, ...options }));
    return listener.on('connection', (stream) => {
      bench().track(stream);
      stream.on('data', (data) => stream.write(data));
    });
  };
  const connect = (path: string | Uint8Array) =>
    bench().track(UnixStream.connect(bench().reactor, { path }));

  const places: [string, () => string | Uint8Array][] = [
    ['a path', newPath],
    ['an abstract name', newName],
    ['an abstract name of bytes', () => Buffer.concat([Buffer.from(newName()), Buffer.of(0, 255)])],
    [
      'a path of bytes that are no UTF-8',
      () => Buffer.concat([Buffer.from(newPath()), Buffer.of(0xe9)]),
    ],
    ['a path of 107 bytes', () => newPath().padEnd(107, 'x')],
    ['a name of 108 bytes', () => newName().padEnd(108, 'x')],
  ];
  for (const [name, place] of places) {
    test(`an echo at ${name}`, async () => {
      const path = place();
      const listener = listen(path);
      expect(listener.path).toBe(Buffer.from(path).toString());
      const client = connect(path);
      const events = record(client, 'connect', 'end', 'close');
      const sent = pattern(300_000);
      const got: Buffer[] = [];
      client.on('data', (data) => got.push(data));
      client.write(sent);
      await bench().until(() => client.bytesRead === sent.length, 'the echo');
      expect(Buffer.concat(got).equals(sent)).toBe(true);
      expect(client.remotePath).toBe(listener.path);
      client.end();
      await bench().until(() => client.destroyed, 'the end');
      expect(events).toEqual([['connect'], ['end'], ['close', false]]);
    });
  }

  test('names and credentials of both ends', async () => {
    const path = newPath();
    const listener = listen(path);
    let server: UnixStream | undefined;
    listener.on('connection', (stream) => {
      server = stream;
    });
    const client = connect(path);
    expect([client.peerCredentials, client.localPath, client.remotePath]).toEqual([
      undefined,
      '',
      path,
    ]);
    await bench().until(() => server !== undefined && !client.connecting, 'connection');
    const me = { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() };
    expect(server?.peerCredentials).toEqual(me);
    expect(client.peerCredentials).toEqual(me);
    expect([server?.localPath, server?.remotePath]).toEqual([path, '']);
    expect([client.localPath, client.remotePath]).toEqual(['', path]);
    client.destroy();
    expect(client.peerCredentials).toEqual(me);
  });

  test('a pair, half closed', async () => {
    const [first, second] = pairOf(bench());
    const events = record(second, 'data', 'end', 'close');
    second.on('end', () => second.end('answer'));
    let answer = '';
    first.on('data', (data) => {
      answer += data;
    });
    first.end('question');
    await bench().until(() => first.destroyed && second.destroyed, 'both ends');
    expect(answer).toBe('answer');
    expect(events.map(([name]) => name)).toEqual(['data', 'end', 'close']);
    expect([first.localPath, first.remotePath]).toEqual(['', '']);
  });

  test('adopted: a duplicate, nonblocking; the original stays', async () => {
    const [theirs, other] = socketpair();
    using kept = new (class {
      ours = OwnedFd.dup(theirs);
      [Symbol.dispose]() {
        this.ours.close();
      }
    })();
    const { close } = await import('@pollux/testkit');
    const first = bench().track(UnixStream.adopt(bench().reactor, kept.ours));
    const second = bench().track(UnixStream.adopt(bench().reactor, other));
    close(theirs);
    close(other);
    expect([isCloexec(first.fd), isNonblocking(first.fd)]).toEqual([true, true]);
    let got = '';
    second.on('data', (data) => {
      got += data;
    });
    first.write('hello');
    await bench().until(() => got === 'hello', 'hello');
    first.destroy();
    await bench().idle();
    expect(second.destroyed).toBe(false); // ours, the third, is open
    kept.ours.close();
    await bench().until(() => second.destroyed, 'the end');
  });

  test('a listener that somebody else has opened', async () => {
    const { close } = await import('@pollux/testkit');
    const path = newPath();
    const theirs = unixListener(path);
    const listener = bench().track(UnixListener.listen(bench().reactor, { fd: theirs }));
    close(theirs);
    expect(listener.path).toBe(path);
    const accepted = record(listener, 'connection');
    const client = connect(path);
    await bench().until(() => accepted.length === 1, 'connection');
    bench().track(accepted[0]?.[1] as UnixStream);
    client.destroy();
    listener.close();
    expect(statSync(path).isSocket()).toBe(true); // it was not ours to remove
  });

  test('node:net at the other end', async () => {
    const path = newPath();
    listen(path);
    const client = net.connect(path);
    let answer = '';
    client.on('data', (data) => {
      answer += data;
    });
    client.write('to pollux');
    await bench().until(() => answer === 'to pollux', 'the echo');
    client.destroy();

    const other = newPath();
    const server = net.createServer((socket) => socket.pipe(socket)).listen(other);
    await once(server, 'listening');
    const stream = connect(other);
    let got = '';
    stream.on('data', (data) => {
      got += data;
    });
    stream.end('to node');
    await bench().until(() => stream.destroyed, 'the echo');
    expect(got).toBe('to node');
    server.close();
  });

  test('raw: received and written without a copy', async () => {
    const [first, second] = pairOf(bench());
    second.receive((buffer, offset, length, stream) => {
      stream.writeSlice(buffer, offset, length);
    });
    let got = '';
    first.on('data', (data) => {
      got += data;
    });
    first.write('there and back');
    await bench().until(() => got === 'there and back', 'the echo');
  });

  test('many connections at once', async () => {
    const path = newPath();
    const listener = listen(path);
    const clients = Array.from({ length: 200 }, () => connect(path));
    const got = clients.map(() => '');
    for (const [i, client] of clients.entries()) {
      client.on('data', (data) => {
        got[i] = `${got[i]}${data}`;
      });
      client.write(`${i}`);
    }
    await bench().until(() => got.every((text, i) => text === `${i}`), 'the echoes');
    const before = openFds().length;
    listener.close();
    for (const client of clients) client.destroy();
    await bench().until(() => openFds().length <= before - 401, 'the closes');
  });

  test('finish: those that the system has accepted are served, the next is refused', async () => {
    for (const place of [newPath(), newName()]) {
      const listener = listen(place);
      const closed = record(listener, 'close');
      const early = Array.from({ length: 50 }, () => connect(place));
      let echoes = 0;
      for (const client of early) {
        client.on('data', () => echoes++);
        client.write('x');
      }
      const told = new Set<string>();
      listener.finish();
      listener.finish();
      const late = connect(place);
      late.on('error', (error) => told.add((error as NodeJS.ErrnoException).code ?? ''));
      await bench().until(() => closed.length === 1 && late.destroyed, 'close');
      await bench().until(() => echoes === 50, 'the echoes');
      expect([...told]).toEqual([place.startsWith('\0') ? 'ECONNREFUSED' : 'ENOENT']);
      for (const client of early) client.destroy();
    }
  });
});
