// The in-memory poller behaves as the contract says, so that tests built on it are to be trusted.
import { Events, Interest, Reactor } from '@pollux/core';
import { ManualClock, MemoryPoller } from '@pollux/core/testing';
import { expect, test } from 'vitest';

const { readable, writable } = Interest;

function keys(poller: MemoryPoller): number[] {
  const count = poller.wait(0);
  return Array.from({ length: count }, (_, i) => poller.events[2 * i] as number);
}

test('level repeats, oneshot waits for modify, edge for a change', () => {
  const poller = new MemoryPoller();
  poller.add(1, readable, 10);
  poller.add(2, readable, 20, { mode: 'oneshot' });
  poller.add(3, readable, 30, { mode: 'edge' });
  for (const fd of [1, 2, 3]) poller.set(fd, readable);
  expect(keys(poller)).toEqual([10, 20, 30]);
  expect(keys(poller)).toEqual([10]);
  poller.modify(2, readable, 21, { mode: 'oneshot' });
  poller.set(3, 0);
  poller.set(3, readable);
  expect(keys(poller)).toEqual([10, 21, 30]);
});

test('an error sets what was asked for; a pause is silent', () => {
  const poller = new MemoryPoller();
  poller.add(1, writable, 1);
  poller.set(1, Events.error);
  expect(poller.wait(0)).toBe(1);
  expect(poller.events[1]).toBe(Events.writable | Events.error);
  poller.modify(1, 0, 1);
  expect(poller.wait(0)).toBe(0);
});

test('a change makes the record void', () => {
  const poller = new MemoryPoller();
  for (const fd of [1, 2]) {
    poller.add(fd, readable, fd);
    poller.set(fd, readable);
  }
  expect(poller.wait(0)).toBe(2);
  poller.delete(2);
  expect(poller.events[1]).toBe(readable);
  expect(poller.events[3]).toBe(0);
});

test('EEXIST, ENOENT and use after close', () => {
  const poller = new MemoryPoller();
  poller.add(1, readable, 1);
  expect(() => poller.add(1, readable, 1)).toThrow(expect.objectContaining({ code: 'EEXIST' }));
  expect(() => poller.modify(2, readable, 1)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  expect(() => poller.delete(2)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  poller.close();
  poller.close();
  expect(() => poller.wait(0)).toThrow(expect.objectContaining({ code: 'ERR_POLLUX_CLOSED' }));
});

test('a blocking reactor: time is the test’s', () => {
  const clock = new ManualClock();
  const poller = new MemoryPoller(clock);
  using reactor = new Reactor({ mode: 'blocking', poller, clock });
  const seen: number[] = [];
  reactor.timer(100, () => seen.push(clock.now()), { repeat: true });
  for (let i = 0; i < 3; i++) reactor.turn();
  clock.advance(250); // a stall: the times missed are missed
  reactor.turn();
  reactor.turn();
  expect(seen).toEqual([100, 200, 300, 550, 600]);
});

test('an attached reactor: callbacks come in a later turn of the loop', async () => {
  const poller = new MemoryPoller();
  using reactor = new Reactor({ poller, clock: poller.clock });
  const seen: string[] = [];
  const watcher = reactor.watch(5, readable, () => {
    seen.push('readable');
    poller.set(5, 0);
  });
  reactor.timer(50, () => seen.push('timer'));
  poller.set(5, readable);
  expect(seen).toEqual([]);
  while (seen.length < 1) await new Promise(setImmediate);
  poller.clock.advance(50);
  poller.notify();
  while (seen.length < 2) await new Promise(setImmediate);
  expect(seen).toEqual(['readable', 'timer']);
  watcher.close();
});
