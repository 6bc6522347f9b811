// The options of a listener are those of the moment when it was made: what becomes of the object later
// neither changes its streams nor breaks them.
import {
  TcpListener,
  type TcpListenOptions,
  TcpStream,
  UnixListener,
  UnixStream,
} from '@pollux/net';
import { expect, test } from 'vitest';
import { onEveryReactor } from './support.js';
import { newPath } from './unix-support.js';

onEveryReactor((bench) => {
  test('TCP', async () => {
    const options: TcpListenOptions = { address: '127.0.0.1', timeoutMs: 1_000, highWaterMark: 5 };
    const listener = bench().track(TcpListener.listen(bench().reactor, options));
    options.timeoutMs = 'junk' as unknown as number;
    options.highWaterMark = 6;
    const streams: TcpStream[] = [];
    listener.on('connection', (stream) => streams.push(bench().track(stream)));
    bench().track(TcpStream.connect(bench().reactor, listener.address()));
    await bench().until(() => streams.length === 1, 'a connection');
    expect(streams.map((each) => [each.timeoutMs, each.highWaterMark])).toEqual([[1_000, 5]]);
  });

  test('Unix', async () => {
    const options = { path: newPath(), timeoutMs: 1_000, highWaterMark: 5 };
    const listener = bench().track(UnixListener.listen(bench().reactor, options));
    options.timeoutMs = -1;
    options.highWaterMark = 6;
    const streams: UnixStream[] = [];
    listener.on('connection', (stream) => streams.push(bench().track(stream)));
    bench().track(UnixStream.connect(bench().reactor, { path: listener.path }));
    await bench().until(() => streams.length === 1, 'a connection');
    expect(streams.map((each) => [each.timeoutMs, each.highWaterMark])).toEqual([[1_000, 5]]);
  });
});
