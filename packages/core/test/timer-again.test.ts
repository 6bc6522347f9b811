// `timer.again` sets a timer anew, whatever has become of it, and `timer.remaining` tells how long it
// has.
import { describe, expect, test } from 'vitest';
import { MemoryReactor, modes } from './memory-reactor.js';

const NEVER = Number.POSITIVE_INFINITY;

describe.each(modes)('%s', (mode) => {
  const setUp = () => {
    const driven = new MemoryReactor(mode);
    const times: number[] = [];
    return {
      driven,
      times,
      note: () => times.push(driven.now),
      [Symbol.dispose]: driven.reactor.close.bind(driven.reactor),
    };
  };

  test('before it fires: it starts from now', async () => {
    using scene = setUp();
    const { driven, times, note } = scene;
    const timer = driven.reactor.timer(10, note);
    for (let n = 0; n < 3; n++) {
      await driven.pass(8);
      expect(timer.again()).toBe(timer);
      expect(timer.remaining).toBe(10);
    }
    await driven.pass(40);
    expect(times).toEqual([34]);
  });

  test('after it has fired: it is active, and keeps the reactor alive, once more', async () => {
    using scene = setUp();
    const { driven, times, note } = scene;
    const timer = driven.reactor.timer(10, note);
    await driven.pass(15);
    expect([timer.active, driven.reactor.alive, timer.remaining]).toEqual([false, false, NEVER]);
    timer.again();
    expect([timer.active, driven.reactor.alive, timer.remaining]).toEqual([true, true, 10]);
    await driven.pass(20);
    expect(times).toEqual([10, 25]);
    expect(driven.reactor.alive).toBe(false);
  });

  test('in its own callback, as often as one likes', async () => {
    using scene = setUp();
    const { driven, times, note } = scene;
    driven.reactor.timer(10, (timer) => {
      note();
      if (times.length < 4) timer.again();
    });
    await driven.pass(100);
    expect(times).toEqual([10, 20, 30, 40]);
  });

  test('with another delay, which it keeps: sooner, later, at once, and never', async () => {
    using scene = setUp();
    const { driven, times, note } = scene;
    const timer = driven.reactor.timer(1000, note);
    await driven.pass(5);
    timer.again(2.5);
    await driven.pass(5);
    timer.again();
    await driven.pass(5);
    timer.again(20);
    await driven.pass(50);
    timer.again(0);
    await driven.pass(1);
    timer.again(NEVER);
    expect([timer.active, timer.remaining]).toEqual([true, NEVER]);
    await driven.pass(1e6);
    timer.again(1);
    await driven.pass(1);
    expect(times).toEqual([7.5, 12.5, 35, 65, 1_000_067]);
  });

  test('on a repeating one: a new grid, and a new interval if one is given', async () => {
    using scene = setUp();
    const { driven, times, note } = scene;
    using timer = driven.reactor.timer(10, note, { repeat: true });
    await driven.pass(13);
    timer.again();
    await driven.pass(21);
    expect(times).toEqual([10, 23, 33]);
    timer.again(3);
    expect(timer.repeat).toBe(3);
    await driven.pass(7);
    expect(times.slice(3)).toEqual([37, 40]);
    for (const delay of [0, NEVER]) expect(() => timer.again(delay)).toThrow(RangeError);
    // Refused: nothing has changed.
    expect([timer.repeat, timer.remaining]).toEqual([3, 2]);
  });

  test('in the callback of a repeating one: from now, not from the grid', async () => {
    using scene = setUp();
    const { driven, times, note } = scene;
    using _timer = driven.reactor.timer(
      10,
      (self) => {
        note();
        driven.clock.advance(2);
        if (times.length === 1) self.again();
      },
      { repeat: true },
    );
    await driven.pass(35);
    expect(times).toEqual([10, 22, 32]);
  });

  test('on a wall-clock one: it must be given a delay, and counts from now then', async () => {
    using scene = setUp();
    const { driven, times, note } = scene;
    const timer = driven.reactor.at(driven.wallOffset + 50_000, note);
    expect(timer.remaining).toBe(50_000);
    expect(() => timer.again()).toThrow(TypeError);
    expect(timer.remaining).toBe(50_000);
    timer.again(30);
    driven.wallOffset += 1e6;
    expect([timer.remaining, timer.repeat]).toEqual([30, undefined]);
    await driven.pass(29);
    expect(times).toEqual([]);
    await driven.pass(1);
    timer.again();
    await driven.pass(100);
    expect(times).toEqual([30, 60]);
  });

  test('of one that is due in the same batch: only the new time counts', async () => {
    using scene = setUp();
    const { driven, times, note } = scene;
    driven.reactor.timer(5, () => {
      note();
      second.again();
    });
    const second = driven.reactor.timer(6, note);
    driven.clock.advance(10);
    if (mode === 'attached') driven.poller.notify();
    await driven.pass(20);
    expect(times).toEqual([10, 16]);
  });

  test('after unref it stays unref’d', async () => {
    using scene = setUp();
    const { driven, note } = scene;
    const timer = driven.reactor.timer(5, note).unref();
    await driven.pass(5);
    timer.again();
    expect([timer.active, timer.hasRef(), driven.reactor.alive]).toEqual([true, false, false]);
  });

  test('refused after close, and with a delay that is none', async () => {
    using scene = setUp();
    const { driven, times, note } = scene;
    const timer = driven.reactor.timer(5, note);
    for (const delay of ['1', null, {}]) {
      expect(() => timer.again(delay as unknown as number)).toThrow(TypeError);
    }
    for (const delay of [-1, Number.NaN]) expect(() => timer.again(delay)).toThrow(RangeError);
    expect(timer.remaining).toBe(5);
    timer.close();
    expect([timer.remaining, timer.active]).toEqual([NEVER, false]);
    const closed = expect.objectContaining({ code: 'ERR_POLLUX_CLOSED' });
    expect(() => timer.again()).toThrow(closed);
    const other = driven.reactor.timer(5, note);
    driven.reactor.close();
    expect(() => other.again(1)).toThrow(closed);
    expect(other.remaining).toBe(NEVER);
    expect(times).toEqual([]);
  });

  test('remaining counts down, to 0 for one that is due', async () => {
    using scene = setUp();
    const { driven, note } = scene;
    const timer = driven.reactor.timer(10.5, note);
    expect(timer.remaining).toBe(10.5);
    await driven.pass(4);
    expect(timer.remaining).toBe(6.5);
    driven.clock.advance(100);
    expect(timer.remaining).toBe(0);
    expect(driven.reactor.timer(NEVER, note).remaining).toBe(NEVER);
  });
});
