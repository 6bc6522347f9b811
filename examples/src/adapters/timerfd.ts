// A timerfd on a reactor: the kernel's timers, as descriptors.
//
//   node examples/dist/adapters/timerfd.js 2030-01-01T00:00:00Z      waits for that moment
//
// For delays the reactor has timers of its own. What only the kernel can do is to keep to the wall
// clock: an alarm set for eight o'clock rings at eight also if somebody sets the clock meanwhile.
// And it counts: whoever comes late learns how many times it was due.
import { constants } from 'node:fs';
import { endianness } from 'node:os';
import { Reactor } from '@pollux/core';
import koffi from 'koffi';
import { Descriptor } from './descriptor.js';
import { check, isProgram, libc, O_CLOEXEC } from './libc.js';

interface Itimerspec {
  it_interval: { tv_sec: number; tv_nsec: number };
  it_value: { tv_sec: number; tv_nsec: number };
}
const timespec = koffi.struct('timespec', { tv_sec: 'long', tv_nsec: 'long' });
koffi.struct('itimerspec', { it_interval: timespec, it_value: timespec });
const timerfd_create: (clock: number, flags: number) => number = libc.func(
  'int timerfd_create(int clock, int flags)',
);
const timerfd_settime: (fd: number, flags: number, value: Itimerspec, old: null) => number =
  libc.func(
    'int timerfd_settime(int fd, int flags, const itimerspec *value, _Out_ itimerspec *old)',
  );

const CLOCKS = { realtime: 0, monotonic: 1 };
const TFD_TIMER_ABSTIME = 1;

export class TimerFd {
  readonly #source: Descriptor;
  readonly #count = Buffer.alloc(8);

  /** Not set yet. The callback learns how often the timer was due since the last call. */
  constructor(
    reactor: Reactor,
    clock: 'realtime' | 'monotonic',
    onDue: (times: bigint, timer: TimerFd) => void,
  ) {
    const flags = constants.O_NONBLOCK | O_CLOEXEC;
    const fd = check(timerfd_create(CLOCKS[clock], flags), 'timerfd_create');
    this.#source = new Descriptor(reactor, fd, () => {
      // Nothing is there if the timer was set anew between the report and now.
      if (this.#source.read(this.#count) === undefined) return;
      onDue(
        endianness() === 'LE' ? this.#count.readBigUInt64LE() : this.#count.readBigUInt64BE(),
        this,
      );
    });
  }

  /** In so many milliseconds, and then every so many, if any. */
  in(delayMs: number, everyMs = 0): void {
    this.#set(0, delayMs, everyMs);
  }

  /** At a moment by this timer's clock, in milliseconds; at once if it has passed. */
  at(momentMs: number, everyMs = 0): void {
    this.#set(TFD_TIMER_ABSTIME, momentMs, everyMs);
  }

  /** Not due any more; it can be set again. */
  stop(): void {
    this.#write(0, 0n, 0n);
  }

  close(): void {
    this.#source.close();
  }

  #set(flags: number, firstMs: number, everyMs: number): void {
    const first = toNanoseconds(firstMs);
    this.#write(flags, first > 0n ? first : 1n, toNanoseconds(everyMs)); // 0 would stop it
  }

  #write(flags: number, first: bigint, every: bigint): void {
    const value = { it_value: toTimespec(first), it_interval: toTimespec(every) };
    check(timerfd_settime(this.#source.fd, flags, value, null), 'timerfd_settime');
  }
}

function toNanoseconds(ms: number): bigint {
  return BigInt(Math.ceil(ms * 1e6));
}

function toTimespec(ns: bigint): { tv_sec: number; tv_nsec: number } {
  return { tv_sec: Number(ns / 1_000_000_000n), tv_nsec: Number(ns % 1_000_000_000n) };
}

if (isProgram(import.meta.url)) {
  const alarm = new TimerFd(new Reactor(), 'realtime', () => {
    console.log(`it is ${new Date().toISOString()}`);
    alarm.close();
  });
  const moment = new Date(process.argv[2] ?? Date.now() + 1000);
  alarm.at(moment.getTime());
  console.log(`waiting for ${moment.toISOString()}`);
}
