// A poller that can be polled in the same words whichever way it waits, so that one test text
// serves the whole table.
import { strict as assert } from 'node:assert';
import { type Attachment, createPoller, eventNames, type Poller } from '@pollux/core';
import { kernelPoll } from '../descriptors.js';
import { trackedFds } from '../scope.js';
import { allPollNames } from './scene.js';
import type { Case } from './table.js';

export interface Found {
  readonly key: number;
  /** Bits of `Events`. */
  readonly events: number;
}

export class DrivenPoller implements Disposable {
  readonly poller: Poller;
  /** Set by a test that expects a `notify`, not an event, to end the poll. */
  expectNotify = false;
  /** How often a wait has ended, for whatever reason: what a spinning poller has many of. */
  rounds = 0;
  readonly #attachment: Attachment | undefined;
  #ready: (() => void) | undefined;

  constructor({ backend, way }: Case) {
    this.poller = createPoller({ backend, ignoreEnvironment: true });
    assert.equal(this.poller.backend, backend);
    if (way !== 'blocking') {
      this.#attachment = this.poller.attach(() => this.#ready?.(), way);
      assert.equal(this.#attachment.driver, way);
      this.#attachment.keepAlive(true);
    }
  }

  /**
   * Waits until there are events, or the time is over: blocks this thread, or arms the wait thread
   * and awaits it. While the wait thread blocks, the test may change registrations. Void records
   * are left out.
   */
  async poll(timeoutMs?: number): Promise<Found[]> {
    const deadline = performance.now() + (timeoutMs ?? Number.POSITIVE_INFINITY);
    for (;;) {
      const count = await this.once(
        timeoutMs === undefined ? undefined : Math.max(0, deadline - performance.now()),
      );
      // A change of registrations under select's snapshot wakes the thread for nothing.
      const done = this.#attachment === undefined || this.expectNotify;
      if (count > 0 || done || performance.now() >= deadline) return this.records(count);
    }
  }

  /** One wait and no more, and how many records it wrote. */
  async once(timeoutMs?: number): Promise<number> {
    const attachment = this.#attachment;
    this.rounds++;
    if (timeoutMs === 0 && this.poller.backend === 'iocp') settle();
    if (attachment === undefined) return this.poller.wait(timeoutMs);
    const ready = new Promise<void>((resolve) => {
      this.#ready = resolve;
    });
    attachment.arm(timeoutMs ?? Number.POSITIVE_INFINITY);
    await ready;
    return attachment.harvest();
  }

  /** The records of the last wait, as they are now. */
  records(count: number): Found[] {
    const { events } = this.poller;
    const found: Found[] = [];
    for (let i = 0; i < count; i++) {
      const bits = events[2 * i + 1] as number;
      if (bits !== 0) found.push({ key: events[2 * i] as number, events: bits });
    }
    return found;
  }

  /** The keys that a wait of at most `timeoutMs` found, ascending. */
  async keys(timeoutMs?: number): Promise<number[]> {
    return (await this.poll(timeoutMs)).map(({ key }) => key).sort((a, b) => a - b);
  }

  /** Polls until nothing more comes within `quietMs`; the union of bits per key. */
  async drain(quietMs = 20): Promise<Map<number, number>> {
    const seen = new Map<number, number>();
    for (let rounds = 0; rounds < 100; rounds++) {
      const found = await this.poll(quietMs);
      if (found.length === 0) break;
      for (const { key, events } of found) seen.set(key, (seen.get(key) ?? 0) | events);
    }
    return seen;
  }

  close(): void {
    this.#attachment?.detach();
    this.poller.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * What a thread does to a socket of its own reaches the completion port before the call returns, on
 * Windows. Under Wine wineserver sees to it, a moment later: it hears of a socket from the kernel, tells
 * the thread that started the poll, by a signal, and what that answers goes to the port. A wait thread
 * that does not block is faster. A look at a socket makes it see to that socket first, and the signal is
 * taken before the look returns; so all that tests track is looked at. No sleep is sure to be enough.
 */
function settle(): void {
  kernelPoll(trackedFds(), allPollNames);
}

/** `readable|hangup`, or `-` for none: how a condition is written in the portability table. */
export function describeEvents(bits: number): string {
  return eventNames(bits).join('|') || '-';
}
