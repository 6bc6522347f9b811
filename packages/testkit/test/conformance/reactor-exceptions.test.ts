// What a callback throws, or what it queued throws, goes where Node's would: to uncaughtException if
// somebody listens, and then the rest of the batch is delivered and the loop goes on; else the process
// dies with code 1, and a worker emits 'error'. Each in a process of its own.
import { cases } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { type Ended, runFixture } from './reactor-support.js';

const places = [
  'watcher',
  'timeout',
  'timer',
  'deferred',
  'hook',
  'prepare',
  'idle',
  'batch',
  'stream',
  'abort',
  'nextTick',
  'promise',
  'microtask',
];
/** What is thrown there rejects a promise. */
const rejections = ['promise', 'stream'];

interface Line {
  seen?: string;
  origin?: string;
  called?: number | string;
  store?: string;
}

describe.each(cases)('$backend, $way', ({ backend, way }) => {
  const run = async (...args: string[]): Promise<Ended> => {
    const ended = await runFixture('reactor-exceptions', [backend, way, ...args]);
    expect(ended.said[0]).toEqual({ backend, driver: way });
    return ended;
  };
  const lines = (ended: Ended): Line[] => ended.said.slice(1) as Line[];

  /**
   * Each of three was called in its own store and its error seen before the next was called. In which
   * order descriptors that are ready together come is the kernel's affair.
   */
  const expectAllSeen = (ended: Ended, origin: string | undefined): void => {
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
    const order = lines(ended).flatMap(({ called }) =>
      typeof called === 'number' ? [called] : [],
    );
    expect(order.toSorted()).toEqual([1, 2, 3]);
    const expected = order.flatMap((n): Line[] => [
      { called: n, store: `store ${n}` },
      { seen: `boom ${n}`, ...(origin === undefined ? {} : { origin }) },
    ]);
    expect(lines(ended)).toEqual([
      ...expected,
      // The loop goes on, and the async context is whole.
      { called: 'quiet', store: 'quiet' },
      { called: 'quiet, later', store: 'quiet' },
    ]);
  };

  test.concurrent.each(places)('somebody listens: %s', async (place) => {
    const ended = await run('uncaughtException', place);
    expectAllSeen(ended, rejections.includes(place) ? 'unhandledRejection' : 'uncaughtException');
  });

  test.concurrent.each(['watcher', 'timeout', 'stream', 'nextTick', 'promise'])(
    'somebody listens, while async_hooks are in use: %s',
    async (place) => {
      const ended = await run('uncaughtException', place, 'hooks');
      expectAllSeen(ended, rejections.includes(place) ? 'unhandledRejection' : 'uncaughtException');
    },
  );

  test.concurrent('a nextTick throws: the rest of what its callback queued runs before the next', async () => {
    const ended = await runFixture('reactor-throwing-tick', [backend, way]);
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
    expect(ended.said).toEqual([
      { backend, driver: way },
      ...['first', 'second', 'third'].flatMap((name) => [
        `${name} called`,
        `${name} throws`,
        `${name} nextTick`,
        `${name} throws again`,
        `${name} promise`,
      ]),
    ]);
  });

  test.concurrent.each(rejections)('somebody listens to unhandledRejection: %s', async (place) => {
    expectAllSeen(await run('unhandledRejection', place), undefined);
  });

  test.concurrent.each(places)('nobody listens: %s', async (place) => {
    const ended = await run('nobody', place);
    expect(ended).toMatchObject({ code: 1, signal: null });
    const n = lines(ended)[0]?.called;
    expect(ended.stderr).toContain(`Error: boom ${n}`);
    expect(lines(ended)).toEqual([{ called: n, store: `store ${n}` }]);
  });

  test.concurrent('nobody listens, in a worker', async () => {
    const inWorker = ['watcher', 'timeout', 'timer', 'deferred', 'stream', 'nextTick', 'promise'];
    const ended = await runFixture('reactor-worker-errors', [backend, way, ...inWorker]);
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
    const said = ended.said as { messages: Line[] }[];
    expect(said).toEqual(
      inWorker
        // Not microtask: after an error there a worker of Node's goes on for a moment.
        .map((place, i) => {
          const n = said[i]?.messages[1]?.called;
          return {
            place,
            code: 1,
            errors: [`boom ${n}`],
            messages: [
              { backend, driver: way },
              { called: n, store: `store ${n}` },
            ],
          };
        }),
    );
  });
});
