// A stream carries every byte, once and in order, however slow its reader is, and says no to a
// writer while too much waits.
import { once } from 'node:events';
import net from 'node:net';
import { TcpStream } from '@pollux/net';
import { expect, test } from 'vitest';
import { type Bench, onEveryReactor, pattern, record } from './support.js';

function gather(stream: TcpStream): { bytes(): Buffer; length: number } {
  const pieces: Buffer[] = [];
  const result = { bytes: () => Buffer.concat(pieces), length: 0 };
  stream.on('data', (data) => {
    pieces.push(data);
    result.length += data.length;
  });
  return result;
}

/** A listener whose streams send back what they get, slowed down by their own reader. */
function echo(bench: Bench): number {
  const listener = bench.listen();
  listener.on('connection', (stream) => {
    stream.on('drain', () => stream.resume());
    stream.on('data', (data) => {
      if (!stream.write(data)) stream.pause();
    });
  });
  return listener.address().port;
}

onEveryReactor((bench) => {
  test('several megabytes come back byte for byte', async () => {
    const port = echo(bench());
    const client = bench().track(
      TcpStream.connect(bench().reactor, { address: '127.0.0.1', port }),
    );
    const sent = pattern(6_000_000);
    const got = gather(client);
    const events = record(client, 'connect', 'end', 'drain', 'error', 'close');
    expect(client.connecting).toBe(true);
    expect(client.write(sent)).toBe(false);
    client.end();
    await bench().until(() => client.destroyed && events.at(-1)?.[0] === 'close', 'close');
    expect(got.bytes().equals(sent)).toBe(true);
    expect(events.map(([name]) => name)).toEqual(['connect', 'drain', 'end', 'close']);
    expect(events.at(-1)).toEqual(['close', false]);
    expect([client.bytesRead, client.bytesWritten]).toEqual([sent.length, sent.length]);
  });

  test('a reader that pauses holds the writer up, and loses nothing', async () => {
    const { client, server } = await bench().pair();
    const got = gather(server);
    server.pause();
    const chunk = 256 * 1024;
    let wrote = 0;
    let refused = 0;
    const sent: Buffer[] = [];
    const fill = () => {
      while (wrote < 12_000_000) {
        const piece = pattern(chunk, wrote);
        sent.push(piece);
        wrote += chunk;
        if (!client.write(piece)) {
          refused++;
          return;
        }
      }
      client.end();
    };
    client.on('drain', fill);
    fill();
    // The system's buffers fill, and then ours, up to one chunk beyond the mark.
    await bench().until(() => client.queuedBytes > 0, 'the first chunk');
    let before = -1;
    while (before !== client.bytesWritten) {
      before = client.bytesWritten;
      await bench().idle(50);
    }
    expect(client.queuedBytes).toBeGreaterThan(0);
    expect(client.queuedBytes).toBeLessThanOrEqual(chunk);
    expect(got.length).toBe(0);
    server.resume();
    await bench().until(() => server.destroyed, 'the end');
    expect(refused).toBeGreaterThan(1);
    expect(got.bytes().equals(Buffer.concat(sent))).toBe(true);
  });

  test('a reader that takes a little at a time', async () => {
    const { client, server } = await bench().pair();
    const sent = pattern(1_500_000);
    const got = gather(server);
    server.on('data', () => {
      server.pause();
      bench().reactor.timer(1, () => server.resume());
    });
    client.end(sent);
    await bench().until(() => got.length === sent.length, 'everything');
    expect(got.bytes().equals(sent)).toBe(true);
  });

  test('thousands of small writes keep their order', async () => {
    const { client, server } = await bench().pair();
    const got = gather(server);
    let expected = '';
    for (let i = 0; i < 5_000; i++) {
      expected += `${i},`;
      client.write(i % 2 === 0 ? `${i},` : Buffer.from(`${i},`));
    }
    client.end('end');
    await bench().until(() => server.destroyed, 'the end');
    expect(got.bytes().toString()).toBe(`${expected}end`);
  });

  test('nothing is read before somebody listens, and between two listeners nothing is lost', async () => {
    const { client, server } = await bench().pair();
    client.write('first');
    await bench().idle();
    expect(server.bytesRead).toBe(0);
    const first: string[] = [];
    server.once('data', (data) => first.push(data.toString()));
    await bench().until(() => first.length === 1, 'the first piece');
    client.write('second');
    await bench().idle();
    expect(server.bytesRead).toBe(5);
    server.removeAllListeners();
    const second = gather(server);
    await bench().until(() => second.length === 6, 'the second piece');
    expect([...first, second.bytes().toString()]).toEqual(['first', 'second']);
  });

  test("with Node's own sockets as peers, on both sides", async () => {
    const port = echo(bench());
    const socket = net.connect(port, '127.0.0.1');
    const sent = pattern(1_000_000);
    const back: Buffer[] = [];
    socket.on('data', (data) => back.push(data));
    socket.end(sent);
    let ended = false;
    socket.on('close', () => {
      ended = true;
    });
    await bench().until(() => ended, "node's client");
    expect(Buffer.concat(back).equals(sent)).toBe(true);

    const server = net.createServer((peer) => peer.pipe(peer)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address() as net.AddressInfo;
    const client = bench().track(TcpStream.connect(bench().reactor, address));
    const got = gather(client);
    client.end(sent);
    await bench().until(() => client.destroyed, "node's server");
    expect(got.bytes().equals(sent)).toBe(true);
    server.close();
  });

  test('both ends know their addresses, also once closed', async () => {
    const { client, server, listener } = await bench().pair();
    const { port } = listener.address();
    expect(client).toMatchObject({ remoteAddress: '127.0.0.1', remotePort: port });
    expect(client.localPort).toBe(server.remotePort);
    expect(server).toMatchObject({ localAddress: '127.0.0.1', localPort: port });
    server.destroy();
    expect(server).toMatchObject({ remoteAddress: '127.0.0.1', remoteFamily: 'IPv4' });
  });

  test('IPv6', async () => {
    const listener = bench().listen({ address: '::1' });
    listener.on('connection', (stream) => stream.end(`hello ${stream.remoteAddress}`));
    const { address, port } = listener.address();
    const client = bench().track(TcpStream.connect(bench().reactor, { address, port }));
    const got = gather(client);
    await bench().until(() => client.destroyed, 'the end');
    expect(got.bytes().toString()).toBe('hello ::1');
  });
});
