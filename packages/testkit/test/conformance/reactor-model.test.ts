// A reactor against a model of it, in thousands of short random runs: watchers of every mode,
// interest and priority, several per descriptor, with and without timeouts; data, half-closes,
// resets, urgent bytes; numbers that are closed and reused, and ghosts; timers, deferred calls,
// budgets, stops. What poll(2) says is what must be delivered (model-watchers.ts).
//
// A failure names its seed and tells the story of its last turns. POLLUX_TEST_SEED repeats it,
// POLLUX_TEST_LINES tells more of the story, and POLLUX_TEST_RUNS says how many seeds are tried from
// there on. A blocking run is the same each time; an attached one depends a little on when its turns
// come.
import { type Case, cases, Scene } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { actAtRandom } from './model-actions.js';
import { World } from './model-world.js';
import { countedFds, macrotask } from './reactor-support.js';

const TURNS = 60;
const { POLLUX_TEST_RUNS, POLLUX_TEST_SEED, POLLUX_SANITIZED } = process.env;
const seed = Number(POLLUX_TEST_SEED ?? 1);

/** As many as fit in some ten seconds. */
function runsOf({ way }: Case): number {
  const usual = (way === 'blocking' ? 1000 : 400) / (POLLUX_SANITIZED ? 10 : 1);
  return Number(POLLUX_TEST_RUNS ?? (POLLUX_TEST_SEED ? 1 : usual));
}

/** Two actions, one or none; the last one of a run may close the reactor. */
function act(world: World): void {
  if (world.turns > TURNS && !world.closed && world.dice.once(4)) {
    world.say('close the reactor');
    world.reactor.close();
    world.closed = true;
    return;
  }
  for (let n = world.dice.below(3); n > 0; n--) actAtRandom(world);
}

const isDone = ({ closed, failure }: World): boolean => closed || failure !== undefined;

/** A blocking reactor's turns, one by one or until it is stopped. */
function runBlocking(world: World): void {
  const { reactor, dice } = world;
  const between = () => act(world);
  while (!isDone(world)) {
    world.guard('between', () => world.restart());
    world.guard('between', between);
    if (isDone(world)) return;
    world.halted = false;
    if (reactor.alive && dice.once(8)) reactor.runSync();
    else reactor.turn(0);
  }
}

/** The turns of an attached one come by themselves. */
async function runAttached(world: World): Promise<void> {
  const { reactor } = world;
  let seen = -1;
  let ended = true;
  const until = performance.now() + 10_000;
  while (!isDone(world)) {
    await macrotask(() => {});
    if (isDone(world)) return;
    if (performance.now() > until) {
      world.guard('waiting', () => expect.fail('no turn for 10 s'));
    } else if (reactor.stopped) {
      world.guard('between', () => world.between());
      // Nobody is called meanwhile: the model would say so.
      await macrotask(() => {});
      await macrotask(() => {});
      world.guard('stopped', () => {
        expect(ended).toBe(true);
        for (let n = 0; n < 3; n++) actAtRandom(world);
        ended = false;
        world.restart();
        reactor.run().then(() => {
          ended = true;
        });
      });
    } else if (world.turns !== seen) {
      seen = world.turns;
      world.guard('between', () => act(world));
    }
  }
}

async function run(row: Case, number: number): Promise<number> {
  using scene = new Scene();
  const world = new World(row, number, scene, act);
  scene.defer(() => world.files.closeAll());
  if (row.way === 'blocking') await macrotask(() => runBlocking(world));
  else await runAttached(world);
  world.closed = true;
  world.reactor.close();
  await macrotask(() => {});
  if (world.failure !== undefined) {
    world.failure.message = `POLLUX_TEST_SEED=${number}: ${world.failure.message}`;
    throw world.failure;
  }
  for (const { watcher } of world.watchers.all) expect(watcher.closed).toBe(true);
  for (const { timer } of world.timers.all) expect(timer?.closed ?? true).toBe(true);
  expect(world.reactor.alive).toBe(false);
  return world.calls;
}

describe.each(cases)('$backend, $way', (row) => {
  countedFds();
  const runs = runsOf(row);

  test(`${runs} runs from seed ${seed}`, { timeout: 120_000 }, async () => {
    let calls = 0;
    for (let n = 0; n < runs; n++) calls += await run(row, seed + n);
    // The model was put to the test, not asleep.
    expect(calls).toBeGreaterThan(runs * TURNS);
  });
});
