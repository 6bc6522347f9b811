// The raw level: what one callback writes goes out in one call, slices of the slab go back from where
// they lie, and whatever others do in the same batch, no byte is lost or doubled.
import type { TcpStream } from '@pollux/net';
import { afterEach, describe, expect, test } from 'vitest';
import { native } from '../dist/native.js';
import { type Bench, onEveryReactor, pattern, record, runChild } from './support.js';

const addon = native as {
  write(segments: Int32Array, count: number, arena: Uint8Array, ...rest: unknown[]): number;
};
const { write } = addon;
afterEach(() => {
  addon.write = write;
});

/** Each call of the addon: how many streams, and how many pieces of them lie in the arena. */
function watchWrites(): { runs: number; pieces: number; inArena: number }[] {
  const calls: { runs: number; pieces: number; inArena: number }[] = [];
  addon.write = (segments, count, ...rest) => {
    const runs = write(segments, count, ...rest);
    let inArena = 0;
    for (let i = 0; i < count; i++) if (segments[4 * i + 1] === -1) inArena++;
    calls.push({ runs, pieces: count, inArena });
    return runs;
  };
  return calls;
}

function gather(stream: TcpStream): { bytes(): Buffer; length: number } {
  const pieces: Buffer[] = [];
  const result = { bytes: () => Buffer.concat(pieces), length: 0 };
  stream.on('data', (data) => {
    pieces.push(data);
    result.length += data.length;
  });
  return result;
}

async function pairs(bench: Bench, count: number) {
  const all = [];
  for (let i = 0; i < count; i++) all.push(await bench.pair());
  return all;
}

onEveryReactor((bench) => {
  test('one callback, one call: text, copies, large ones and a slice', async () => {
    const { client, server } = await bench().pair();
    const large = pattern(20_000);
    const got = gather(client);
    let calls: ReturnType<typeof watchWrites> = [];
    server.receive((buffer, offset, length, stream) => {
      stream.write('text ');
      stream.write(Buffer.from('bytes '));
      stream.writeSlice(buffer, offset, length);
      stream.writev([' one', Buffer.from(' two '), large]);
      calls = watchWrites();
    });
    client.write('slice');
    const expected = Buffer.concat([Buffer.from('text bytes slice one two '), large]);
    await bench().until(() => got.length === expected.length, 'everything');
    expect(got.bytes().equals(expected)).toBe(true);
    // What lies side by side is one piece: "text bytes ", the slice, " one two ", the large one.
    expect(calls).toEqual([{ runs: 1, pieces: 4, inArena: 3 }]);
  });

  test('many streams of one batch, one call', async () => {
    const all = await pairs(bench(), 20);
    const got = all.map(({ client }) => gather(client));
    for (const { server } of all) {
      server.receive((buffer, offset, length, stream) => stream.writeSlice(buffer, offset, length));
    }
    for (const [i, { client }] of all.entries()) client.write(`${i}`);
    const calls = watchWrites();
    await bench().until(() => got.every(({ length }) => length > 0), 'the answers');
    expect(got.map((each) => each.bytes().toString())).toEqual(all.map((_, i) => `${i}`));
    // Those of the clients in one; the servers', and perhaps some that came a moment later.
    expect(calls[0]).toMatchObject({ runs: 20 });
    expect(calls.length).toBeLessThan(10);
  });

  for (const [name, echo] of [
    ['slices', (b: Buffer, o: number, n: number, s: TcpStream) => s.writeSlice(b, o, n)],
    ['views', (b: Buffer, o: number, n: number, s: TcpStream) => s.write(b.subarray(o, o + n))],
  ] as const) {
    test(`${name} of the slab to a reader that is slow: every byte`, async () => {
      const { client, server } = await bench().pair();
      const other = await bench().pair();
      const sent = pattern(8_000_000);
      const got = gather(client);
      client.pause();
      server.receive((buffer, offset, length, stream) => {
        echo(buffer, offset, length, stream);
      });
      // Another one has the slab filled anew all the time.
      other.server.resume();
      const noise = () => other.client.write(pattern(200_000, 7));
      other.client.on('drain', noise);
      noise();
      client.end(sent);
      await bench().until(() => server.queuedBytes > 500_000, 'a full socket');
      client.on('data', () => {
        client.pause();
        bench().reactor.timer(0.1, () => client.resume());
      });
      client.resume();
      await bench().until(() => client.destroyed, 'everything');
      expect(got.bytes().equals(sent)).toBe(true);
    });
  }

  test('cork: what was written before it in the same callback waits too', async () => {
    const { client, server } = await bench().pair();
    const got = gather(server);
    const calls = watchWrites();
    client.write('a');
    client.cork();
    client.write('b');
    client.cork();
    await bench().idle();
    client.write(pattern(5_000).fill('c'));
    client.writeSlice(Buffer.from('xdx'), 1, 1);
    client.uncork();
    client.flush();
    await bench().idle();
    expect([got.length, calls.length, client.queuedBytes]).toEqual([0, 0, 5_003]);
    client.uncork();
    await bench().until(() => got.length === 5_003, 'everything');
    expect(calls).toMatchObject([{ runs: 1 }]);
    expect(got.bytes().toString()).toBe(`ab${'c'.repeat(5_000)}d`);
    client.uncork(); // once too often
  });

  test('writev takes all or, if one is wrong, none', async () => {
    const { client, server } = await bench().pair();
    const got = gather(server);
    expect(() => client.writev(['a', 7 as never])).toThrow(
      expect.objectContaining({ message: expect.stringContaining('"pieces[1]"') }),
    );
    expect(() => client.writev('a' as never)).toThrow(TypeError);
    expect(client.queuedBytes).toBe(0);
    expect(client.writev([])).toBe(true);
    expect(client.writev(['', 'b', new Uint8Array(0)])).toBe(true);
    client.end();
    expect(() => client.writev(['late'])).toThrow(
      expect.objectContaining({ code: 'ERR_POLLUX_CLOSED' }),
    );
    await bench().until(() => client.destroyed, 'the end');
    expect(got.bytes().toString()).toBe('b');
    expect(client.writev(['too late'])).toBe(false);
  });

  describe('others in the same batch', () => {
    test('destroy, pause, and take the listener away: nothing is lost of who lives', async () => {
      const all = await pairs(bench(), 6);
      const servers = all.map(({ server }) => server);
      const got: string[] = [];
      const listen = (i: number) => (data: Buffer) => {
        got.push(`${i}:${data}`);
        if (got.length > 1) return;
        // Whoever is first does this to the others.
        const others = servers.filter((_, other) => other !== i);
        others[0]?.destroy();
        others[1]?.pause();
        others[2]?.removeAllListeners('data');
        others[3]?.receive((buffer, offset, length) => {
          got.push(`raw:${buffer.toString('latin1', offset, offset + length)}`);
        });
        others[4]?.receive(undefined);
        changed.push(...others);
      };
      const changed: TcpStream[] = [];
      for (const [i, server] of servers.entries()) server.on('data', listen(i));
      for (const [i, { client }] of all.entries()) {
        client.on('error', () => {});
        client.write(`w${i}`);
        client.flush();
      }
      await bench().until(() => got.length === 3, 'those that go on');
      await bench().idle();
      expect(got).toHaveLength(3);
      const [, paused, deaf] = changed as [TcpStream, TcpStream, TcpStream];
      paused.resume();
      deaf.on('data', listen(servers.indexOf(deaf)));
      await bench().until(() => got.length === 5, 'the rest');
      const gone = servers.indexOf(changed[0] as TcpStream);
      const words = got.map((each) => each.split(':')[1]).sort();
      expect(words).toEqual(['w0', 'w1', 'w2', 'w3', 'w4', 'w5'].filter((w) => w !== `w${gone}`));
    });

    test('stop in the middle, and on again: every byte once, every end', async () => {
      const { reactor } = bench();
      const all = await pairs(bench(), 40);
      const got = all.map(() => '');
      let stops = 0;
      let closed = 0;
      for (const [i, { server, client }] of all.entries()) {
        client.resume();
        server.on('data', (data) => {
          got[i] = `${got[i]}${data}`;
          if (i % 5 === 0 && stops < 60) {
            stops++;
            reactor.stop();
          }
        });
        server.on('end', () => stops++ % 3 === 0 && reactor.stop());
        server.on('close', () => closed++);
      }
      let expected = '';
      for (let round = 0; round < 5; round++) {
        for (const { client } of all) {
          client.write(`${round} `);
          if (round === 4) client.end();
          else client.flush();
        }
        expected += `${round} `;
        await bench().idle(3);
        if (reactor.mode === 'attached' && reactor.stopped) void reactor.run();
      }
      await bench().until(() => {
        if (reactor.mode === 'attached' && reactor.stopped) void reactor.run();
        return closed === all.length;
      }, 'every close');
      expect(got).toEqual(all.map(() => expected));
      expect(stops).toBeGreaterThan(20);
    });
  });

  test('a stream that is destroyed with bytes in the outbox sends none of them', async () => {
    const { client, server } = await bench().pair();
    const events = record(server.resume(), 'end', 'error');
    client.write('never sent');
    client.destroy();
    await bench().until(() => events.length === 1, 'the end');
    expect([events, server.bytesRead]).toEqual([[['end']], 0]);
  });
});

test('a slice that is kept past its callback shows, with POLLUX_POISON', async () => {
  const program = `
    import { Reactor } from '@pollux/core';
    import { TcpListener, TcpStream } from '@pollux/net';
    const reactor = new Reactor();
    const listener = TcpListener.listen(reactor, { address: '127.0.0.1' });
    listener.on('connection', (stream) => {
      stream.receive((buffer, offset, length) => {
        const kept = buffer.subarray(offset, offset + length);
        const good = Buffer.from(kept);
        setTimeout(() => {
          console.log(String(good), kept.every((byte) => byte === 0xdb));
          stream.destroy();
          listener.close();
        }, 5);
      });
    });
    TcpStream.connect(reactor, listener.address()).resume().write('hello');
  `;
  const run = (value: string) =>
    runChild(program, (command) => ['env', `POLLUX_POISON=${value}`, ...command]);
  expect(await run('1')).toEqual({ stdout: 'hello true\n', stderr: '', code: 0, signal: null });
  expect(await run('')).toEqual({ stdout: 'hello false\n', stderr: '', code: 0, signal: null });
});
