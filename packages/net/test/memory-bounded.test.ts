// Five thousand bad clients at once, some that never read, some that read a byte at a time, some that
// reset in the middle of a write, over and over. What a server that minds the answer of `write` keeps
// for them is bounded: for each what may wait (`highWaterMark`, and the chunk that went beyond it),
// and nothing once they are gone. Server and clients are processes of their own; what was measured is
// printed.
import { type ChildProcess, fork } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { requires } from '@pollux/testkit';
import { cases, driversOf } from '@pollux/testkit/conformance';
import { afterEach, describe, expect, test } from 'vitest';

/** AddressSanitizer is slow, and keeps what was freed. */
const sanitized = process.env.POLLUX_SANITIZED !== undefined;
const WANTED = sanitized ? 500 : 5000;
/** Descriptors that a process has beside its connections, and a few to spare. */
const OTHER_FDS = 60;
const HIGH_WATER_MARK = 16_384;
const CHUNK = 4096;
const CHUNKS = Math.ceil(HIGH_WATER_MARK / CHUNK);
/** What waits at most: one byte less is too little for `write` to answer false. */
const MOST_QUEUED = HIGH_WATER_MARK - 1 + CHUNK;
/** Beside what waits: the slabs of net (a few hundred KiB), compiled code, V8's own comings and goings. */
const SLACK = 8 << 20;
const RESETS = 3;

interface Counted {
  open: number;
  accepted: number;
  written: number;
}

interface Measured extends Counted {
  bytes: number;
  rss: number;
  queued: number;
  most: number;
  fds: number;
}

interface Up {
  port: number;
  limit: number;
  overhead: number;
  backend: string;
  driver: string;
}

class Child {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<string, (result: unknown) => void>();
  #failed: (error: Error) => void = () => {};
  readonly #ended: Promise<never>;
  readonly up: Promise<unknown>;

  constructor(name: string, args: readonly string[]) {
    const file = fileURLToPath(new URL(`fixtures/${name}.mjs`, import.meta.url));
    this.#process = fork(file, args, { execArgv: ['--expose-gc'] });
    this.#ended = new Promise((_, reject) => {
      this.#failed = reject;
    });
    this.#ended.catch(() => {}); // told to whoever waits for an answer
    this.#process.on('exit', (code, signal) => {
      this.#failed(new Error(`${name} has ended: ${signal ?? code}`));
    });
    this.#process.on('message', ({ done, result }: { done: string; result: unknown }) => {
      this.#waiting.get(done)?.(result);
    });
    this.up = this.#answer('up');
  }

  ask<T>(order: string, details: object = {}): Promise<T> {
    const answer = this.#answer(order);
    this.#process.send({ order, ...details });
    return answer as Promise<T>;
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  #answer(order: string): Promise<unknown> {
    const answer = new Promise((resolve) => this.#waiting.set(order, resolve));
    return Promise.race([answer, this.#ended]);
  }
}

const children: Child[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill();
});

function start(name: string, ...args: string[]): Child {
  const child = new Child(name, args);
  children.push(child);
  return child;
}

/** Asks until it is so. */
async function until<T>(ask: () => Promise<T>, done: (answer: T) => boolean): Promise<T> {
  const deadline = performance.now() + 30_000;
  for (;;) {
    const answer = await ask();
    if (done(answer)) return answer;
    if (performance.now() > deadline) throw new Error(`still ${JSON.stringify(answer)}`);
    await sleep(50);
  }
}

const mb = (bytes: number) => (bytes / 1024 / 1024).toFixed(1).padStart(6);

/** Each backend blocking, and with the best of its drivers. */
const rows = cases.filter(
  ({ backend, way }) => way === 'blocking' || way === driversOf(backend)[0],
);

describe.each(rows)('$backend, $way', ({ backend, way }) => {
  test('bad clients', { timeout: 120_000 }, async () => {
    requires('tcpConnectNarrow');
    const server = start('memory-server', backend, way, `${HIGH_WATER_MARK}`, `${CHUNK}`);
    const peers = start('memory-peers');
    const { port, limit, overhead, ...which } = (await server.up) as Up;
    expect(which).toEqual({ backend, driver: way });
    const lowest = Math.min(limit, (await peers.up) as number);
    const count = Math.min(WANTED, lowest - OTHER_FDS);
    expect(count).toBeGreaterThan(100);
    const each = MOST_QUEUED + CHUNKS * overhead;
    const lines = [
      `${backend}, ${way}: ${count} clients, highWaterMark ${HIGH_WATER_MARK}, chunks of ${CHUNK}`,
    ];
    if (count < WANTED) lines.push(`not ${WANTED}: the limit of open descriptors is ${lowest}`);

    const measure = async (what: string): Promise<Measured> => {
      const seen = await server.ask<Measured>('measure');
      const { bytes, rss, open, queued } = seen;
      const memory = `${mb(bytes)} MiB in use, ${mb(rss)} resident, ${mb(queued)} waiting`;
      lines.push(`${what.padEnd(26)}${`${open}`.padStart(5)} open, ${memory}`);
      return seen;
    };
    const settle = (accepted: number, open: number) =>
      until(
        () => server.ask<Counted>('count'),
        (seen) => seen.accepted === accepted && seen.open === open,
      );
    /** Until nothing has been written for half a second: everybody's buffers are full. */
    const full = async () => {
      let last = -1;
      let since = 0;
      await until(
        () => server.ask<Counted>('count'),
        ({ written }) => {
          if (written !== last) since = performance.now();
          last = written;
          return performance.now() - since > 500;
        },
      );
    };
    const bounded = ({ bytes, rss, most, open }: Measured, idle: Measured, what: string) => {
      const bound = open * each + SLACK;
      expect(most, what).toBeLessThanOrEqual(MOST_QUEUED);
      expect(bytes - idle.bytes, what).toBeLessThan(bound);
      // As much again may be garbage that is not collected yet, or holes that malloc keeps.
      if (!sanitized) expect(rss - idle.rss, what).toBeLessThan(2 * bound);
    };

    const before = await measure('nobody');
    await peers.ask('connect', { port, count });
    await settle(count, count);
    const idle = await measure('connected');
    lines.push(`  ${Math.round((idle.bytes - before.bytes) / count)} bytes for each connection`);
    await server.ask('write');
    await full();
    const stuck = await measure('written to');
    bounded(stuck, idle, 'written to');
    // They were put to the test: almost everybody has something waiting.
    expect(stuck.queued).toBeGreaterThan((count * HIGH_WATER_MARK) / 2);

    const crawled = await peers.ask<number>('crawl', { rounds: 200 });
    expect(crawled).toBeGreaterThan(count);
    bounded(await measure(`${crawled} bytes read`), idle, 'crawling');

    let accepted = count;
    const rude = Math.floor(count / 3);
    for (let n = 0; n < RESETS; n++) {
      await peers.ask('reset', { port });
      accepted += rude;
      await settle(accepted, count);
      await full();
    }
    bounded(await measure(`${RESETS * rude} resets`), idle, 'resets');

    await peers.ask('end');
    await settle(accepted, 0);
    const after = await measure('all gone');
    expect(after.fds).toBe(before.fds);
    expect(after.bytes - before.bytes).toBeLessThan(SLACK);
    lines.push(
      `  bound: ${mb(count * each + SLACK)} MiB above "connected", ${mb(SLACK)} above "nobody"`,
    );
    console.log(lines.join('\n  '));
  });
});
