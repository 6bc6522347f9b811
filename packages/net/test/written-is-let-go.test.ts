// What is written is let go of, also while something else still waits.
import net from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { onEveryReactor } from './support.js';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;
const CHUNK = 1 << 20;
/** The peer reads so many, the system's buffers take some more: 10 MiB at the most. */
const READ = 50;
const MOST = 100;

onEveryReactor((bench) => {
  test('a stream that always has something waiting keeps no chunks that are written', async () => {
    const listener = bench().listen();
    const chunks: WeakRef<Uint8Array>[] = [];
    let written = 0;
    listener.on('connection', (stream) => {
      const top = () => {
        // Never empty: tops up before the last of it is written.
        while (stream.queuedBytes < 4 * CHUNK && chunks.length < MOST) {
          const chunk = new Uint8Array(CHUNK);
          chunks.push(new WeakRef(chunk));
          stream.write(chunk);
        }
        written = stream.bytesWritten;
        if (!stream.destroyed) setImmediate(top);
      };
      top();
    });
    const peer = net.connect(listener.address().port, '127.0.0.1');
    bench().track({ [Symbol.dispose]: () => void peer.destroy() });
    peer.on('data', () => {
      if (peer.bytesRead > READ * CHUNK) peer.pause();
    });
    await bench().until(() => written > READ * CHUNK, 'most of it');
    await bench().idle(50);
    gc();
    await bench().idle(5);
    gc();
    const alive = chunks.filter((chunk) => chunk.deref() !== undefined).length;
    const waiting = Math.ceil(chunks.length - written / CHUNK);
    expect(waiting).toBeGreaterThan(0);
    expect(alive).toBeLessThanOrEqual(waiting + 2);
  });
});
