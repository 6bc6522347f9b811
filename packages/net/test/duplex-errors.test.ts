// What breaks a connection is one 'error' of its Duplex; destroy is right in every state, and nobody
// waits for a callback for ever.
import { Readable } from 'node:stream';
import { setImmediate as nextLoop } from 'node:timers/promises';
import { type SocketDuplex, TcpStream, toDuplex } from '@pollux/net';
import { expect, test } from 'vitest';
import { connectDuplex, duplexPair, trackDuplex } from './duplex-support.js';
import { type Bench, onEveryReactor, pattern, record } from './support.js';

const BIG = pattern(8_000_000);
const CLOSED = expect.objectContaining({ code: 'ERR_POLLUX_CLOSED' });

/** A connection in each of its states. */
const states: Record<string, (bench: Bench) => Promise<SocketDuplex>> = {
  connecting: async (bench) => connectDuplex(bench, bench.listen().address().port),
  'connecting, with a write': async (bench) => {
    const duplex = connectDuplex(bench, bench.listen().address().port);
    duplex.write('x', () => {});
    return duplex;
  },
  'connecting, ended': async (bench) =>
    connectDuplex(bench, bench.listen().address().port).end('x'),
  open: async (bench) => (await duplexPair(bench)).client,
  'open, unread': async (bench) => {
    const { client, server } = await duplexPair(bench);
    server.on('error', () => {}); // it is reset
    server.write(BIG);
    await bench.idle();
    return client;
  },
  'in a write': async (bench) => {
    const { client } = await duplexPair(bench);
    client.write(BIG);
    client.write('more');
    await bench.idle();
    return client;
  },
  'ended, with a write': async (bench) => {
    const { client } = await duplexPair(bench);
    client.end(BIG);
    await bench.idle();
    return client;
  },
  'ended, half-open': async (bench) => {
    const { client } = await duplexPair(bench, { allowHalfOpen: true });
    client.end();
    await bench.idle();
    return client;
  },
  'after the end of the peer, half-open': async (bench) => {
    const { client, server } = await duplexPair(bench, { allowHalfOpen: true });
    server.end();
    client.resume();
    await bench.until(() => client.readableEnded, 'end');
    return client;
  },
};

onEveryReactor((bench) => {
  for (const [name, make] of Object.entries(states)) {
    test(`destroy while ${name}`, async () => {
      const duplex = await make(bench());
      const events = record(duplex, 'error', 'close', 'connect', 'timeout');
      duplex.setTimeout(1);
      duplex.destroy();
      duplex.destroy();
      expect([duplex.destroyed, duplex.connecting]).toEqual([true, false]);
      await bench().idle();
      expect(events).toEqual([['close']]);
    });

    test(`destroy with an error while ${name}`, async () => {
      const duplex = await make(bench());
      const events = record(duplex, 'error', 'close');
      const error = new Error('enough');
      duplex.destroy(error);
      await bench().idle();
      expect(events).toEqual([['error', error], ['close']]);
    });
  }

  test('destroy calls the write under way back, and those behind it, with an error', async () => {
    const { client } = await duplexPair(bench());
    const results: unknown[] = [];
    client.write(BIG, (error) => results.push(error));
    await bench().idle();
    client.write('behind', (error) => results.push(error));
    client.destroy();
    await bench().idle();
    expect(results).toEqual([CLOSED, CLOSED]);
  });

  test('what was written just before a destroy is offered to the system', async () => {
    const { client, server } = await duplexPair(bench());
    let got = '';
    const events = record(server, 'end', 'error');
    server.setEncoding('utf8').on('data', (text) => {
      got += text;
    });
    client.write('HTTP/1.1 400 Bad Request\r\n\r\n');
    client.destroy();
    await bench().until(() => server.closed, 'close');
    expect(got).toBe('HTTP/1.1 400 Bad Request\r\n\r\n');
    expect(events).toEqual([['end']]);
  });

  test('destroySoon writes all, and then closes though the peer has not ended', async () => {
    const { client, server } = await duplexPair(bench(), { allowHalfOpen: true });
    const got: Buffer[] = [];
    server.on('data', (data) => got.push(data));
    client.write(BIG);
    client.destroySoon();
    expect(client.destroyed).toBe(false);
    await bench().until(() => client.closed && server.readableEnded, 'close');
    expect(Buffer.concat(got).equals(BIG)).toBe(true);
    client.destroySoon();
  });

  test('a reset in the middle of a write is one error, also of the write', async () => {
    const { client, server } = await duplexPair(bench());
    const events = record(client, 'error', 'close', 'finish');
    const results: unknown[] = [];
    client.write(BIG, (error) => results.push(error));
    client.write('behind', (error) => results.push(error));
    await bench().idle();
    server.destroy(); // with bytes unread: the system sends a reset
    await bench().until(() => events.length === 2, 'error and close');
    const code = expect.stringMatching(/^(ECONNRESET|EPIPE)$/);
    const broken = expect.objectContaining({ code });
    expect(events).toEqual([['error', broken], ['close']]);
    expect(results[0]).toEqual(broken);
    expect(results).toHaveLength(2);
    expect(client.writable).toBe(false);
  });

  test('a refused connection', async () => {
    const listener = bench().listen();
    const { port } = listener.address();
    listener.close();
    const duplex = connectDuplex(bench(), port);
    const events = record(duplex, 'connect', 'error', 'close');
    const results: unknown[] = [];
    duplex.write('in vain', (error) => results.push(error));
    await bench().until(() => events.length === 2, 'error and close');
    const refused = expect.objectContaining({ code: 'ECONNREFUSED', syscall: 'connect', port });
    expect(events).toEqual([['error', refused], ['close']]);
    expect(results).toEqual([refused]);
    expect(duplex.connecting).toBe(false);
  });

  test('a connection that the system refuses at once', async () => {
    const options = { address: '255.255.255.255', port: 9 };
    const duplex = toDuplex(TcpStream.connect(bench().reactor, options));
    const events = record(duplex, 'error', 'close');
    await bench().until(() => events.length === 2, 'error and close');
    expect(events[0]?.[1]).toMatchObject({ syscall: 'connect', ...options });
  });

  test('a stream that is destroyed behind its back, and one that is closed already', async () => {
    const { client, server } = await bench().pair();
    const duplex = trackDuplex(bench(), toDuplex(client));
    const events = record(duplex, 'error', 'close');
    const results: unknown[] = [];
    duplex.end(BIG, () => results.push('finish'));
    await bench().idle();
    client.destroy();
    await bench().until(() => duplex.closed, 'close');
    expect(events.at(-1)).toEqual(['close']);
    await bench().until(() => server.destroyed || !server.isPaused(), 'the other end');
    await bench().idle();
    const late = toDuplex(client);
    const lateEvents = record(late, 'error', 'close');
    await bench().until(() => lateEvents.length === 1, 'close');
    expect(lateEvents).toEqual([['close']]);
  });

  test('a closed reactor tells nothing more; destroy works', async () => {
    const { client } = await duplexPair(bench());
    const events = record(client, 'error', 'close');
    const results: unknown[] = [];
    client.write(BIG, (error) => results.push(error));
    bench().reactor.close();
    client.write('x', (error) => results.push(error));
    await nextLoop();
    expect([...events, ...results]).toEqual([]);
    client.destroy();
    await nextLoop();
    expect(events).toEqual([['close']]);
    expect(results).toEqual([CLOSED, CLOSED]);
  });
});

test('a wrong argument is refused at once', () => {
  // biome-ignore lint/suspicious/noExplicitAny: what the types forbid is what is tested
  const make = toDuplex as any;
  const type = { code: 'ERR_INVALID_ARG_TYPE' };
  for (const junk of [undefined, null, 5, {}, new Readable()]) {
    expect(() => make(junk)).toThrow(
      expect.objectContaining({ ...type, message: expect.stringContaining('"stream"') }),
    );
  }
});
