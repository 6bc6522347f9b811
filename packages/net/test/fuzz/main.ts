// The fuzz as a program: rounds on every backend in every way of waiting, one after the other, until
// the time is over or something is wrong.
//
//   node --expose-gc main.js [--seed N] [--minutes M] [--rounds N] [--backend B] [--mode M] [--alone]
import { parseArgs } from 'node:util';
import { createPoller, explainSelection } from '@pollux/core';
import { Growth } from './growth.js';
import { openNeighbour } from './neighbour.js';
import { Round, type Row } from './round.js';
import { Tally } from './tally.js';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string', default: '10' },
    rounds: { type: 'string', default: 'Infinity' },
    backend: { type: 'string', default: process.env.POLLUX_BACKEND ?? '' },
    mode: { type: 'string', default: '' },
    alone: { type: 'boolean', default: false },
  },
});

function rowsOf(): Row[] {
  const { candidates } = explainSelection({ ignoreEnvironment: true });
  const rows = candidates
    .filter(({ available }) => available)
    .flatMap(({ backend }): Row[] => {
      using poller = createPoller({ backend, ignoreEnvironment: true });
      return [{ backend, way: 'blocking' }, ...poller.drivers.map((way) => ({ backend, way }))];
    });
  const chosen = rows.filter(({ backend, way }) => {
    const mode = way === 'blocking' ? 'blocking' : 'attached';
    return (
      (values.backend === '' || backend === values.backend) &&
      (values.mode === '' || way === values.mode || mode === values.mode)
    );
  });
  if (chosen.length === 0) {
    const all = rows.map(({ backend, way }) => `${backend}/${way}`).join(', ');
    throw new Error(`No backend "${values.backend}" with mode "${values.mode}"; there are ${all}`);
  }
  return chosen;
}

/** Rounds in which everything happens at least once. */
const ENOUGH = 150;

const rows = rowsOf();
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const minutes = Number(values.minutes);
const most = Number(values.rounds);
if (!Number.isSafeInteger(seed) || !(minutes > 0) || !(most > 0)) {
  throw new Error('--seed takes an integer, --minutes and --rounds positive numbers');
}
const names = rows.map(({ backend, way }) => `${backend}/${way}`).join(', ');
console.log(
  `seed ${seed}, ${most < Number.POSITIVE_INFINITY ? `${most} rounds` : `${minutes} min`}, ${names}`,
);

const end = performance.now() + minutes * 60_000;
const neighbour = values.alone ? undefined : await openNeighbour();
const growth = new Growth(rows.length);
const tally = new Tally();
let rounds = 0;
let failed = false;
let told = performance.now();
try {
  for (; rounds < most && performance.now() < end; rounds++) {
    const row = rows[rounds % rows.length] as Row;
    await new Round(row, seed + rounds, tally, neighbour).run();
    await growth.look(rounds);
    if (performance.now() - told < 30_000) continue;
    told = performance.now();
    console.log(`${rounds + 1} rounds; ${growth}`);
  }
  growth.judge();
  if (rounds >= ENOUGH) tally.judge();
} catch (error) {
  failed = true;
  const { message, stack = '' } = error as Error;
  // The message was added to after the stack was taken.
  const frames = stack.split('\n').filter((line) => /^ {4}at /.test(line));
  console.log(`round of seed ${seed + rounds} failed: ${message}\n${frames.join('\n')}`);
}
neighbour?.close();
console.log(`${rounds} rounds from seed ${seed}: ${tally}; ${growth}`);
if (failed) process.exit(1);
