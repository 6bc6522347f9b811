// Connecting to a Unix listener: refused at once, or tried again while its backlog is full, for which
// the system has no event.
import { Reactor } from '@pollux/core';
import { UnixListener, UnixStream } from '@pollux/net';
import { accept, close, unixDgram, unixListener } from '@pollux/testkit';
import { expect, test } from 'vitest';
import { onEveryReactor, record, runChild } from './support.js';
import { newName, newPath, tracked } from './unix-support.js';

/** A reactor that is never turned. */
function idleReactor(): Reactor & Disposable {
  const reactor = new Reactor({ mode: 'blocking' });
  return Object.assign(reactor, { [Symbol.dispose]: () => reactor.close() });
}

onEveryReactor((bench) => {
  const connect = (path: string, options = {}) =>
    bench().track(UnixStream.connect(bench().reactor, { path, ...options }));

  /** A listener that accepts nobody, and connections until its backlog is full. */
  function fullListener(): { path: string; fd: number; last: UnixStream } {
    const path = newPath();
    const idle = bench().track(idleReactor());
    const { fd } = UnixListener.listen(idle, { path, backlog: 2 });
    for (let i = 0; i < 3; i++) connect(path);
    return { path, fd, last: connect(path) };
  }

  test('refusals, told later, with code, syscall and path', async () => {
    const stale = newPath();
    close(unixListener(stale));
    const datagrams = newPath();
    tracked(bench(), unixDgram(datagrams));
    const cases: [string, string][] = [
      [newPath(), 'ENOENT'],
      [newName(), 'ECONNREFUSED'],
      [stale, 'ECONNREFUSED'],
      [datagrams, 'EPROTOTYPE'],
    ];
    for (const [path, code] of cases) {
      const stream = connect(path);
      expect([stream.connecting, stream.destroyed]).toEqual([true, false]);
      const events = record(stream, 'connect', 'error', 'close');
      stream.write('never sent');
      await bench().until(() => stream.destroyed && events.length === 2, 'the refusal');
      const address = path.replace('\0', '@');
      expect(events).toEqual([
        ['error', expect.objectContaining({ code, syscall: 'connect', address })],
        ['close', true],
      ]);
    }
  });

  test('a full backlog: waits, and goes on when somebody accepts', async () => {
    const { fd, last } = fullListener();
    const events = record(last, 'connect', 'error', 'close');
    last.write('patience');
    await bench().idle(100);
    expect(events).toEqual([]);
    for (let next = accept(fd); next !== null; next = accept(fd)) tracked(bench(), next);
    await bench().until(() => !last.connecting, 'the connection');
    expect(events).toEqual([['connect']]);
  });

  test('a full backlog: ETIMEDOUT, not early', async () => {
    const { path } = fullListener();
    const began = performance.now();
    const stream = connect(path, { connectTimeoutMs: 60 });
    const events = record(stream, 'connect', 'error', 'close');
    await bench().until(() => events.length === 2, 'the timeout');
    expect(performance.now() - began).toBeGreaterThanOrEqual(60);
    expect(events[0]).toEqual(['error', expect.objectContaining({ code: 'ETIMEDOUT' })]);
    expect(stream.destroyed).toBe(true);
  });

  test('a full backlog: destroyed while it waits', async () => {
    const { path } = fullListener();
    const stream = connect(path);
    const events = record(stream, 'connect', 'error', 'close');
    await bench().turn();
    stream.destroy();
    await bench().until(() => events.length === 1, 'close');
    await bench().idle();
    expect(events).toEqual([['close', false]]);
  });

  test('destroyed at once, and in connect', async () => {
    const path = newPath();
    tracked(bench(), unixListener(path));
    const early = connect(path);
    const late = connect(path);
    const events = record(early, 'connect', 'error', 'close');
    const lateEvents = record(late, 'connect', 'error', 'close');
    early.destroy();
    late.on('connect', () => late.destroy());
    await bench().until(() => events.length === 1 && lateEvents.length === 2, 'the events');
    expect(events).toEqual([['close', false]]);
    expect(lateEvents).toEqual([['connect'], ['close', false]]);
  });
});

test('a process waits for a connection, unless it is unref’d', async () => {
  const { stdout, stderr, code } = await runChild(`
    import { Reactor } from '@pollux/core';
    import { UnixListener, UnixStream } from '@pollux/net';
    const path = ${JSON.stringify(newPath())};
    const listener = UnixListener.listen(new Reactor({ mode: 'blocking' }), { path, backlog: 0 });
    const reactor = new Reactor();
    const streams = [1, 2].map(() => UnixStream.connect(reactor, { path }));
    setTimeout(() => {
      console.log(streams.map((stream) => stream.connecting));
      for (const stream of streams) stream.unref();
    }, 50);
    process.on('exit', () => listener.close());
  `);
  expect({ stdout, stderr, code }).toEqual({ stdout: '[ false, true ]\n', stderr: '', code: 0 });
});
