// A million timers of 1 to 1000 ms: set all, cancel half, fire the rest. Wall time of these three; the
// time until they are due is not in it.
import { join } from 'node:path';
import { benchDirectory } from '../lib/build.mjs';
import { alternate, compare } from '../lib/measure.mjs';
import { Program } from '../lib/process.mjs';

export const title = 'a million timers: set, cancel half, fire the rest';
export const variants = ['1000000'];

export const groups = [{ title: 'a million timers', ours: { Pollux: ['timers', '1000000'] } }];

const COUNT = 1_000_000;

const script =
  (path, ...args) =>
  () => ['--expose-gc', join(benchDirectory, path), ...args];

async function measure(args) {
  const server = new Program('server', process.execPath, args);
  try {
    await server.next();
    await server.ask(COUNT / 4); // to be compiled
    return await server.ask(COUNT);
  } finally {
    await server.stop();
  }
}

export async function* run(context) {
  const results = await alternate(
    {
      attached: script('pollux/timers.mjs', 'attached'),
      blocking: script('pollux/timers.mjs', 'blocking'),
      'node-timers': script('peers/node-timers.mjs'),
    },
    context,
    measure,
  );
  yield compare({
    scenario: 'timers',
    variant: '1000000',
    metric: 'wall_ms',
    key: 'wall',
    ...results,
    ours: 'attached',
    also: ['blocking'],
    peers: ['node-timers'],
  });
}
