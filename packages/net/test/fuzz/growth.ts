// What must not grow from round to round: descriptors, what holds Node's loop, threads, memory that
// is still in use after a collection.
import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { openFds, threadCount } from '@pollux/testkit';

/** Every so many rounds of each row memory is measured. */
const EVERY = 4;
/** Measurements until code is compiled and caches are full. */
const WARM_UP = 4;
/**
 * What a round may leave on average, beyond this no more than noise: the smallest thing that net
 * keeps per socket with a buffer of its own, a slab, is 64 KiB, and a round has dozens of sockets.
 */
const PER_ROUND = 8 * 1024;
const NOISE = 6 * 1024 * 1024;

interface Sample {
  readonly round: number;
  readonly bytes: number;
}

export class Growth {
  readonly #rows: number;
  readonly #samples: Sample[] = [];
  #fds: readonly number[] | undefined;
  #holds = 0;
  #threads = 0;

  constructor(rows: number) {
    this.#rows = rows;
  }

  /** To be called after every round. */
  async look(round: number): Promise<void> {
    // The first round of each row opens what is opened once.
    if (round < this.#rows) {
      await sleep(20);
      this.#fds = undefined;
      return;
    }
    if (this.#fds === undefined) {
      await sleep(100);
      this.#fds = openFds();
      this.#holds = process.getActiveResourcesInfo().length;
      this.#threads = threadCount();
    }
    await this.#settle();
    if (round % (EVERY * this.#rows) === 0) await this.#measure(round);
  }

  /** Node closes some of its handles a little later, and so do threads end. */
  async #settle(): Promise<void> {
    const before = this.#fds as readonly number[];
    const left = () => ({
      fds: openFds().filter((fd) => !before.includes(fd)),
      holds: Math.max(0, process.getActiveResourcesInfo().length - this.#holds),
      threads: Math.max(0, threadCount() - this.#threads),
    });
    const none = { fds: [], holds: 0, threads: 0 };
    const until = performance.now() + 3000;
    for (;;) {
      const now = left();
      if (now.fds.length + now.holds + now.threads === 0) return;
      if (performance.now() > until) {
        const info = process.getActiveResourcesInfo().join(', ');
        assert.deepEqual(now, none, `a round left something open; Node has ${info}`);
      }
      await sleep(2);
    }
  }

  async #measure(round: number): Promise<void> {
    for (let n = 0; n < 3; n++) {
      await sleep(1);
      globalThis.gc?.();
    }
    const { heapUsed, external } = process.memoryUsage();
    this.#samples.push({ round, bytes: heapUsed + external });
  }

  /** Throws if memory grows with the rounds. */
  judge(): void {
    const [first, ...others] = this.#samples.slice(WARM_UP);
    const last = others.at(-1);
    if (first === undefined || last === undefined) return;
    const bound = NOISE + PER_ROUND * (last.round - first.round);
    const grown = last.bytes - first.bytes;
    assert.ok(
      grown <= bound,
      `memory in use grew by ${grown} bytes in ${last.round - first.round} rounds`,
    );
  }

  toString(): string {
    const last = this.#samples.at(-1);
    const first = this.#samples[Math.min(WARM_UP, this.#samples.length - 1)];
    if (last === undefined || first === undefined) return `${openFds().length} descriptors`;
    const mb = (bytes: number) => (bytes / 1024 / 1024).toFixed(1);
    const memory = `${mb(last.bytes)} MiB in use, ${mb(first.bytes)} at round ${first.round}`;
    return `${openFds().length} descriptors, ${memory}`;
  }
}
