// `maxConnections` of a Unix listener: who is beyond it waits in the backlog.
import { UnixListener, UnixStream } from '@pollux/net';
import { expect, test } from 'vitest';
import { onEveryReactor } from './support.js';
import { newPath } from './unix-support.js';

onEveryReactor((bench) => {
  function listenFor(maxConnections: number, clients: number) {
    const path = newPath();
    const { reactor } = bench();
    const listener = bench().track(UnixListener.listen(reactor, { path, maxConnections }));
    listener.on('connection', (stream) => void bench().track(stream));
    const connected = Array.from({ length: clients }, () =>
      bench().track(UnixStream.connect(reactor, { path })).resume(),
    );
    return { listener, clients: connected };
  }

  test('others are served when one has left', async () => {
    const { listener, clients } = listenFor(2, 5);
    await bench().until(() => clients.every(({ connecting }) => !connecting), 'connect');
    await bench().until(() => listener.streams.size === 2, 'the first two');
    await bench().idle();
    for (let left = 4; left >= 0; left--) {
      expect(listener.streams.size).toBe(Math.min(2, left + 1));
      const [first] = listener.streams;
      first?.destroy();
      await bench().until(() => listener.streams.size === Math.min(2, left), 'the next');
    }
    await bench().until(() => clients.every(({ destroyed }) => destroyed), 'all ends');
  });

  test('finish hands out all that wait', async () => {
    const { listener, clients } = listenFor(1, 4);
    await bench().until(() => clients.every(({ connecting }) => !connecting), 'connect');
    listener.finish();
    await bench().until(() => listener.closed, 'the end');
    expect(listener.streams.size).toBe(4);
  });
});
