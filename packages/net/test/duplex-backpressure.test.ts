// Neither side of a Duplex gathers what its other side does not take.
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { expect, test } from 'vitest';
import { duplexPair, settle } from './duplex-support.js';
import { onEveryReactor, pattern } from './support.js';

const MB = 1_000_000;
const PIECE = pattern(MB / 10);

/** 50 MB in pieces of 100 kB, made as they are asked for. */
function* pieces(): Generator<Buffer> {
  for (let i = 0; i < 500; i++) yield PIECE;
}

onEveryReactor((bench) => {
  test('50 MB to a slow reader: what waits on either side stays small', async () => {
    const { client, server } = await duplexPair(bench());
    let most = 0;
    let received = 0;
    let equal = true;
    const slow = new Writable({
      highWaterMark: 1,
      write(data: Buffer, _encoding, callback) {
        most = Math.max(most, client.writableLength, server.readableLength);
        for (let at = 0; at < data.length; ) {
          const from = (received + at) % PIECE.length;
          const length = Math.min(data.length - at, PIECE.length - from);
          equal &&= PIECE.subarray(from, from + length).equals(data.subarray(at, at + length));
          at += length;
        }
        received += data.length;
        setImmediate(callback);
      },
    });
    const sending = pipeline(Readable.from(pieces()), client);
    await settle(bench(), Promise.all([sending, pipeline(server, slow)]));
    expect(received).toBe(50 * MB);
    expect(equal).toBe(true);
    // A piece beyond the marks, and a read of 64 KiB.
    expect(most).toBeLessThan(300_000);
  });

  test('a reader that stops stops the writer, and both go on', async () => {
    const { client, server } = await duplexPair(bench());
    server.pause();
    let called = 0;
    let written = 0;
    for (let last = -1; last !== client.bytesWritten; await bench().idle(100)) {
      last = client.bytesWritten;
      for (let i = 0; i < 100 && !client.writableNeedDrain; i++) {
        client.write(PIECE, () => called++);
        written++;
        await bench().turn();
      }
      await bench().caughtUp();
    }
    // The system's buffers are full: this is what is ours.
    const took = server.bytesRead;
    expect(took).toBeLessThan(200_000);
    expect(client.writableLength).toBeLessThan(300_000);
    await bench().idle();
    expect(server.bytesRead).toBe(took);
    let drained = false;
    client.once('drain', () => {
      drained = true;
    });
    let received = 0;
    server.on('data', (data: Buffer) => {
      received += data.length;
    });
    server.resume();
    await bench().until(() => drained, 'drain');
    client.end();
    await bench().until(() => server.closed && client.closed, 'close');
    expect(received).toBe(client.bytesWritten);
    expect(received).toBe(written * PIECE.length);
    expect(called).toBe(written);
  });
});
