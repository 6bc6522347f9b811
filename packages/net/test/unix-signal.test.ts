// An AbortSignal closes a Unix listener, and a stream that connects or is connected, without an
// error; promises and loops are told the reason. One that is aborted already is thrown.
import { existsSync } from 'node:fs';
import { Reactor } from '@pollux/core';
import { UnixListener, UnixStream } from '@pollux/net';
import { expect, test } from 'vitest';
import { onEveryReactor, record } from './support.js';
import { newPath } from './unix-support.js';

onEveryReactor((bench) => {
  const listen = (path: string, options = {}) =>
    bench().track(UnixListener.listen(bench().reactor, { path, ...options }));
  const connect = (path: string, options = {}) =>
    bench().track(UnixStream.connect(bench().reactor, { path, ...options }));

  test('a listener: its loop throws the reason, its file goes, its streams live on', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const paths = [newPath(), newPath()] as const;
    const [looped, plain] = [listen(paths[0], { signal }), listen(paths[1], { signal })];
    const events = record(plain, 'close', 'error');
    const streams: UnixStream[] = [];
    plain.on('connection', (stream) => void streams.push(bench().track(stream)));
    connect(paths[1]);
    await bench().until(() => streams.length === 1, 'the connection');
    let thrown: unknown;
    const loop = (async () => {
      for await (const _ of looped);
    })().catch((error) => {
      thrown = error;
    });
    controller.abort('enough');
    await loop;
    expect(thrown).toBe('enough');
    await bench().until(() => events.length === 1, 'close');
    expect(events).toEqual([['close']]);
    expect([looped.closed, plain.closed]).toEqual([true, true]);
    expect(paths.map((path) => existsSync(path))).toEqual([false, false]);
    expect(streams[0]?.destroyed).toBe(false);
    expect(() => listen(newPath(), { signal })).toThrow('enough');
  });

  test('a stream: closed without an error, and what waits for it is told the reason', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const path = newPath();
    listen(path).on('connection', (stream) => void bench().track(stream));
    const stream = connect(path, { signal });
    const events = record(stream, 'connect', 'error', 'close');
    await bench().until(() => !stream.connecting, 'connect');
    stream.cork();
    stream.write('never sent');
    const drained = expect(stream.drained()).rejects.toBe('enough');
    controller.abort('enough');
    expect(stream.destroyed).toBe(true);
    await drained;
    await bench().until(() => events.length === 2, 'close');
    expect(events).toEqual([['connect'], ['close', false]]);
    expect(() => connect(path, { signal })).toThrow('enough');
  });

  test('a stream that waits for room in a backlog', async () => {
    const path = newPath();
    const idle = new Reactor({ mode: 'blocking' });
    UnixListener.listen(idle, { path, backlog: 0 });
    connect(path);
    const controller = new AbortController();
    const stream = connect(path, { signal: controller.signal });
    const events = record(stream, 'connect', 'error', 'close');
    await bench().idle(5);
    controller.abort();
    await bench().until(() => events.length === 1, 'close');
    await bench().idle();
    expect(events).toEqual([['close', false]]);
    idle.close();
  });
});
