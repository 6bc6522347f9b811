// One round: a reactor, sockets of both kinds on it and beside it, a few dozen connections and flows
// of datagrams all at once, until everything is over; then what is left is closed and judged.
import { strict as assert } from 'node:assert';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DriverName, Reactor } from '@pollux/core';
import type { Place } from './actors.js';
import { coupleKits } from './actors-couples.js';
import { NodeDatagramKit, NodeStreams } from './actors-node.js';
import { PolluxStreams } from './actors-pollux.js';
import { Echoes, PolluxDatagramKit } from './actors-pollux-datagrams.js';
import { Datagrams } from './datagrams.js';
import { Dice } from './dice.js';
import { pathMaker } from './paths.js';
import { Relay } from './relay.js';
import { makePlan, type StreamPlan } from './stream-plan.js';
import { type Abroad, Streams } from './streams.js';
import type { Tally } from './tally.js';
import { UnixDatagrams } from './unix-datagrams.js';

/** Where a round runs: a backend, and who waits. */
export interface Row {
  readonly backend: string;
  readonly way: 'blocking' | DriverName;
}

/** The other process, as a round sees it. */
export interface Neighbour extends Abroad {
  /** Ports that send every datagram back. */
  readonly echoes: readonly number[];
  /** Begins a round there, and ends it: everything there is closed then. */
  begin(round: number, streams: Streams, failed: (error: Error) => void): void;
  end(): Promise<void>;
}

const newPath = pathMaker();
const POISON = process.env.POLLUX_POISON ? ' --poison' : '';
/** Counted within events, or of those who are not on the reactor. */
const NOT_OURS = ['bytes', 'lent', 'theirs', 'finish', 'unix fds', 'fds relayed', 'segments'];
const COUPLES = ['pair', 'adopted', 'tcp-adopted', 'half-adopted'];

/** Longer than anything takes, also on a busy machine, if it goes on at all. */
const QUIET_MS = 8_000;
/** A hundred times what a round takes. */
const LONGEST_MS = 60_000;
const KEPT_LINES = 60;

/** An error that a callback throws by plan. */
class Planned extends Error {}

function makeReactor({ backend, way }: Row): Reactor {
  const common = { backend, ignoreEnvironment: true } as const;
  const reactor =
    way === 'blocking'
      ? new Reactor({ ...common, mode: 'blocking' })
      : new Reactor({ ...common, mode: 'attached', driver: way });
  assert.equal(reactor.backend, backend);
  assert.equal(reactor.driver, way);
  return reactor;
}

export class Round {
  readonly #row: Row;
  readonly #tally: Tally;
  readonly #seed: number;
  readonly #dice: Dice;
  readonly #neighbour: Neighbour | undefined;
  readonly #reactor: Reactor;
  readonly #streams: Streams;
  readonly #datagrams: Datagrams;
  readonly #unixDatagrams: UnixDatagrams;
  readonly #echoes: Echoes;
  readonly #lines: string[] = [];
  readonly #planned = new Set<Error>();
  /** Rises whenever anybody is told anything: a round in which it does not is stuck. */
  #progress = 0;
  /** Steps until the reactor is closed in the middle of everything. */
  readonly #breaksAfter: number;
  #steps = 0;
  /** Or a callback does so. */
  readonly #closesWithin: boolean;
  #failure: Error | undefined;
  #thrown = 0;

  constructor(row: Row, seed: number, tally: Tally, neighbour: Neighbour | undefined) {
    this.#tally = tally;
    this.#row = row;
    this.#seed = seed;
    this.#neighbour = neighbour;
    this.#dice = new Dice(seed);
    const dice = this.#dice;
    this.#reactor = makeReactor(row);
    const wild = dice.once(2);
    const count = dice.below(4) === 0 ? 0 : dice.between(1, 40);
    const plans = Array.from({ length: count }, (_, id) => this.#plan(id, wild));
    tally.count('connections', plans.length);
    const world = {
      say: (line: string) => this.#say(line),
      count: (what: string, by?: number) => {
        const ours = !NOT_OURS.includes(what);
        assert.ok(!this.#reactor.closed || !ours, `${what}, and the reactor is closed`);
        assert.ok(!this.#reactor.stopped || !ours, `${what}, and the reactor is stopped`);
        this.#progress++;
        tally.count(what, by);
      },
      failed: (error: unknown) => this.#failed(error),
      makePlanned: () => this.#makePlanned(),
      alive: () => !this.#reactor.closed,
      meddle: (by: Dice) => this.#meddle(by),
    };
    const reactor = this.#reactor;
    const streamKits = [
      ...[new PolluxStreams(reactor), new NodeStreams()],
      ...[new PolluxStreams(reactor, newPath), new NodeStreams(newPath)],
    ];
    const relay = (plan: StreamPlan, target: Place) =>
      new Relay({
        ...{ reactor, target, world, dice: new Dice(seed, -8, plan.id) },
        path: plan.clientKind.startsWith('unix') ? newPath() : undefined,
        passesFds: plan.passesFds,
        mischief: wild ? dice.pick([0, 5, 30]) : 0,
      });
    const throws = wild ? new Dice(seed, -3) : undefined;
    this.#streams = new Streams(world, streamKits, {
      ...{ plans, throws, abroad: neighbour, relay },
      couples: coupleKits(reactor),
    });
    const datagramKits = [new PolluxDatagramKit(reactor), new NodeDatagramKit()];
    const scene = () => ({ round: seed, wild, count: dice.once(4) ? 0 : dice.between(1, 12) });
    this.#echoes = new Echoes(reactor, world.failed);
    const echoes = [...(neighbour?.echoes ?? []), ...this.#echoes.ports];
    this.#datagrams = new Datagrams(world, datagramKits, scene(), echoes);
    this.#unixDatagrams = new UnixDatagrams(world, reactor, newPath, scene());
    this.#breaksAfter = dice.once(12) ? dice.below(60) : Number.POSITIVE_INFINITY;
    this.#closesWithin = dice.once(12);
    this.#neighbour?.begin(seed, this.#streams, (error) => this.#failed(error));
  }

  #plan(id: number, wild: boolean): StreamPlan {
    const dice = this.#dice;
    if (dice.once(6)) {
      const couple = dice.pick(COUPLES);
      return makePlan(this.#seed, id, { client: [], server: [], couple }, wild);
    }
    const unix = dice.once(2);
    const [ours, theirs, away] = unix
      ? (['unix', 'unix-node', 'unix-abroad'] as const)
      : (['pollux', 'node', 'abroad'] as const);
    const all = [ours, theirs, ...(this.#neighbour === undefined ? [] : [away])];
    // One end at least is ours.
    const kinds = dice.once(2) ? { client: [ours], server: all } : { client: all, server: [ours] };
    return makePlan(this.#seed, id, kinds, wild);
  }

  /** Does something to somebody else, or to all, in the middle of a callback. */
  #meddle(dice: Dice): void {
    const reactor = this.#reactor;
    if (reactor.closed || reactor.stopped) return;
    const what = dice.below(8);
    if (what === 0) {
      this.#tally.count('stops');
      reactor.stop();
    } else if (what === 1 && this.#closesWithin) {
      this.#tally.count('closed within');
      reactor.close();
    } else this.#streams.meddle(dice);
  }

  /** Plays it to its end; throws what was wrong. */
  async run(): Promise<void> {
    const streams = this.#streams;
    const datagrams = this.#datagrams;
    const unixDatagrams = this.#unixDatagrams;
    const onUncaught = (error: Error) => this.#caught(error);
    process.on('uncaughtException', onUncaught);
    try {
      await this.#until(
        () => this.#breaks || (streams.done && datagrams.done && unixDatagrams.done),
        () => {
          this.#steps++;
          streams.step();
          datagrams.step();
          unixDatagrams.step();
        },
      );
      if (!this.#breaks) await this.#finish();
      else await this.#abandon();
      assert.deepEqual(newPath.left(), [], 'files of Unix sockets are left');
    } catch (error) {
      throw this.#tell(error as Error);
    } finally {
      process.off('uncaughtException', onUncaught);
    }
  }

  get #breaks(): boolean {
    return this.#reactor.closed || this.#steps >= this.#breaksAfter;
  }

  /** Everything is over: closes what is left, and judges. */
  async #finish(): Promise<void> {
    const streams = this.#streams;
    const datagrams = this.#datagrams;
    this.#say('closing');
    streams.close(this.#dice);
    datagrams.close();
    this.#unixDatagrams.close();
    this.#echoes.close();
    await this.#until(
      () =>
        this.#reactor.closed ||
        (streams.settled && datagrams.settled && this.#unixDatagrams.settled),
      () => streams.step(),
    );
    // By a callback of the last ones.
    if (this.#reactor.closed) {
      await this.#abandon();
      return;
    }
    await this.#neighbour?.end();
    streams.judge();
    // A throw in the last callback is on its way.
    await this.#until(
      () => this.#planned.size === 0,
      () => {},
    );
    this.#reactor.close();
  }

  /** Closes the reactor first: nobody on it is called any more, and yet nothing stays open. */
  async #abandon(): Promise<void> {
    this.#tally.count('abandoned');
    this.#reactor.close();
    this.#streams.abandon();
    this.#datagrams.abandon();
    this.#unixDatagrams.abandon();
    const over = () => this.#streams.abandonedByAll && this.#datagrams.abandonedByAll;
    await this.#until(over, () => {});
    await this.#neighbour?.end();
    await sleep(1);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #until(done: () => boolean, step: () => void): Promise<void> {
    let seen = -1;
    const begun = performance.now();
    let since = begun;
    while (!done()) {
      if (this.#failure !== undefined) throw this.#failure;
      const now = performance.now();
      if (this.#progress !== seen) {
        seen = this.#progress;
        since = now;
      }
      // A poller that reports and reports is not taken for life.
      const stuck = now - since > QUIET_MS ? 'nothing has happened for long' : '';
      const endless = now - begun > LONGEST_MS ? 'it goes on and on' : '';
      if (stuck || endless) {
        const open = [this.#streams, this.#datagrams, this.#unixDatagrams]
          .map((each) => each.describe())
          .join('\n    ');
        throw new Error(`${stuck || endless}; still open\n    ${open}`);
      }
      const before = this.#progress;
      step();
      await this.#turn(before !== this.#progress || this.#dice.once(2));
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Lets the reactor and Node's loop go round. */
  #turn(busy: boolean): Promise<unknown> {
    const reactor = this.#reactor;
    if (this.#row.way !== 'blocking' || reactor.closed) {
      // Stopped by a callback: goes on later.
      if (!reactor.closed && reactor.stopped && this.#dice.once(2)) void reactor.run();
      return busy ? new Promise((resolve) => setImmediate(resolve)) : sleep(1);
    }
    // In a macrotask of its own: a promise's would not drain others.
    return new Promise<void>((resolve, reject) => {
      setImmediate(() => {
        try {
          // Not if it was closed meanwhile.
          if (!reactor.closed) reactor.turn(busy ? 0 : 1);
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  #say(line: string): void {
    this.#progress++;
    this.#lines.push(line);
    if (this.#lines.length > 2 * KEPT_LINES) this.#lines.splice(0, KEPT_LINES);
  }

  #failed(error: unknown): void {
    this.#failure ??= error as Error;
  }

  #makePlanned(): Error {
    const error = new Planned(`thrown by plan, ${this.#thrown++}`);
    this.#planned.add(error);
    return error;
  }

  #caught(error: Error): void {
    this.#progress++;
    if (this.#planned.delete(error)) {
      this.#tally.count('exceptions');
      return;
    }
    if (error instanceof Planned) error.message += ', reported twice';
    this.#failed(error);
  }

  #tell(error: Error): Error {
    const { backend, way } = this.#row;
    const again = `npm run fuzz:net -- --seed ${this.#seed} --backend ${backend} --mode ${way} --rounds 1${POISON}`;
    error.message = `${error.message}\n  before:\n    ${this.#lines.slice(-KEPT_LINES).join('\n    ')}\n  again: ${again}`;
    return error;
  }
}
