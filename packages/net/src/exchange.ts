// What the sockets of one reactor share: a batch of the reactor, through which they all hear of their
// readiness in one call; the slabs they receive into and send from; and the moment at which all that
// was queued goes out.
//
// One call goes like this. Every ready socket says what it wants: to be read with the others, or to
// be called. One native call reads many sockets into a slab; each is handed its part; one native call
// writes what they answered. So the system is asked for all of them at once, while each listener is
// called as by the reactor: in its own async context, with nextTicks and promises drained before it,
// and what it throws costs nobody else anything.
//
// What is queued at any other time goes out in a deferred call of the reactor, at the end of the
// turn. So do errors, drains and closes: nothing in here calls a listener from within a send, a write
// or a flush. When the reactor is closed, its sockets are, and nobody is called any more.

import type { AsyncResource } from 'node:async_hooks';
import type { Batch, Reactor } from '@pollux/core';
import { DatagramInbox } from './datagram-inbox.js';
import { DatagramOutbox } from './datagram-outbox.js';
import { empty } from './empty.js';
import { StreamInbox } from './stream-inbox.js';
import { StreamOutbox } from './stream-outbox.js';
import { UnixDatagramInbox } from './unix-datagram-inbox.js';
import { UnixStreamInbox } from './unix-stream-inbox.js';

/** A socket as the exchange sees it. */
export interface Member {
  readonly fd: number;
  /** Its place in the exchange, -1 while it is not watched; the exchange's own. */
  place: number;
  /** Its listeners' async context. */
  readonly context: AsyncResource;
  /** The poller found this: takes note, and asks to be read or called. Calls no listener. */
  found(events: number): void;
  /** It asked to be called. */
  serve(): void;
  /** The reactor is closed: closes without a word. */
  abandon(): void;
}

interface Told {
  readonly context: AsyncResource;
  readonly event: () => void;
}

const exchanges = new WeakMap<Reactor, Exchange>();

export class Exchange {
  readonly reactor: Reactor;
  readonly streamOutbox: StreamOutbox;
  readonly streamInbox: StreamInbox;
  readonly #batch: Batch;
  #unixStreamInbox: UnixStreamInbox | undefined;
  #datagramInbox: DatagramInbox | undefined;
  #unixDatagramInbox: UnixDatagramInbox | undefined;
  #datagramOutbox: DatagramOutbox | undefined;
  readonly #members: (Member | undefined)[] = [];
  readonly #freePlaces: number[] = [];
  /** Those who are to be closed with the reactor, and may have nothing to watch. */
  readonly #enrolled = new Set<{ abandon(): void }>();
  /** Watched members that keep the process alive. */
  #refs = 0;
  /** Members to be called in this batch, and how many have been. */
  readonly #calls: Member[] = [];
  #called = 0;
  #told: Told[] = [];
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
    this.streamOutbox = new StreamOutbox();
    this.streamInbox = new StreamInbox(this, this.streamOutbox.arena);
    this.#batch = reactor.batch((records, count) => this.#onBatch(records, count), {
      onClose: () => this.#abandon(),
    });
    this.#batch.unref();
  }

  // Slabs are large: those who have no use for one do not get it.

  /** Of streams that take descriptors. */
  get unixStreamInbox(): UnixStreamInbox {
    this.#unixStreamInbox ??= new UnixStreamInbox(this, this.streamOutbox.arena);
    return this.#unixStreamInbox;
  }

  get datagramInbox(): DatagramInbox {
    this.#datagramInbox ??= new DatagramInbox(this, this.datagramOutbox);
    return this.#datagramInbox;
  }

  /** Of Unix sockets. */
  get unixDatagramInbox(): UnixDatagramInbox {
    this.#unixDatagramInbox ??= new UnixDatagramInbox(this, this.datagramOutbox);
    return this.#unixDatagramInbox;
  }

  get datagramOutbox(): DatagramOutbox {
    this.#datagramOutbox ??= new DatagramOutbox();
    return this.#datagramOutbox;
  }

  // Members.

  /** Has the poller report `interest` of a member; 0 is a pause. Throws what the system refuses. */
  watch(member: Member, interest: number, exclusive = false): void {
    if (member.place >= 0) {
      this.#batch.modify(member.fd, interest, member.place);
      return;
    }
    const place = this.#freePlaces.pop() ?? this.#members.length;
    this.#members[place] = undefined;
    try {
      this.#batch.add(member.fd, interest, place, { exclusive });
    } catch (error) {
      this.#freePlaces.push(place);
      throw error;
    }
    member.place = place;
    this.#members[place] = member;
  }

  /** Forgets a member, before it closes its descriptor. */
  forget(member: Member): void {
    if (member.place < 0) return;
    this.#members[member.place] = undefined;
    this.#freePlaces.push(member.place);
    member.place = -1;
    if (this.#batch.closed) return;
    try {
      this.#batch.delete(member.fd);
    } catch {
      // Somebody has closed the descriptor, and the poller knows nothing of it any more.
    }
  }

  /** The descriptor of a member is another's from here on, watched as it was. */
  replace(member: Member, by: Member): void {
    by.place = member.place;
    member.place = -1;
    this.#members[by.place] = by;
  }

  /** Somebody who may not be watched wants to know when the reactor is closed. */
  enroll(who: { abandon(): void }): void {
    this.#enrolled.add(who);
  }

  dismiss(who: { abandon(): void }): void {
    this.#enrolled.delete(who);
  }

  /** One member more, or less, keeps the process alive. */
  keep(more: boolean): void {
    this.#refs += more ? 1 : -1;
    if (this.#refs === 0) this.#batch.unref();
    else if (this.#refs === 1 && more) this.#batch.ref();
  }

  /** For `found`: the member is called in this batch. */
  call(member: Member): void {
    this.#calls.push(member);
  }

  // The batch.

  #onBatch(records: Uint32Array, count: number): void {
    this.run(() => {
      for (let i = 0; i < count; i++) {
        const events = records[2 * i + 1] as number;
        // 0: made void since it was found.
        if (events !== 0) this.#members[records[2 * i] as number]?.found(events);
      }
      this.streamInbox.deliver();
      this.#unixStreamInbox?.deliver();
      this.#datagramInbox?.deliver();
      this.#unixDatagramInbox?.deliver();
      this.#serve();
    });
  }

  #serve(): void {
    const calls = this.#calls;
    if (calls.length === 0) return;
    this.#called = 0;
    this.drive(this.#serveNext);
    // Of what is left after a stop, the poller will tell again.
    empty(calls);
  }

  readonly #serveNext = (): boolean => {
    const member = this.#calls[this.#called++];
    if (member === undefined) return false;
    if (member.place >= 0) member.context.runInAsyncScope(member.serve, member);
    return true;
  };

  /** Runs a callback of ours in one of the reactor's; what is queued meanwhile goes out after it. */
  run(callback: () => void): void {
    this.#depth++;
    try {
      callback();
    } finally {
      this.#depth--;
      this.flush();
    }
  }

  /** Nobody may be called now: the reactor was stopped, or closed. */
  get halted(): boolean {
    return this.#batch.halted;
  }

  /** See `Batch.drive`. */
  drive(step: () => boolean): void {
    this.#batch.drive(step);
  }

  // What goes out, and what is told.

  /** Something was queued: it goes out when the batch under way is over, or else soon. */
  schedule(): void {
    if (this.#depth === 0) this.#soon();
  }

  /** Calls back in a deferred call, in this context, with nothing of the caller's on the stack. */
  tell(context: AsyncResource, event: () => void): void {
    if (this.reactor.closed) return;
    this.#told.push({ context, event });
    this.#soon();
  }

  #soon(): void {
    if (this.#scheduled || this.reactor.closed) return;
    this.#scheduled = true;
    this.reactor.defer(this.#onSoon);
  }

  readonly #onSoon = (): void => {
    this.#scheduled = false;
    const told = this.#told;
    this.#told = [];
    this.run(() => this.#tellAll(told));
  };

  #tellAll(told: readonly Told[]): void {
    let next = 0;
    this.drive(() => {
      const item = told[next++];
      if (item === undefined) return false;
      item.context.runInAsyncScope(item.event);
      return true;
    });
    if (next >= told.length || this.reactor.closed) return;
    // Stopped in the middle: the rest comes when it goes on.
    this.#told = [...told.slice(next), ...this.#told];
    this.#soon();
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

  #abandon(): void {
    this.#told = [];
    // What it names by number may be another's by the time it would be sent.
    this.#datagramOutbox?.discard();
    for (const member of [...this.#members, ...this.#enrolled]) member?.abandon();
  }
}
