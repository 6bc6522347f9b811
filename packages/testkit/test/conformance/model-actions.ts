// The random things that a run of the test by model does, each to the reactor and to the model.
import { strict as assert } from 'node:assert';
import type { Mode, Timer, Watcher } from '@pollux/core';
import { modesOf } from '@pollux/testkit/conformance';
import type { Slot } from './model-files.js';
import type { TimerModel } from './model-timers.js';
import type { WatcherModel } from './model-watchers.js';
import type { World } from './model-world.js';
import { thrownBy } from './reactor-support.js';

const MOST_WATCHERS = 3;
const MOST_TIMERS = 12;
const INTERESTS = [0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 5, 7];
const DELAYS = [0, 0, 0.25, 1, 2.5, 7, 66, 5000, Number.POSITIVE_INFINITY];

/** Aborts the watchers that were made with a signal. */
const aborts = new WeakMap<WatcherModel, AbortController>();
let made = 0;

/** One action. */
export function actAtRandom(world: World): void {
  world.dice.pick(ACTIONS)(world);
}

function watch(world: World, slot: Slot = world.dice.pick(world.files.slots)): void {
  const { dice, watchers, reactor } = world;
  const open = watchers.on(slot);
  const stale = open.some(({ file }) => file !== slot.file);
  if (open.length >= MOST_WATCHERS && !stale) return;
  const mode: Mode = dice.pick(modesOf(world.row.backend));
  const interest = dice.pick(INTERESTS);
  const priority = world.ranked ? dice.below(5) - 2 : 0;
  const timeoutMs = dice.once(4) ? dice.pick([1, 2.5, 7]) : undefined;
  const abort = dice.once(5) ? new AbortController() : undefined;
  const options = {
    mode,
    priority,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(abort === undefined ? {} : { signal: abort.signal }),
  };
  const name = `watcher ${++made} of ${slot.number} (${mode}, ${priority}, ${timeoutMs ?? '-'})`;
  let model: WatcherModel | undefined;
  const call = (): Watcher =>
    reactor.watch(slot.number, interest, (events) => world.onWatcher(model!, events), options);
  const mixed = open.some((other) => (other.mode === 'edge') !== (mode === 'edge'));
  const code = slot.file === undefined ? 'EBADF' : mixed && !stale ? 'ERR_POLLUX_MIXED_MODES' : '';
  if (code !== '') {
    world.say(`${name} is refused: ${code}`);
    assert.equal(thrownBy(call).code, code);
    if (slot.file === undefined) for (const old of open) watchers.closes(old);
    else watchers.touch(slot);
    return;
  }
  world.say(`${name}, interest ${interest}`);
  const watcher = call();
  // Those of the file that had the number before are closed by this.
  if (stale) for (const old of open) watchers.closes(old);
  const { file } = slot;
  model = {
    ...{ name, watcher, slot, file, mode, priority, timeoutMs, interest },
    ...{ active: true, closed: false, refd: true, must: 0, may: 0, owed: 0, late: false },
    ...{ queuedLeast: Number.POSITIVE_INFINITY, queuedMost: 0, lastLeast: 0, lastMost: 0 },
  };
  if (abort !== undefined) aborts.set(model, abort);
  watchers.all.push(model);
  watchers.wants(model, interest, world.clock.now());
}

function update(world: World): void {
  const model = anyWatcher(world);
  if (model !== undefined) want(world, model, world.dice.pick(INTERESTS), false);
}

function resume(world: World): void {
  const model = anyWatcher(world);
  if (model !== undefined) want(world, model, model.interest, true);
}

function want(world: World, model: WatcherModel, interest: number, resumes: boolean): void {
  const { watcher, slot } = model;
  world.say(`${resumes ? 'resume' : 'update'} ${model.name}, interest ${interest}`);
  try {
    if (resumes) watcher.resume();
    else watcher.update(interest);
  } catch (error) {
    // The number is not the file any more. That is noticed if there is anything to tell the poller.
    assert.notEqual(slot.file, model.file, `${error}`);
    assert.equal((error as { code?: string }).code, slot.file ? 'ENOENT' : 'EBADF');
    return;
  }
  world.watchers.wants(model, interest, world.clock.now());
}

function pause(world: World): void {
  const model = anyWatcher(world);
  if (model === undefined) return;
  world.say(`pause ${model.name}`);
  model.watcher.pause();
  if (model.active) world.watchers.rests(model);
}

function closeWatcher(world: World): void {
  const model = anyWatcher(world);
  if (model !== undefined) close(world, model);
}

function close(world: World, model: WatcherModel): void {
  const abort = aborts.get(model);
  world.say(`${abort ? 'abort' : 'close'} ${model.name}`);
  if (abort === undefined) model.watcher.close();
  else abort.abort();
  world.watchers.closes(model);
}

function hold(world: World): void {
  const model: WatcherModel | TimerModel | undefined = world.dice.once(2)
    ? anyWatcher(world)
    : anyTimer(world);
  if (model === undefined) return;
  const handle = 'watcher' in model ? model.watcher : model.timer;
  model.refd = world.dice.once(2);
  world.say(`${model.refd ? 'ref' : 'unref'} ${model.name}`);
  if (model.refd) handle?.ref();
  else handle?.unref();
}

/** Something happens to a file. */
function disturb(world: World): void {
  const slot = world.dice.pick(world.files.slots);
  const at = `${slot.number} (${slot.file?.kind})`;
  world.say(`${world.files.disturb(slot)} ${at}`);
}

/** The number of a file is closed; the watchers before it, after it, or not at all. */
function closeNumber(world: World): void {
  const { dice, files, watchers } = world;
  const slot = dice.pick(files.slots);
  const { file } = slot;
  if (file === undefined) return;
  const first = dice.once(2);
  if (first) for (const model of watchers.on(slot)) close(world, model);
  world.say(`close ${slot.number}`);
  files.close(slot, watchers.harvests);
  // What is open elsewhere goes on being reported, by epoll.
  const lives = file.numbers > 0 || file.haunts;
  if (lives || dice.once(2)) {
    for (const model of watchers.on(slot).reverse()) close(world, model);
  }
}

/** Another file gets the number, and somebody watches it at once. */
function replace(world: World): void {
  const { dice, files, watchers } = world;
  const slot = dice.pick(files.slots);
  world.say(`${slot.number} gets ${files.replace(slot)}`);
  const [old] = watchers.on(slot);
  if (old !== undefined && dice.once(3)) want(world, old, dice.pick(INTERESTS), false);
  watch(world, slot);
}

function timer(world: World): void {
  const { dice, timers, reactor, clock } = world;
  if (timers.active().length >= MOST_TIMERS) return;
  const delay = dice.pick(DELAYS);
  const repeats = delay > 0 && delay < 6000 && dice.once(3);
  const name = `timer ${++made} of ${delay} ms${repeats ? ', repeating' : ''}`;
  world.say(name);
  const made_: Timer = reactor.timer(delay, () => world.onTimer(model), { repeat: repeats });
  const state = { active: true, closed: false, refd: true };
  const model: TimerModel = {
    ...{ name, timer: made_, repeats, delay, deadline: 0, order: 0 },
    ...state,
  };
  timers.all.push(model);
  timers.set(model, delay, clock.now());
}

function again(world: World): void {
  const { dice, timers, clock } = world;
  const model = anyTimer(world);
  if (model === undefined) return;
  const delay = model.repeats || dice.once(2) ? undefined : dice.pick(DELAYS);
  world.say(`again ${model.name}, ${delay}`);
  model.timer?.again(delay);
  timers.set(model, delay ?? model.delay, clock.now());
}

function closeTimer(world: World): void {
  const model = anyTimer(world);
  if (model === undefined) return;
  world.say(`close ${model.name}`);
  model.timer?.close();
  world.timers.close(model);
}

function advance(world: World): void {
  const ms = world.dice.pick([0.25, 1, 1, 3, 70, 6000]);
  world.say(`${ms} ms pass`);
  world.clock.advance(ms);
}

function defer(world: World): void {
  const name = `deferred ${++made}`;
  world.say(name);
  world.deferred.push(name);
  world.reactor.defer(() => world.onDeferred(name));
}

/** At once or after a while; either replaces a stop that is to come. */
function stop(world: World): void {
  if (world.halted || !world.dice.once(4)) return;
  const { timers, reactor, clock, dice } = world;
  const pending = timers.all.find(({ timer: own, active }) => own === undefined && active);
  if (pending !== undefined) timers.close(pending);
  if (dice.once(2)) {
    world.say('stop');
    reactor.stop();
    world.halted = true;
    return;
  }
  const delay = dice.pick([0, 1, 7]);
  world.say(`stop after ${delay} ms`);
  reactor.stop(delay);
  const state = { active: true, closed: false, refd: false };
  const model = { name: 'stop', timer: undefined, repeats: false, delay, deadline: 0, order: 0 };
  timers.all.push({ ...model, ...state });
  timers.set(timers.all.at(-1) as TimerModel, delay, clock.now());
}

function anyWatcher({ dice, watchers }: World): WatcherModel | undefined {
  const open = watchers.open();
  return open.length === 0 ? undefined : dice.pick(open);
}

function anyTimer({ dice, timers }: World): TimerModel | undefined {
  const open = timers.all.filter(({ closed, timer: own }) => !closed && own !== undefined);
  return open.length === 0 ? undefined : dice.pick(open);
}

/** Each as often as it is to come. */
const ACTIONS: readonly ((world: World) => void)[] = (
  [
    [watch, 6],
    [update, 3],
    [resume, 5],
    [pause, 3],
    [closeWatcher, 2],
    [hold, 1],
    [disturb, 12],
    [closeNumber, 1],
    [replace, 2],
    [timer, 3],
    [again, 2],
    [closeTimer, 1],
    [advance, 4],
    [defer, 2],
    [stop, 2],
  ] as const
).flatMap(([action, count]) => new Array<(world: World) => void>(count).fill(action));
