// A `receive` callback passes on what lies in the slab, to a stream that does not write it before the
// slab is used anew: it is full, or another reactor's. Nothing of it is overwritten.
import { Reactor } from '@pollux/core';
import { UdpSocket, UnixDatagramSocket, UnixStream } from '@pollux/net';
import { expect, test } from 'vitest';
import { type Bench, onEveryReactor } from './support.js';
import { pairOf } from './unix-support.js';

// Longer than what is copied anyway.
const SIZE = 8_192;
const COUNT = 100;

/** The first byte of each piece; -1 for one that is not all the same. */
function pieces(bytes: Buffer): number[] {
  return Array.from({ length: bytes.length / SIZE }, (_, i) => {
    const piece = bytes.subarray(i * SIZE, (i + 1) * SIZE);
    return piece.equals(Buffer.alloc(SIZE, piece[0])) ? (piece[0] as number) : -1;
  });
}

async function readAll(bench: Bench, stream: UnixStream): Promise<Buffer> {
  const got: Buffer[] = [];
  stream.on('data', (data) => got.push(data));
  stream.resume();
  await bench.until(() => stream.bytesRead === COUNT * SIZE, 'all of it');
  return Buffer.concat(got);
}

const inOrder = Array.from({ length: COUNT }, (_, i) => i);

onEveryReactor((bench) => {
  test.each(['UDP', 'Unix'])('%s datagrams to a stream that is full', async (kind) => {
    const { reactor } = bench();
    const [writer, reader] = pairOf(bench());
    reader.pause();
    let passed = 0;
    const pass = (buffer: Buffer, offset: number, length: number): void => {
      passed++;
      writer.writeSlice(buffer, offset, length);
    };
    let send: (data: Buffer) => boolean;
    if (kind === 'UDP') {
      const socket = bench()
        .track(UdpSocket.bind(reactor, { address: '127.0.0.1' }))
        .receive(pass);
      send = (data) => socket.send(data, socket.address());
    } else {
      const [first, second] = UnixDatagramSocket.pair(reactor);
      bench().track(first);
      bench().track(second).receive(pass);
      send = (data) => first.send(data);
    }
    for (let i = 0; i < COUNT; i++) {
      send(Buffer.alloc(SIZE, i));
      await bench().until(() => passed === i + 1, 'it');
    }
    expect(writer.queuedBytes).toBeGreaterThan(0);
    expect(pieces(await readAll(bench(), reader))).toEqual(inOrder);
  });

  test('bytes to a stream of another reactor', async () => {
    const other = new Reactor({ backend: bench().reactor.backend, mode: 'blocking' });
    const [writer, reader] = pairOf(bench());
    const [source, sink] = UnixStream.pair(other);
    sink.receive((buffer, offset, length) => writer.writeSlice(buffer, offset, length));
    for (let i = 0; i < COUNT; i++) {
      source.write(Buffer.alloc(SIZE, i));
      other.turn(0);
      while (sink.bytesRead < (i + 1) * SIZE) other.turn(10);
    }
    expect(pieces(await readAll(bench(), reader))).toEqual(inOrder);
    other.close();
  });

  test('a view of the slab to a stream that is corked', async () => {
    const [source, sink] = pairOf(bench());
    const [writer, reader] = pairOf(bench());
    writer.cork();
    sink.receive((buffer, offset, length) =>
      writer.write(buffer.subarray(offset, offset + length)),
    );
    for (let i = 0; i < COUNT; i++) {
      source.write(Buffer.alloc(SIZE, i));
      await bench().until(() => sink.bytesRead === (i + 1) * SIZE, 'it');
    }
    writer.uncork();
    expect(pieces(await readAll(bench(), reader))).toEqual(inOrder);
  });
});
