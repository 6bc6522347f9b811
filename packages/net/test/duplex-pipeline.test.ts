// node:stream's own tools take a Duplex of ours: pipeline, for await, finished, compose with zlib.
import { Readable, Transform } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { expect, test } from 'vitest';
import { duplexPair, settle } from './duplex-support.js';
import { onEveryReactor, pattern } from './support.js';

onEveryReactor((bench) => {
  test('an echo is a pipeline from it to itself', async () => {
    const { client, server } = await duplexPair(bench());
    const sent = pattern(3_000_000);
    const got: Buffer[] = [];
    client.on('data', (data) => got.push(data));
    const echo = pipeline(server, server);
    client.end(sent);
    await settle(bench(), Promise.all([echo, finished(client)]));
    expect(Buffer.concat(got).equals(sent)).toBe(true);
  });

  test('through gzip and back', async () => {
    const { client, server } = await duplexPair(bench());
    const text = 'all work and no play '.repeat(50_000);
    const got: Buffer[] = [];
    await settle(
      bench(),
      Promise.all([
        pipeline(Readable.from([text]), createGzip(), client),
        pipeline(server, createGunzip(), async (source: AsyncIterable<Buffer>) => {
          for await (const data of source) got.push(data);
        }),
      ]),
    );
    expect(String(Buffer.concat(got))).toBe(text);
    expect(client.bytesWritten).toBeLessThan(text.length / 10);
  });

  test('for await, to the end', async () => {
    const { client, server } = await duplexPair(bench());
    const sent = pattern(500_000);
    const read = (async () => {
      const got: Buffer[] = [];
      for await (const data of server) got.push(data);
      return Buffer.concat(got);
    })();
    client.end(sent);
    expect((await settle(bench(), read)).equals(sent)).toBe(true);
    await bench().until(() => client.closed && server.closed, 'close');
  });

  test('a for await that breaks off closes the connection', async () => {
    const { client, server } = await duplexPair(bench());
    const errors: unknown[] = [];
    client.on('error', (error) => errors.push(error));
    const read = (async () => {
      for await (const data of server) return data;
      return undefined;
    })();
    client.write('first');
    expect(String(await settle(bench(), read))).toBe('first');
    expect(server.destroyed).toBe(true);
    await bench().until(() => client.closed, 'close');
    expect(errors).toEqual([]);
  });

  test('a pipeline whose middle fails destroys both ends, with its error', async () => {
    const { client, server } = await duplexPair(bench());
    const failing = new Transform({
      transform(_data, _encoding, callback) {
        callback(new Error('no more'));
      },
    });
    const through = pipeline(server, failing, server);
    client.on('error', () => {});
    client.write('x');
    await expect(settle(bench(), through)).rejects.toThrow('no more');
    expect(server.destroyed).toBe(true);
    await bench().until(() => client.closed, 'close');
  });

  test('a pipeline whose connection closes early says so', async () => {
    const { client, server } = await duplexPair(bench());
    const endless = new Readable({ read() {} });
    const through = pipeline(endless, client);
    server.destroy();
    client.resume();
    await expect(settle(bench(), through)).rejects.toMatchObject({
      code: 'ERR_STREAM_PREMATURE_CLOSE',
    });
    expect(endless.destroyed).toBe(true);
  });
});
