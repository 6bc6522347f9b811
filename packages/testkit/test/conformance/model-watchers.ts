// What a reactor should know of its watchers, and whom it should call: a model too simple to be
// wrong. It takes each turn as it comes: `collect` when the poller was asked, then `called` for each
// call, then `served`. Every disagreement is thrown.
//
// What is certain is told apart from what is possible (`must`, `may`). They are the same where the
// poller looks at the moment of the harvest (blocking, uv). The wait thread looks some time between
// two moments, so of what changed meanwhile nothing is certain.
import {
  type Capabilities,
  Events,
  eventNames,
  Interest,
  type Mode,
  type Watcher,
} from '@pollux/core';
import { type Case, capabilitiesOf, tellsClosed } from '@pollux/testkit/conformance';
import { type OpenFile, type Slot, verdictOf } from './model-files.js';

const HINTS = Events.error | Events.hangup;

export interface WatcherModel {
  readonly name: string;
  readonly watcher: Watcher;
  readonly slot: Slot;
  /** The file it was registered for. */
  file: OpenFile | undefined;
  readonly mode: Mode;
  readonly priority: number;
  readonly timeoutMs: number | undefined;
  interest: number;
  active: boolean;
  closed: boolean;
  refd: boolean;
  /** Found and not yet delivered. */
  must: number;
  may: number;
  /** The turn in which it came into the queue: between these. */
  queuedLeast: number;
  queuedMost: number;
  /** Edge: what is new and it must be told of. */
  owed: number;
  /** Edge: that arose during the wait under way. */
  late: boolean;
  /** Inactivity: the time counts from between these. */
  lastLeast: number;
  lastMost: number;
}

export class WatcherModels {
  readonly all: WatcherModel[] = [];
  readonly #capabilities: Capabilities;
  /** epoll: what is new brings with it all that is so. kqueue tells of each direction alone. */
  readonly #wholeEdges: boolean;
  readonly #tellsClosed: boolean;
  /** select(2) fails for a closed number (EBADF). */
  readonly #refuses: boolean;
  readonly #callbacks: number;
  readonly #thread: boolean;
  #turn = 0;
  /** Times the poller was asked. */
  harvests = 0;
  /** Whether it is being asked now: on a thread, since the last `armed`. */
  #asking = false;
  /** Whether a closed number may have made this harvest fail. */
  #refused = false;
  #calls = 0;
  /** No more calls in this turn. */
  spent = false;

  constructor({ backend, way }: Case, callbacks: number) {
    this.#capabilities = capabilitiesOf(backend);
    this.#wholeEdges = backend === 'epoll';
    this.#tellsClosed = tellsClosed(backend);
    this.#refuses = backend === 'select';
    this.#thread = way === 'thread';
    this.#callbacks = callbacks;
  }

  open(): WatcherModel[] {
    return this.all.filter(({ closed }) => !closed);
  }

  on(slot: Slot): WatcherModel[] {
    return this.all.filter((model) => model.slot === slot && !model.closed);
  }

  // What the test does.

  /** It was given this interest, at this time: a new watcher too. */
  wants(model: WatcherModel, interest: number, now: number): void {
    model.interest = interest;
    model.must = keep(model.must, interest);
    model.may = keep(model.may, interest);
    model.active = true;
    model.lastLeast = model.lastMost = now;
    this.touch(model.slot);
    const { must } = verdictOf(model.slot, interest, this.#capabilities);
    model.owed = this.#wholeEdges && must !== 0 ? ~0 : must;
  }

  rests(model: WatcherModel): void {
    Object.assign(model, { active: false, must: 0, may: 0, owed: 0, late: false });
    this.touch(model.slot);
  }

  closes(model: WatcherModel): void {
    this.rests(model);
    model.closed = true;
  }

  /** Its registration changed: what was found is stale, and all of it may be found anew. */
  touch(slot: Slot): void {
    slot.touched = true;
    if (slot.file !== undefined) this.news(slot.file);
  }

  news(file: OpenFile): void {
    file.newsUntil = this.harvests + (this.#thread && this.#asking ? 2 : 1);
  }

  /** Does what changes a file; edge watchers of it must hear of what is new then. */
  changing(slots: readonly Slot[], look: () => void, change: () => void): void {
    const concerned = this.all.filter(
      ({ slot, active, mode }) => active && mode === 'edge' && slots.includes(slot),
    );
    const lastOf = ({ slot, interest }: WatcherModel) => {
      const { moments } = slot;
      return verdictOf({ ...slot, moments: moments.slice(-1) }, interest, this.#capabilities).must;
    };
    look();
    const before = concerned.map(lastOf);
    change();
    look();
    for (const [i, model] of concerned.entries()) {
      const fresh = lastOf(model) & ~before[i]!;
      if ((model.owed & fresh) === fresh) continue;
      model.owed |= this.#wholeEdges ? ~0 : fresh;
      // The thread may have ended its wait before: then the next one finds it.
      model.late = this.#thread && this.#asking;
    }
  }

  // What the reactor does.

  /** The poller begins to look, at what the slots' moments say from here on. */
  armed(slots: readonly Slot[]): void {
    this.#asking = true;
    for (const slot of slots) slot.touched = false;
  }

  /** A turn begins; `harvested` if the poller was asked. */
  collect(harvested: boolean, now: number): void {
    this.#turn++;
    this.#calls = 0;
    this.spent = false;
    if (!harvested) return;
    this.harvests++;
    this.#asking = false;
    // And in that wait of nothing else.
    this.#refused =
      this.#refuses && this.all.some(({ closed, slot }) => !closed && this.#isTold(slot));
    for (const model of this.all) if (model.active) this.#collectOne(model, now);
  }

  /** A closed number is told once; by select twice if a wait was under way (portability.md). */
  #isTold({ file, closedAt }: Slot): boolean {
    return file === undefined && this.#tellsClosed && this.harvests <= closedAt + 2;
  }

  #collectOne(model: WatcherModel, now: number): void {
    const { slot, mode } = model;
    let { must, may } = verdictOf(slot, model.interest, this.#capabilities);
    if (slot.file === undefined) {
      if (this.#isTold(slot) && model.interest !== 0) {
        may |= model.interest | Events.error;
      }
    }
    if ((this.#thread && slot.touched) || this.#refused) must = 0;
    if (mode === 'edge') {
      must = model.late ? 0 : must & model.owed;
      model.late = false;
      if (must !== 0 || may === 0) model.owed = 0;
      // The thread may have found what was new of a number that was closed then.
      const file = slot.file ?? (this.#thread ? model.file : undefined);
      // Of TCP there is always something new: acknowledgements come when they come.
      const { kind, newsUntil } = file ?? { kind: undefined, newsUntil: -1 };
      if (must === 0 && this.harvests > newsUntil && kind !== 'tcp') return;
    }
    // A oneshot that was found before is disarmed by now, perhaps.
    if (mode === 'oneshot' && model.may !== 0) must = 0;
    if (may !== 0) model.queuedLeast = Math.min(model.queuedLeast, this.#turn);
    if (must !== 0 && model.must === 0) model.queuedMost = this.#turn;
    // What edge has to tell may have been told before, and wait to be served.
    if (must !== 0 && (mode === 'level' || model.may === 0)) model.lastLeast = now;
    model.must |= must;
    model.may |= may;
    if (may !== 0) model.lastMost = now;
  }

  /** A watcher was called with what the poller found: what waited for its turn was no silence. */
  called(model: WatcherModel, events: number, turnNow: number): void {
    const { name, must, may, priority, queuedLeast } = model;
    const words = eventNames(events).join('+');
    if (this.spent) throw new Error(`${name} is called after the budget of the turn was used up`);
    if (model.closed) throw new Error(`${name} is closed, and called with ${words}`);
    if (!model.active) throw new Error(`${name} is not active, and called with ${words}`);
    if (events === 0 || events & ~may || must & ~events) {
      const range = `${eventNames(must).join('+')} to ${eventNames(may).join('+')}`;
      throw new Error(`${name} is called with ${words}, but that should be ${range}`);
    }
    for (const other of this.all) {
      if (other === model || other.must === 0) continue;
      if (other.priority > priority) {
        throw new Error(`${name} is called before ${other.name}, which is more urgent`);
      }
      if (other.priority === priority && other.queuedMost < queuedLeast) {
        throw new Error(`${name} is called before ${other.name}, which has waited for longer`);
      }
    }
    this.count();
    Object.assign(model, { must: 0, may: 0, queuedLeast: Number.POSITIVE_INFINITY, owed: 0 });
    model.lastLeast = Math.max(model.lastLeast, turnNow);
    model.lastMost = Math.max(model.lastMost, turnNow);
    this.#spend(model);
  }

  /** One more call of this turn. */
  count(): void {
    if (++this.#calls === this.#callbacks) this.spent = true;
  }

  /**
   * A watcher was called because nothing came for so long, by the time this turn's wait ended: what
   * comes while callbacks run is not silence, and no more is what was found and waits to be served.
   */
  timedOut(model: WatcherModel, dueBy: number, now: number): void {
    const { name, timeoutMs } = model;
    if (!model.active) throw new Error(`${name} is not active, and timed out`);
    if (timeoutMs === undefined || model.lastLeast + timeoutMs > dueBy) {
      throw new Error(`${name} timed out too early`);
    }
    if (model.must !== 0) throw new Error(`${name} timed out, with an event not yet delivered`);
    model.lastLeast = model.lastMost = now;
    this.#spend(model);
  }

  #spend(model: WatcherModel): void {
    if (model.mode !== 'oneshot') return;
    Object.assign(model, { active: false, must: 0, may: 0 });
    if (this.on(model.slot).length > 1) this.touch(model.slot);
  }

  /** The part of a turn that serves what was found is over. */
  served(): void {
    if (this.spent) return;
    for (const { name, must } of this.all) {
      if (must === 0) continue;
      throw new Error(`${name} is not called, though ${eventNames(must).join('+')}`);
    }
    for (const model of this.all) {
      model.may = 0;
      model.queuedLeast = Number.POSITIVE_INFINITY;
    }
  }

  /**
   * The timers of a turn are over. Silence counts up to when its wait ended: what came since is the
   * next wait's to find. What was found and is still to be served is no silence.
   */
  timersDone(waitEnded: number): void {
    for (const model of this.all) {
      const { name, active, timeoutMs, lastMost, may } = model;
      if (!active || timeoutMs === undefined || lastMost + timeoutMs > waitEnded) continue;
      if (may === 0) throw new Error(`${name} should have timed out`);
      model.lastMost = waitEnded;
    }
  }
}

/** What of pending events concerns somebody who asks for this from now on. */
function keep(events: number, interest: number): number {
  if (interest === 0) return 0;
  const closed = interest & Interest.readable ? Events.readClosed : 0;
  return events & (interest | HINTS | closed);
}
