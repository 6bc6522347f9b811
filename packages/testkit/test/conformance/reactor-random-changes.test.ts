// A long random sequence of everything that can be done to watchers, most of it inside callbacks,
// against a model of which may be called. A failure prints the seed; POLLUX_TEST_SEED repeats it.
import { Interest, type Mode, type Watcher } from '@pollux/core';
import { drain, socketpair, write } from '@pollux/testkit';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds } from './reactor-support.js';

const { readable, writable } = Interest;
const SOCKETS = 12;
const STEPS = 4000;
const seed = Number(process.env.POLLUX_TEST_SEED ?? 20_260_801);

/** A small generator of even numbers from 0 to 1 (mulberry32). */
function random(from: number): () => number {
  let state = from >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Modelled {
  readonly watcher: Watcher;
  readonly mode: Mode;
  interest: number;
  active: boolean;
  closed: boolean;
  calls: number;
}

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  test(`only what is open, active and concerned is called (seed ${seed})`, async () => {
    using driven = new DrivenReactor(row);
    const { reactor } = driven;
    const next = random(seed);
    const below = (limit: number): number => Math.floor(next() * limit);
    const pairs = Array.from({ length: SOCKETS }, () => fds.trackAll(socketpair()));
    const models: Modelled[] = [];
    const wrong: string[] = [];
    let steps = 0;

    const watch = (): void => {
      const [fd] = pairs[below(SOCKETS)] as [number, number];
      const mode: Mode = next() < 0.3 ? 'oneshot' : 'level';
      const interest = below(4);
      const watcher = reactor.watch(fd, interest, (events) => called(model, events), { mode });
      const model = { watcher, mode, interest, active: true, closed: false, calls: 0 };
      models.push(model);
    };
    const called = (model: Modelled, events: number): void => {
      model.calls++;
      if (model.closed || !model.active) wrong.push(`step ${steps}: called while not active`);
      if ((events & model.interest) === 0) wrong.push(`step ${steps}: ${events} was not asked for`);
      if (model.mode === 'oneshot') model.active = false;
      for (let n = below(3); n > 0; n--) change();
    };
    const change = (): void => {
      if (++steps > STEPS) return;
      const model = models[below(models.length)];
      const what = below(9);
      if (model === undefined || what === 0) {
        watch();
        return;
      }
      if (what === 1) write((pairs[below(SOCKETS)] as [number, number])[1], 'x');
      if (what === 2) drain((pairs[below(SOCKETS)] as [number, number])[0]);
      if (model.closed) return;
      if (what === 3) {
        model.active = false;
        model.watcher.pause();
      }
      if (what === 4 || what === 5) {
        model.watcher.resume();
        model.active = true;
      }
      if (what === 6 || what === 7) {
        const interest = below(4);
        model.watcher.update(interest);
        Object.assign(model, { interest, active: true });
      }
      if (what === 8 && models.filter(({ closed }) => !closed).length > 2 * SOCKETS) {
        Object.assign(model, { closed: true, active: false });
        model.watcher.close();
      }
    };

    for (let n = 0; n < SOCKETS; n++) watch();
    while (steps < STEPS) {
      const before = steps;
      change();
      const target = before + below(20);
      const started = performance.now();
      await driven.until(() => steps >= target || performance.now() > started + 5);
      expect(wrong).toEqual([]);
    }

    for (const { watcher, active, closed, interest } of models) {
      expect(watcher).toMatchObject({ active, closed, interest });
    }
    const live = models.filter(({ active }) => active);
    expect(reactor.alive).toBe(live.length > 0);
    // Nothing was lost: who may be called, is.
    for (const [, peer] of pairs) write(peer, 'x');
    for (const model of models) model.calls = 0;
    const concerned = live.filter(({ interest }) => (interest & (readable | writable)) !== 0);
    expect(concerned.length).toBeGreaterThan(3);
    await driven.until(() => concerned.every(({ calls }) => calls > 0));
    expect(wrong).toEqual([]);
    for (const { watcher } of models) watcher.close();
    expect(reactor.alive).toBe(false);
  });
});
