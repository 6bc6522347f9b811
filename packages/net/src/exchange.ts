// What the sockets of one reactor share: the slabs they receive into and send from, and the moment
// at which everything that was queued goes out.
//
// While a callback of one of our sockets runs, sends and writes are only queued; when it is over,
// one system call per socket takes them all. What is queued at any other time goes out in a deferred
// call of the reactor, at the end of the turn.
//
// Nothing in here calls a user's listener from within a send, a write or a flush: what there is to
// tell (errors, drains, closes) is told in a deferred call of its own, so that a listener that throws
// costs nobody else anything. A closed reactor calls nobody any more.
import type { Reactor } from '@pollux/core';
import { DatagramInbox } from './datagram-inbox.js';
import { DatagramOutbox } from './datagram-outbox.js';
import { StreamInbox } from './stream-inbox.js';
import { StreamOutbox } from './stream-outbox.js';

const exchanges = new WeakMap<Reactor, Exchange>();

export class Exchange {
  readonly reactor: Reactor;
  #datagramInbox: DatagramInbox | undefined;
  #datagramOutbox: DatagramOutbox | undefined;
  #streamInbox: StreamInbox | undefined;
  readonly streamOutbox: StreamOutbox = new StreamOutbox();
  #depth = 0;
  #scheduled = false;

  /** The one of this reactor. */
  static of(reactor: Reactor): Exchange {
    let exchange = exchanges.get(reactor);
    if (exchange === undefined) {
      exchange = new Exchange(reactor);
      exchanges.set(reactor, exchange);
    }
    return exchange;
  }

  private constructor(reactor: Reactor) {
    this.reactor = reactor;
  }

  // Slabs are large: those who have no use for one do not get it.

  get datagramInbox(): DatagramInbox {
    this.#datagramInbox ??= new DatagramInbox();
    return this.#datagramInbox;
  }

  get datagramOutbox(): DatagramOutbox {
    this.#datagramOutbox ??= new DatagramOutbox();
    return this.#datagramOutbox;
  }

  get streamInbox(): StreamInbox {
    this.#streamInbox ??= new StreamInbox();
    return this.#streamInbox;
  }

  /** Runs what a ready socket has to do; afterwards all that was queued meanwhile goes out. */
  run(callback: () => void): void {
    this.#depth++;
    try {
      callback();
    } finally {
      if (--this.#depth === 0) this.flush();
    }
  }

  /** Something was queued: it goes out when the callback under way is over, or else soon. */
  schedule(): void {
    if (this.#depth > 0 || this.#scheduled) return;
    this.reactor.defer(() => {
      this.#scheduled = false;
      this.flush();
    });
    this.#scheduled = true;
  }

  /** Sends what datagrams are queued, as far as the system takes them. */
  flushDatagrams(): void {
    this.#datagramOutbox?.flush();
  }

  /** Sends and writes what is queued, as far as the system takes it. */
  flush(): void {
    this.flushDatagrams();
    this.streamOutbox.flush();
  }

  /** Calls back in a deferred call of its own, with nothing of the caller's on the stack. */
  later(callback: () => void): void {
    if (!this.reactor.closed) this.reactor.defer(() => this.run(callback));
  }

  /**
   * Hands out a batch item by item. If a listener throws, the exception goes where the reactor sends
   * it, and the rest of the batch comes in a deferred call. `deliver` sees to it that nobody is
   * called once the reactor is closed; it still gets every item, to dispose of it.
   */
  deliverEach<T>(items: readonly T[], deliver: (item: T) => void, from = 0): void {
    let next = from;
    try {
      while (next < items.length) deliver(items[next++] as T);
    } catch (error) {
      if (this.reactor.closed) this.deliverEach(items, deliver, next);
      else if (next < items.length) this.later(() => this.deliverEach(items, deliver, next));
      throw error;
    }
  }
}
