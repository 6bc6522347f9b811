// The steps of the timers benchmark, the same for Node's timers and ours: a million of 1 to 1000 ms
// are set, every second one is cancelled, and when the rest are due, the loop gets to fire them.
import { createInterface } from 'node:readline';
import { say } from './control.mjs';

const LONGEST_MS = 1000;

/** The same delays in each process (a linear congruential generator, Numerical Recipes). */
function makeDelays(count) {
  let state = 1;
  return Uint16Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return 1 + (state % LONGEST_MS);
  });
}

/** Blocks the thread, so that no timer fires before all are due. */
function untilAllAreDue() {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LONGEST_MS + 5);
}

/**
 * `set(delay, callback)` makes a timer, `cancel(timer)` ends it, `fire(finished)` runs the loop until
 * the promise is settled. Each line on standard input is a number of timers to do it with.
 */
export function serve(set, cancel, fire) {
  let delays = makeDelays(0);
  const run = async (count) => {
    if (delays.length !== count) delays = makeDelays(count);
    const timers = new Array(count);
    let left = count - Math.ceil(count / 2);
    const { promise: finished, resolve } = Promise.withResolvers?.() ?? withResolvers();
    const callback = () => {
      if (--left === 0) resolve();
    };
    globalThis.gc();
    const cpu = process.cpuUsage();
    const start = performance.now();
    for (let i = 0; i < count; i++) timers[i] = set(delays[i], callback);
    const inserted = performance.now();
    for (let i = 0; i < count; i += 2) cancel(timers[i]);
    const cancelled = performance.now();
    untilAllAreDue();
    const due = performance.now();
    await fire(finished);
    const insert = inserted - start;
    const cancelling = cancelled - inserted;
    const firing = performance.now() - due;
    const { user, system } = process.cpuUsage(cpu);
    say({
      wall: insert + cancelling + firing,
      insert,
      cancel: cancelling,
      fire: firing,
      cpu: (user + system) / 1000,
    });
  };
  createInterface({ input: process.stdin })
    .on('line', (line) => run(Number(line)))
    .on('close', () => process.exit(0));
  say({ ready: true });
}

function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve) => {
    made.resolve = resolve;
  });
  return made;
}
