// `TcpStream.open`: a promise of a connection, to an address or to what a name resolves to.
import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { TcpListener, TcpStream } from '@pollux/net';
import { describe, expect, test } from 'vitest';
import { onEveryReactor } from './support.js';

const V4 = '127.0.0.1';
const REFUSED = 'a blocking reactor refuses names';

/** A resolver that knows one answer, and what it was asked. */
function resolver(answer: LookupAddress[] | Error, asked: unknown[] = []): LookupFunction {
  return (host, options, callback) => {
    asked.push([host, options]);
    setImmediate(() => {
      if (answer instanceof Error) callback(answer, []);
      else callback(null, answer);
    });
  };
}

onEveryReactor((bench) => {
  /** What becomes of a promise, while the reactor is turned. */
  async function outcome<T>(promise: Promise<T>): Promise<PromiseSettledResult<T>> {
    let result: PromiseSettledResult<T> | undefined;
    void Promise.allSettled([promise]).then(([settled]) => {
      result = settled;
    });
    await bench().until(() => result !== undefined, 'the outcome');
    return result as PromiseSettledResult<T>;
  }
  const open = async (options: Parameters<typeof TcpStream.open>[1]) => {
    const settled = await outcome(TcpStream.open(bench().reactor, options));
    if (settled.status === 'fulfilled') bench().track(settled.value);
    return settled;
  };
  const reject = (reason: unknown) => ({ status: 'rejected', reason });

  test('an address', async () => {
    const { port } = bench().listen().address();
    for (const options of [{ address: V4 }, { host: V4 }, { addresses: ['127.0.0.3', V4] }]) {
      const settled = await open({ ...options, port });
      expect(settled).toMatchObject({ value: { connecting: false, remoteAddress: V4 } });
    }
  });

  test('a refused one rejects, and nothing else is told', async () => {
    const listener = TcpListener.listen(bench().reactor, { address: V4 });
    const { port } = listener.address();
    listener.close();
    expect(await open({ address: V4, port })).toEqual(
      reject(expect.objectContaining({ code: 'ECONNREFUSED', port })),
    );
  });

  test('a wrong argument rejects too, and opens nothing', async () => {
    const wrong = [
      {},
      { port: 1, address: 'localhost' },
      { port: 0, address: V4 },
      { port: 1, host: 7 },
      { port: 1, host: V4, address: V4 },
      { port: 1, addresses: [] },
      { port: 1, addresses: [7] },
      { port: 1, host: 'x', lookup: 7 },
      { port: 1, host: 'x', family: 5.5 },
      { port: 1, address: V4, localPort: 7 },
      { port: 1, address: V4, addresses: [V4] },
    ];
    for (const options of wrong) {
      expect(await open(options as never)).toEqual(
        reject(expect.objectContaining({ code: expect.stringMatching(/^ERR_(INVALID|OUT_OF)/) })),
      );
    }
  });

  test('an aborted signal rejects with its reason, before and meanwhile', async () => {
    const reason = new Error('enough');
    const aborted = { address: V4, port: 9, signal: AbortSignal.abort(reason) };
    expect(await open(aborted)).toEqual(reject(reason));
    const controller = new AbortController();
    const { port } = bench().listen().address();
    const opening = open({ address: V4, port, signal: controller.signal });
    controller.abort(reason);
    expect(await opening).toEqual(reject(reason));
  });

  test('a reactor that is closed meanwhile rejects', async () => {
    const { port } = bench().listen().address();
    const opening = TcpStream.open(bench().reactor, { address: V4, port });
    await Promise.resolve();
    bench().reactor.close();
    expect(await Promise.allSettled([opening])).toEqual([
      reject(expect.objectContaining({ code: 'ERR_POLLUX_CLOSED' })),
    ]);
  });

  describe('names', () => {
    test('all addresses of a name, the families taking turns; not on a blocking reactor', async () => {
      const { reactor } = bench();
      const listener = bench().listen({ address: '127.0.0.4' });
      const { port } = listener.address();
      const asked: unknown[] = [];
      const lookup = resolver(
        ['127.0.0.2', '127.0.0.3', '127.0.0.4'].map((address) => ({ address, family: 4 })),
        asked,
      );
      const settled = await open({ host: 'three.example', port, lookup });
      if (reactor.mode === 'blocking') {
        expect(settled).toEqual(reject(expect.objectContaining({ code: 'ERR_POLLUX_BLOCKING' })));
        expect(asked).toEqual([]);
        return;
      }
      expect(asked).toEqual([['three.example', { all: true, family: 0 }]]);
      expect(settled).toMatchObject({ value: { remoteAddress: '127.0.0.4' } });

      const nowhere = TcpListener.listen(reactor, { address: '::' });
      const free = nowhere.address().port;
      nowhere.close();
      const mixed = [
        { address: '::1', family: 6 },
        { address: '::2', family: 6 },
        { address: '127.0.0.2', family: 4 },
        { address: '127.0.0.3', family: 4 },
      ];
      const refused = await open({
        host: 'mixed.example',
        port: free,
        lookup: resolver(mixed),
        attemptDelayMs: 5_000,
      });
      const { errors } = (refused as PromiseRejectedResult).reason as AggregateError;
      expect(errors.map(({ address }) => address)).toEqual([
        '::1',
        '127.0.0.2',
        '::2',
        '127.0.0.3',
      ]);
    });

    test("Node's own resolver: localhost", async ({ skip }) => {
      skip(bench().reactor.mode === 'blocking', REFUSED);
      const { port } = bench().listen().address();
      const settled = await open({ host: 'localhost', port, family: 4 });
      expect(settled).toMatchObject({ value: { remoteAddress: V4 } });
    });

    test('a name that is not known, and a lookup that is not waited for', async ({ skip }) => {
      skip(bench().reactor.mode === 'blocking', REFUSED);
      const unknown = Object.assign(new Error('no such name'), { code: 'ENOTFOUND' });
      expect(await open({ host: 'x', port: 9, lookup: resolver(unknown) })).toEqual(
        reject(unknown),
      );
      const controller = new AbortController();
      const opening = open({ host: 'x', port: 9, lookup: () => {}, signal: controller.signal });
      await bench().idle(5);
      expect(bench().reactor.alive).toBe(true); // it waits for Node
      controller.abort('bored');
      expect(await opening).toEqual(reject('bored'));
      expect(bench().reactor.alive).toBe(false);

      const other = open({ host: 'x', port: 9, lookup: () => {} });
      await bench().idle(5);
      bench().reactor.close();
      expect(await other).toEqual(reject(expect.objectContaining({ code: 'ERR_POLLUX_CLOSED' })));
    });
  });
});
