// Plays one end of a connection by its plan, and checks what it is told on the way: every byte is the
// one that belongs there, nothing comes after the end, nothing but the end comes after a destroy,
// 'close' comes once and last. What only both ends together can tell goes into a report, for
// stream-judge.ts.
import { strict as assert } from 'node:assert';
import type { OwnedFd } from '@pollux/net';
import type { StreamActor, StreamSink } from './actors.js';
import { Dice } from './dice.js';
import { makeParcels } from './parcels.js';
import { fill, keyOf } from './pattern.js';
import { breaks, pieceOf, type Side, type SidePlan, type StreamPlan } from './stream-plan.js';
import { fdKeyOf, StreamReceiver } from './stream-receiver.js';
import { HEADER, makeHeader, type StreamWorld } from './stream-world.js';

/** Messages with descriptors of one end: they cost more than bytes. */
const MOST_PARCELS = 12;
/** As many as one message carries. */
const MOST_FDS = 253;

export class StreamPlayer implements StreamSink {
  readonly plan: StreamPlan;
  readonly side: Side;
  readonly actor: StreamActor;
  readonly #world: StreamWorld;
  readonly #own: SidePlan;
  readonly #halfOpen: boolean;
  readonly #dice: Dice;
  readonly #sendKey: number;
  readonly #ownError = new Error('broken off by plan');
  readonly #receiver: StreamReceiver;
  readonly #errors: string[] = [];
  #reading: SidePlan['reading'];
  #steps = 0;
  #stallUntil = 0;
  #connected = false;
  #sent = 0;
  #parcels = 0;
  #mayWrite = true;
  #awaitsDrain = false;
  /** How many writes were answered with false, less the drains. */
  #owedDrains = 0;
  #ended = false;
  #sawEnd = false;
  #broken = '';
  #sawError = false;
  #closed = false;

  constructor(world: StreamWorld, plan: StreamPlan, side: Side, actor: StreamActor) {
    this.#world = world;
    this.plan = plan;
    this.side = side;
    this.actor = actor;
    this.#own = plan[side];
    this.#halfOpen = side === 'client' ? plan.clientHalfOpen : plan.serverHalfOpen;
    const number = side === 'client' ? 0 : 1;
    this.#dice = new Dice(plan.round, plan.id, number);
    this.#sendKey = keyOf(plan.round, plan.id, number);
    this.#receiver = new StreamReceiver(plan, side);
    this.#reading = this.#own.reading;
    actor.sink = this;
    actor.vary(new Dice(plan.round, plan.id, number, 7));
    const { listenersComeAndGo } = actor.traits;
    if (!listenersComeAndGo && this.#reading === 'once') this.#reading = 'pauses';
    if (this.#reading === 'late' || this.#reading === 'never') {
      if (listenersComeAndGo && this.#dice.once(2)) actor.hear('not');
      else this.#hold();
      this.#stallUntil = this.#dice.between(1, 25);
    } else actor.hear(this.#reading === 'once' ? 'once' : 'always');
    if (side === 'server' || plan.couple) this.#connected = true;
    if (side === 'server') return;
    if (!actor.write(makeHeader(plan.round, plan.id))) this.#owedDrains++;
    if (this.#own.begins === 'at once') this.#guard('begin', () => this.#pump());
  }

  get closed(): boolean {
    return this.#closed;
  }

  get connected(): boolean {
    return this.#connected && this.#broken === '';
  }

  get broken(): boolean {
    return this.#broken !== '';
  }

  /** To be called again and again while the round lasts. */
  step(): void {
    if (this.#closed) return;
    this.#steps++;
    this.#guard('step', () => {
      if (breaks(this.#own) && this.#steps >= this.#own.breakSteps) {
        this.breakOff(this.#own.finish);
        return;
      }
      if (this.#stallUntil > 0 && this.#steps >= this.#stallUntil) this.#readOn();
      this.#pump();
    });
  }

  /** Closes this end before its time. */
  breakOff(how: string): void {
    if (this.#closed || this.#broken !== '') return;
    this.#world.say(`${this} breaks off: ${how}`);
    this.#broken = how;
    this.#mayWrite = false;
    // A reset of what is not there yet is node:net's to define.
    if (how === 'reset' && this.#connected) this.actor.reset();
    else this.actor.destroy(how === 'destroy with error' ? this.#ownError : undefined);
  }

  toString(): string {
    return `connection ${this.plan.id} ${this.side} (${this.actor.kind})`;
  }

  /** All there is to know, for a failure. */
  describe(): string {
    const state = {
      sent: `${this.#sent}/${this.#own.total}`,
      received: this.#receiver.received,
      parcels: `${this.#parcels} sent, ${this.#receiver.parcels} received`,
      ended: this.#ended,
      sawEnd: this.#sawEnd,
      awaitsDrain: this.#awaitsDrain,
      broken: this.#broken,
      reading: this.#reading,
      steps: this.#steps,
      halfOpen: this.#halfOpen,
    };
    return `${this}: ${JSON.stringify(state)}; actor ${this.actor}; plan ${JSON.stringify(this.#own)}`;
  }

  // What the actor tells.

  onConnect(): void {
    this.#event('connect', () => {
      assert.equal(this.side, 'client');
      assert.ok(!this.#connected, 'a second connect');
      this.#connected = true;
      if (this.#own.mischief > 0 && this.#dice.once(4)) this.#world.connected(this.plan.id);
      this.#pump();
    });
  }

  /** They came before it was known whose they are. */
  takeFds(fds: readonly OwnedFd[]): void {
    this.#guard('fds', () => this.#receiver.takeFds(fds));
    this.#world.count('fds');
  }

  onFds(fds: readonly OwnedFd[]): void {
    this.#event('fds', () => {
      assert.ok(!this.#sawEnd, 'descriptors after end');
      this.#receiver.takeFds(fds);
    });
    for (const fd of fds) fd.close();
  }

  onData(data: Buffer, lent = false): void {
    this.#event('data', () => {
      assert.ok(!this.#sawEnd, 'data after end');
      assert.ok(data.length > 0, 'data of no bytes');
      this.#world.count('bytes', this.#receiver.take(data, lent));
      if (lent) this.#world.count('lent');
      this.#readAsPlanned();
      if (breaks(this.#own) && this.#sent + this.#receiver.received >= this.#own.breakBytes) {
        this.breakOff(this.#own.finish);
      } else if (this.#dice.once(2)) this.#pump();
    });
  }

  onEnd(): void {
    this.#event('end', () => {
      assert.ok(!this.#sawEnd, 'a second end');
      this.#sawEnd = true;
      if (this.#halfOpen) this.#pump();
      else {
        if (this.actor.traits.lastWords && this.#dice.once(2)) this.#pump();
        this.#mayWrite = false;
      }
    });
  }

  onDrain(): void {
    this.#event('drain', () => {
      assert.ok(this.#owedDrains-- > 0, 'a drain, and no write was answered with false');
      this.#awaitsDrain = false;
      this.#pump();
    });
  }

  onError(error: Error & { code?: string }): void {
    // An error may have been on its way when this end was broken off.
    this.#event(
      'error',
      () => {
        assert.ok(!this.#sawError, `a second error: ${error}`);
        this.#sawError = true;
        this.#mayWrite = false;
        if (error === this.#ownError) assert.equal(this.#broken, 'destroy with error');
        else this.#errors.push(error.code ?? String(error));
      },
      true,
    );
  }

  onClose(hadError: boolean): void {
    this.#event(
      'close',
      () => {
        this.#closed = true;
        this.#mayWrite = false;
        assert.equal(hadError, this.#sawError, 'hadError');
        this.#receiver.lookAgain();
        this.#checkCounts();
        this.#world.closed({
          id: this.plan.id,
          side: this.side,
          kind: this.actor.kind,
          sent: this.#sent,
          received: this.#receiver.received,
          parcelsSent: this.#parcels,
          parcelsReceived: this.#receiver.parcels,
          broken: this.#broken,
          sawEnd: this.#sawEnd,
          errors: this.#errors,
        });
      },
      true,
    );
  }

  /** Every event: it may come, it is as it should be, and then comes the mischief. */
  #event(name: string, body: () => void, evenIfBroken = false): void {
    const sound = this.#guard(name, () => {
      assert.ok(!this.#closed, `${name} after close`);
      if (this.#broken !== '' && !evenIfBroken && !this.actor.traits.quiet) return;
      assert.ok(evenIfBroken || this.#broken === '', `${name} after ${this.#broken}`);
      this.#world.count(this.actor.traits.ours ? name : 'theirs');
      body();
      if (this.#dice.once(this.#own.mischief)) this.#meddle();
    });
    if (sound && this.actor.traits.throws && this.#dice.once(this.#own.throws)) {
      throw this.#world.makePlanned();
    }
  }

  #guard(what: string, body: () => void): boolean {
    try {
      body();
      return true;
    } catch (error) {
      (error as Error).message = `${what} of ${this.describe()}\n    ${(error as Error).message}`;
      this.#world.failed(error);
      return false;
    }
  }

  // Reading.

  #readAsPlanned(): void {
    const { actor } = this;
    const dice = this.#dice;
    const later = () => {
      if (!this.#closed) this.#readOn();
    };
    switch (this.#reading) {
      case 'pauses':
        if (!dice.once(3)) return;
        actor.pause();
        dice.pick([
          () => actor.resume(),
          () => process.nextTick(later),
          () => queueMicrotask(later),
          () => this.#stall(dice.between(1, 3)),
        ])();
        return;
      case 'stalls':
        if (!dice.once(5)) return;
        actor.pause();
        this.#stall(dice.between(5, 40));
        return;
      case 'once':
        dice.pick([
          () => actor.hear('once'),
          () => process.nextTick(later),
          () => queueMicrotask(later),
          () => this.#stall(1),
        ])();
        return;
      default:
    }
  }

  /** Reads on by itself after so many steps. */
  #stall(steps: number): void {
    this.#stallUntil = this.#steps + steps;
  }

  /** Not until it is told to read on. */
  #hold(): void {
    if (this.#reading === 'never' && !this.actor.traits.listenersComeAndGo) this.actor.hear('not');
    else this.actor.hear('always');
    this.actor.pause();
    if (this.#reading === 'late') this.#reading = 'stalls';
  }

  #readOn(): void {
    this.#stallUntil = 0;
    if (this.#reading === 'never' || this.#broken !== '') return;
    if (this.#reading === 'once') this.actor.hear('once');
    else if (this.#reading === 'late') {
      this.#reading = 'flow';
      this.actor.hear('always');
    } else this.actor.resume();
  }

  #checkCounts(): void {
    const counted = this.actor.counted();
    if (counted === undefined || this.#broken !== '' || this.#sawError) return;
    const [out, back] = this.side === 'client' ? [HEADER, 0] : [0, this.#receiver.headLength];
    assert.deepEqual(counted, { read: this.#receiver.received + back, written: this.#sent + out });
  }

  // Writing.

  #pump(): void {
    const own = this.#own;
    if (!this.#mayWrite || this.#ended || (own.obeys && this.#awaitsDrain)) return;
    if (own.begins === 'connected' && !this.#connected) return;
    if (own.begins === 'later' && this.#steps < 5) return;
    if (own.begins === 'after end' && !this.#sawEnd) return;
    for (let n = this.#dice.between(1, 4); n > 0 && this.#mayWrite; n--) {
      const left = own.total - this.#sent;
      const length = pieceOf(own, left, this.#dice);
      // Also out of the middle of a larger one.
      const from = this.#dice.below(3);
      const piece = Buffer.allocUnsafe(from + length).subarray(from);
      fill(piece, this.#sendKey, this.#sent);
      const last = length === left;
      if (last && own.finish === 'end with data') {
        this.#sent += length;
        this.#end(piece);
        return;
      }
      if (left > 0) {
        const carries = length > 0 && this.plan.passesFds && this.#dice.once(own.fds);
        const before = this.#sent;
        this.#sent += length;
        if (!(carries ? this.#sendFds(piece, before) : this.actor.write(piece))) {
          this.#owedDrains++;
          this.#awaitsDrain = true;
        }
      }
      if (last) {
        if (own.finish === 'end' || (own.finish === 'follow' && this.#sawEnd)) this.#end();
        return;
      }
      if (own.obeys && this.#awaitsDrain) return;
    }
  }

  #sendFds(piece: Buffer, before: number): boolean {
    if (this.#parcels === MOST_PARCELS) return this.actor.write(piece);
    const count = this.#dice.once(40) ? MOST_FDS : this.#dice.between(1, 4);
    const at = before + (this.side === 'client' ? HEADER : 0);
    const from = fdKeyOf(this.plan, this.side);
    const parcels = makeParcels(from, this.#parcels++, count, at);
    try {
      return this.actor.sendFds(piece, parcels.fds);
    } finally {
      parcels.close();
    }
  }

  #end(piece?: Buffer): void {
    // From now on what nobody listens for is dropped.
    if (this.#reading === 'once' || this.#reading === 'late') {
      this.#reading = 'flow';
      this.actor.hear('always');
    }
    this.#ended = true;
    this.#mayWrite = false;
    // What its write would have answered nobody knows.
    if (piece !== undefined) this.#owedDrains++;
    this.actor.end(piece);
  }

  // Things that should not matter.

  #meddle(): void {
    const dice = this.#dice;
    const pump = () => {
      if (!this.#closed) this.#guard('pump', () => this.#pump());
    };
    switch (dice.below(7)) {
      case 0:
        this.actor.chatter();
        return;
      case 1:
        process.nextTick(pump);
        return;
      case 2:
        queueMicrotask(pump);
        return;
      case 3:
        setImmediate(pump);
        return;
      case 4:
        if (this.#reading !== 'flow') return;
        this.actor.pause();
        this.actor.resume();
        return;
      default:
        this.#world.meddle(dice);
    }
  }
}
