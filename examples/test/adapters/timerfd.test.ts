// timerfds: due once or again and again, by delay or by the clock, counted, and never early.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { TimerFd } from '../../dist/adapters/timerfd.js';
import { commandFor, start } from '../support.js';
import { backends, closing, descriptors, Inbox, newReactor } from './support.js';

describe.each(backends)('%s', (backend) => {
  function timer(clock: 'realtime' | 'monotonic') {
    const inbox = new Inbox<bigint>();
    return { inbox, timer: closing(new TimerFd(newReactor(backend), clock, inbox.add)) };
  }

  test('once, and not early', async () => {
    const { inbox, timer: delay } = timer('monotonic');
    const started = process.hrtime.bigint();
    delay.in(20.5);
    expect(await inbox.until((counts) => counts.length > 0)).toEqual([1n]);
    expect(process.hrtime.bigint() - started).toBeGreaterThanOrEqual(20_500_000n);
    await sleep(30);
    expect(inbox.items).toEqual([1n]);
  });

  test('again and again, and whoever comes late learns how often', async () => {
    const { inbox, timer: clock } = timer('monotonic');
    clock.in(1, 1);
    await inbox.until((counts) => counts.length >= 3);
    inbox.items.length = 0;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 25); // this thread stands still
    const [count] = await inbox.until((counts) => counts.length > 0);
    expect(count).toBeGreaterThanOrEqual(24n);
  });

  test('at a moment of the wall clock, also one that has passed', async () => {
    const { inbox, timer: alarm } = timer('realtime');
    const moment = Date.now() + 20;
    alarm.at(moment);
    await inbox.until((counts) => counts.length === 1);
    expect(Date.now()).toBeGreaterThanOrEqual(moment);
    alarm.at(Date.now() - 1000);
    await inbox.until((counts) => counts.length === 2);
  });

  test('stopped, set anew, closed', async () => {
    expect(descriptors(/timerfd/)).toEqual([]);
    const { inbox, timer: delay } = timer('monotonic');
    // A reactor that waits in Node's loop has one of its own.
    const all = descriptors(/timerfd/);
    expect(all.length === 1 || (backend === 'epoll' && all.length === 2)).toBe(true);
    expect(all.every(({ nonblocking, cloexec }) => nonblocking && cloexec)).toBe(true);
    delay.in(0);
    delay.stop();
    await sleep(20);
    expect(inbox.items).toEqual([]);
    delay.in(0);
    await inbox.until((counts) => counts.length === 1);
    delay.in(0);
    delay.close();
    await sleep(20);
    expect(inbox.items).toEqual([1n]);
    expect(descriptors(/timerfd/)).toHaveLength(all.length - 1);
  });
});

test('as a program', async () => {
  const moment = new Date(Date.now() + 50).toISOString();
  const program = start(commandFor('adapters/timerfd', moment));
  expect(await program.ended).toEqual({ code: 0, signal: null });
  expect(program.output.stdout).toMatch(`waiting for ${moment}\nit is `);
  expect(program.output.stderr).toBe('');
});
