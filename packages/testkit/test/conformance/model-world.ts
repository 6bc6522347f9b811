// One run of the test by model: a reactor, some descriptors, and a long row of random things done to
// both, most of them inside callbacks. A prepare and a check hook, which come around in each turn,
// tell where a turn begins and ends; a watcher of a pipe that is always readable keeps the turns
// coming, and by the count of events a turn knows whether the poller was asked.
import { strict as assert } from 'node:assert';
import { type Budget, Events, Interest, type Reactor } from '@pollux/core';
import { ManualClock } from '@pollux/core/testing';
import { pipe, write } from '@pollux/testkit';
import { type Case, DrivenReactor, type Scene } from '@pollux/testkit/conformance';
import { Dice } from './model-dice.js';
import { Files } from './model-files.js';
import { type TimerModel, TimerModels } from './model-timers.js';
import { type WatcherModel, WatcherModels } from './model-watchers.js';

const phases = ['check', 'ready', 'timers', 'deferred', 'between'] as const;
type Phase = (typeof phases)[number];

/** How much of the story is told with a failure. */
const KEPT_LINES = Number(process.env.POLLUX_TEST_LINES ?? 60);

export class World {
  readonly dice: Dice;
  readonly clock: ManualClock = new ManualClock();
  readonly row: Case;
  readonly reactor: Reactor;
  readonly files: Files;
  readonly watchers: WatcherModels;
  readonly timers: TimerModels = new TimerModels();
  deferred: string[] = [];
  /** Whether priorities are in use. */
  readonly ranked: boolean;
  /** Stopped or closed: nobody is to be called. */
  halted = false;
  closed = false;
  /** Turns so far, and what they were for. */
  turns = 0;
  calls = 0;
  failure: Error | undefined;
  readonly #budget: Budget;
  readonly #lines: string[] = [];
  readonly #act: () => void;
  readonly #thread: boolean;
  #turnOpen = false;
  #phase = 0;
  #turnNow = 0;
  #timersNow = 0;
  #deferredDue = 0;
  /** The timer of a stop is due: only those before it may still come. */
  #stopDue = false;
  #events = 0;
  #rebuilds = 0;
  #armed = false;

  /** `act` does something at random; it is called inside callbacks and between turns. */
  constructor(row: Case, seed: number, scene: Scene, act: (world: World) => void) {
    this.row = row;
    this.dice = new Dice(seed);
    this.#act = () => act(this);
    this.#thread = row.way === 'thread';
    this.ranked = this.dice.once(2);
    this.#budget = this.dice.pick([{}, {}, { callbacks: 1 + this.dice.below(4) }, { timeMs: 1 }]);
    const driven = new DrivenReactor(row, { clock: this.clock, budget: this.#budget });
    scene.defer(() => driven.close());
    this.reactor = driven.reactor;
    const callbacks = this.#budget.callbacks ?? Number.POSITIVE_INFINITY;
    const watchers = new WatcherModels(row, callbacks);
    this.watchers = watchers;
    this.files = new Files(scene, this.dice, 3 + this.dice.below(5), (file, change) => {
      const slots = this.files.slotsOf(file);
      watchers.changing(slots, () => this.files.note(slots), change);
      watchers.news(file);
    });
    const [reader, writer] = scene.fds.trackAll(pipe());
    write(writer, 'x');
    const steady = () => this.guard('steady', () => this.#steady());
    this.reactor.watch(reader, Interest.readable, steady, { priority: -2 }).unref();
    this.reactor.prepare(() => this.guard('prepare', () => this.#prepare()));
    this.reactor.check(() => this.guard('check', () => this.#check()));
  }

  /** Does something that may find a mistake, and keeps the first. */
  guard(what: string, body: () => void): void {
    if (this.failure !== undefined) return;
    if (what !== 'steady') this.#lines.push(`${this.turns}: ${what}`);
    try {
      if (this.closed) throw new Error(`${what} is called after close`);
      body();
    } catch (error) {
      this.failure = error as Error;
      this.failure.message += `\n  ${this.#lines.slice(-KEPT_LINES).join('\n  ')}`;
      // For a runSync that is under way.
      if (!this.reactor.closed) this.reactor.stop();
    }
  }

  say(line: string): void {
    this.#lines.push(`    ${line}`);
  }

  // What the callbacks do.

  onWatcher(model: WatcherModel, events: number): void {
    this.guard(`${model.name} called with ${events}`, () => {
      const { watchers } = this;
      if (events === Events.timeout) {
        this.#enter('timers', this.#stopDue);
        watchers.timedOut(model, this.#turnNow, this.clock.now());
        this.#act();
        this.#lookForStop();
      } else {
        this.#enter('ready');
        watchers.called(model, events, this.#turnNow);
        this.#act();
        this.#lookAtBudget();
      }
    });
  }

  onTimer(model: TimerModel): void {
    this.guard(`${model.name} called`, () => {
      this.#enter('timers');
      this.timers.called(model, this.#timersNow);
      this.#act();
      this.#lookForStop();
    });
  }

  onDeferred(name: string): void {
    this.guard(`${name} called`, () => {
      this.#enter('deferred');
      assert.equal(this.deferred.shift(), name, 'deferred calls out of order');
      assert.ok(--this.#deferredDue >= 0, `${name} is called in the turn it was deferred in`);
      this.#act();
    });
  }

  #steady(): void {
    this.#enter('ready');
    this.watchers.count();
    this.#lookAtBudget();
  }

  // The turn.

  /** To be called when no callback is under way: a turn that ended is looked at as a whole. */
  between(): void {
    if (!this.#turnOpen) return;
    this.#enter('between', true);
    this.#turnOpen = false;
    this.#stopDue = false;
    if (this.halted) this.timers.stopped();
    this.#agree();
  }

  /** Whatever stopped it, it is started again, or will be by what is called next. */
  restart(): void {
    this.between();
    this.halted = false;
  }

  #prepare(): void {
    this.between();
    this.#act();
    if (this.#armed) return;
    this.#armed = true;
    this.files.look();
    this.watchers.armed(this.files.slots);
  }

  #check(): void {
    this.between();
    this.turns++;
    this.#turnOpen = true;
    this.#phase = 0;
    this.#turnNow = this.clock.now();
    assert.equal(this.reactor.now, this.#turnNow);
    const { events, rebuilds } = this.reactor.stats();
    const harvested = events > this.#events;
    if (harvested) {
      this.#events = events;
      this.#armed = false;
      if (!this.#thread) this.files.look();
    }
    this.watchers.collect(harvested, this.#turnNow);
    // Made anew, an edge-triggered set may report once more than it need.
    if (rebuilds > this.#rebuilds) {
      for (const { file } of this.files.slots) if (file !== undefined) this.watchers.news(file);
    }
    this.#rebuilds = rebuilds;
    assert.ok(!this.halted, 'a check hook is called while stopped');
    this.#act();
  }

  /** A callback of this phase: those before it are over. */
  #enter(phase: Phase, evenIfHalted = false): void {
    this.calls++;
    assert.ok(!this.halted || evenIfHalted, 'called while stopped');
    assert.ok(this.#turnOpen, 'called outside a turn');
    const wanted = phases.indexOf(phase);
    assert.ok(wanted >= this.#phase, `called after the ${phases[this.#phase]}`);
    while (this.#phase < wanted) this.#leave(phases[this.#phase++] as Phase);
  }

  #leave(phase: Phase): void {
    if (phase === 'ready') {
      if (!this.halted) this.watchers.served();
      this.#timersNow = this.clock.now();
      this.timers.begin(this.#timersNow);
      if (!this.halted) this.#lookForStop();
    }
    if (phase === 'timers') {
      if (!this.halted) {
        this.timers.done();
        this.watchers.timersDone(this.#turnNow);
      }
      this.#deferredDue = this.deferred.length;
    }
    if (phase === 'deferred' && !this.halted) {
      assert.equal(this.#deferredDue, 0, 'deferred calls left out');
    }
  }

  #lookForStop(): void {
    if (this.halted || !this.timers.takeStop()) return;
    this.say('stopped by its timer');
    this.halted = true;
    this.#stopDue = true;
  }

  #lookAtBudget(): void {
    const { timeMs } = this.#budget;
    if (timeMs !== undefined && this.clock.now() >= this.#turnNow + timeMs) {
      this.watchers.spent = true;
    }
  }

  /** What can be asked of the reactor is as it should be. */
  #agree(): void {
    const { reactor } = this;
    for (const { watcher, name, active, closed, interest, refd } of this.watchers.all) {
      const seen = [watcher.active, watcher.closed, watcher.interest, watcher.hasRef()];
      assert.deepEqual(seen, [active, closed, interest, refd], name);
    }
    for (const { timer, name, active, closed, deadline } of this.timers.all) {
      if (timer === undefined) continue;
      const left = active ? Math.max(0, deadline - this.clock.now()) : Number.POSITIVE_INFINITY;
      assert.deepEqual([timer.active, timer.closed, timer.remaining], [active, closed, left], name);
    }
    const open = this.watchers.open();
    const patient = open.filter(({ active, timeoutMs }) => active && timeoutMs !== undefined);
    const { watchers, timers } = reactor.stats();
    assert.equal(watchers, open.length + 1, 'watchers');
    assert.equal(timers, this.timers.active().length + patient.length, 'timers');
    const holds = (handle: { active: boolean; refd: boolean }) => handle.active && handle.refd;
    const alive = open.some(holds) || this.timers.all.some(holds) || this.deferred.length > 0;
    assert.equal(reactor.alive, alive, 'alive');
    assert.equal(reactor.stopped, this.halted, 'stopped');
  }
}
