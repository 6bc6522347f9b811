// A million timers: set, cancelled, expired. Nanoseconds of CPU time for each timer.
//
//   node --expose-gc bench/timers.mjs [timers, default 1000000] [rounds, default 5]
//
//   reactor        reactor.timer() of a blocking reactor: the handle, its async context, the wheel
//   setTimeout     Node's own
//   wheel, heap    the structures alone: the reactor's timing wheel, and a binary heap to compare
//
// Delays are random, 1 to 1000 ms. The reactor's clock is moved by hand, so is that of wheel and heap;
// Node's timers expire in real time, of which only the CPU's counts. Variants take turns within each
// round; medians over the rounds.
import { Reactor } from '@pollux/core';
import { ManualClock } from '@pollux/core/testing';
import { TimerWheel } from '../packages/core/dist/timer-wheel.js';

const count = Number(process.argv[2] ?? 1_000_000);
const rounds = Number(process.argv[3] ?? 5);
const LONGEST_MS = 1000;

const delays = Float64Array.from(
  { length: count },
  () => 1 + Math.floor(Math.random() * LONGEST_MS),
);

/** A binary heap whose items know their place, so that one can be removed from the middle. */
class Heap {
  items = [];

  insert(item) {
    this.items.push(item);
    this.#up(item, this.items.length - 1);
  }

  remove(item) {
    const { place } = item;
    const last = this.items.pop();
    if (last === item) return;
    this.#up(last, place);
    this.#down(last, last.place);
  }

  takeDue(now) {
    let taken = 0;
    for (; this.items.length > 0 && this.items[0].deadline <= now; taken++)
      this.remove(this.items[0]);
    return taken;
  }

  #up(item, from) {
    let at = from;
    while (at > 0) {
      const above = this.items[(at - 1) >> 1];
      if (above.deadline <= item.deadline) break;
      this.items[at] = above;
      above.place = at;
      at = (at - 1) >> 1;
    }
    this.items[at] = item;
    item.place = at;
  }

  #down(item, from) {
    const { items } = this;
    let at = from;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= items.length) break;
      if (below + 1 < items.length && items[below + 1].deadline < items[below].deadline) below++;
      if (items[below].deadline >= item.deadline) break;
      items[at] = items[below];
      items[at].place = at;
      at = below;
    }
    items[at] = item;
    item.place = at;
  }
}

/** A structure alone: items are made before, for they are the user's. */
function structure(make, item) {
  return () => {
    const queue = make();
    const items = Array.from(delays, item);
    return {
      set() {
        for (const each of items) queue.insert(each);
      },
      cancel() {
        for (const each of items) queue.remove(each);
      },
      expire() {
        for (let now = 1; now <= LONGEST_MS; now++) queue.takeDue(now);
      },
    };
  };
}

const variants = {
  reactor() {
    const clock = new ManualClock();
    const reactor = new Reactor({ mode: 'blocking', clock });
    const timers = new Array(count);
    const callback = () => {};
    return {
      set() {
        for (let n = 0; n < count; n++) timers[n] = reactor.timer(delays[n], callback);
      },
      cancel() {
        for (const timer of timers) timer.close();
      },
      expire() {
        for (let now = 0; now < LONGEST_MS; now++) {
          clock.advance(1);
          reactor.turn(0);
        }
      },
      end: () => reactor.close(),
    };
  },
  setTimeout() {
    const timers = new Array(count);
    let left = count;
    let done;
    const finished = new Promise((resolve) => {
      done = resolve;
    });
    const callback = () => {
      if (--left === 0) done();
    };
    return {
      set() {
        for (let n = 0; n < count; n++) timers[n] = setTimeout(callback, delays[n]);
      },
      cancel() {
        for (const timer of timers) clearTimeout(timer);
      },
      expire: () => finished,
    };
  },
  wheel: structure(
    () => new TimerWheel(0),
    (deadline) => ({ deadline, order: 0, slot: -1, next: undefined, previous: undefined }),
  ),
  heap: structure(
    () => new Heap(),
    (deadline) => ({ deadline, place: -1 }),
  ),
};

/** CPU nanoseconds per timer. */
async function timed(body) {
  const before = process.cpuUsage();
  await body();
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / count;
}

const macrotask = () => new Promise((resolve) => setImmediate(resolve));
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
const steps = ['set', 'cancel', 'expire'];
const results = new Map(
  Object.keys(variants).map((name) => [name, { set: [], cancel: [], expire: [] }]),
);

for (let round = 0; round <= rounds; round++) {
  for (const [name, make] of Object.entries(variants)) {
    const measured = {};
    const cancelling = make();
    globalThis.gc?.();
    measured.set = await timed(() => cancelling.set());
    measured.cancel = await timed(() => cancelling.cancel());
    cancelling.end?.();
    await macrotask();
    const expiring = make();
    expiring.set();
    globalThis.gc?.();
    measured.expire = await timed(() => expiring.expire());
    expiring.end?.();
    await macrotask();
    // The first round is there to be compiled.
    if (round === 0) continue;
    for (const step of steps) results.get(name)[step].push(measured[step]);
  }
}

const of = (name, step) => median(results.get(name)[step]);
console.log(
  `${count} timers, ${rounds} rounds, node ${process.versions.node}; ns of CPU per timer`,
);
for (const [name] of results) {
  const other = name === 'reactor' || name === 'setTimeout' ? 'setTimeout' : 'heap';
  const columns = steps.map((step) => {
    const value = of(name, step);
    const ratio = (value / of(other, step)).toFixed(2);
    return `${step} ${value.toFixed(0).padStart(5)} (${ratio} x ${other})`;
  });
  console.log(`${name.padEnd(11)} ${columns.join('   ')}`);
}
