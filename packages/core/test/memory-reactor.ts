// A reactor for tests of time: on a clock that stands still until the test, or a wait, moves it, and
// a poller that notes how long each wait was to last. Blocking and attached, the same way.
import { type Attachment, Reactor, type ReactorOptions } from '@pollux/core';
import { ManualClock, MemoryPoller } from '@pollux/core/testing';
import { macrotask } from '@pollux/testkit';

export const modes = ['blocking', 'attached'] as const;

class NotingPoller extends MemoryPoller {
  /** The waits begun, in milliseconds; one that was shortened is another one. */
  readonly waits: number[] = [];
  /** When the wait under way of an attachment ends. */
  until: number = Number.POSITIVE_INFINITY;

  override wait(timeoutMs?: number): number {
    this.waits.push(timeoutMs ?? Number.POSITIVE_INFINITY);
    return super.wait(timeoutMs);
  }

  override attach(onReady: () => void): Attachment {
    const inner = super.attach(() => {
      this.until = Number.POSITIVE_INFINITY;
      onReady();
    });
    const begin = (timeoutMs: number): void => {
      this.waits.push(timeoutMs);
      this.until = this.clock.now() + timeoutMs;
    };
    return {
      ...inner,
      arm: (timeoutMs) => {
        begin(timeoutMs);
        inner.arm(timeoutMs);
      },
      retime: (timeoutMs) => {
        begin(timeoutMs);
        inner.retime(timeoutMs);
      },
    };
  }
}

export class MemoryReactor implements Disposable {
  readonly clock: ManualClock = new ManualClock();
  readonly poller: NotingPoller = new NotingPoller(this.clock);
  readonly reactor: Reactor;
  /** What the wall clock is ahead of the other one. */
  wallOffset = 1_000_000;

  constructor(mode: (typeof modes)[number], options: ReactorOptions = {}) {
    const { clock } = this;
    this.reactor = new Reactor({
      mode,
      poller: this.poller,
      clock: { now: () => clock.now(), wallNow: () => clock.now() + this.wallOffset },
      ...options,
    });
  }

  get now(): number {
    return this.clock.now();
  }

  /** Lets so many milliseconds pass, with a turn whenever one is due, and at their end. */
  async pass(ms: number): Promise<void> {
    const end = this.now + ms;
    if (this.reactor.mode === 'blocking') {
      while (this.now < end && !this.reactor.closed) {
        await macrotask(() => this.reactor.turn(end - this.now));
      }
    } else {
      await this.settle();
      while (this.now < end && !this.reactor.closed) {
        this.clock.advance(Math.min(this.poller.until, end) - this.now);
        await this.settle();
      }
    }
    await this.settle();
  }

  /** Takes turns until there is nothing to do now. */
  async settle(): Promise<void> {
    const { reactor } = this;
    if (reactor.mode === 'blocking') {
      let called = 1;
      while (called > 0 && !reactor.closed) called = await macrotask(() => reactor.turn(0));
      return;
    }
    let quiet = 0;
    for (let turns = -1; quiet < 4 && !reactor.closed; quiet++) {
      await macrotask(() => {});
      const now = reactor.closed ? turns : reactor.stats().turns;
      if (now !== turns) quiet = 0;
      turns = now;
    }
  }

  [Symbol.dispose](): void {
    this.reactor.close();
    this.poller.close();
  }
}
