// A socket that listens on a reactor, TCP or Unix: hands out connections as streams.
//
// It accepts while somebody takes what it accepts. When the process is out of descriptors it pauses,
// for the poller would report the backlog for ever, and tries again every 100 ms. Clients in the
// backlog are served late then, if the shortage is short. If it lasts they would hang, for the system
// has told them that they are connected: so after two seconds they are turned away, by means of a
// descriptor that is kept for this.
import {
  followSignal,
  Interest,
  type SystemError,
  systemError,
  type Timer,
  unfollowSignal,
} from '@pollux/core';
import type { Exchange } from './exchange.js';
import type { ListenOptions } from './listener-options.js';
import { DATAGRAM, EMFILE, ENFILE, ENOBUFS, ENOMEM, native, SLOT_SIZE } from './native.js';
import { PullIterator } from './pull-iterator.js';
import { Socket } from './socket.js';
import type { StreamOwner } from './stream.js';
import { checkDelay, MAX_DELAY } from './validate.js';

export interface ListenerEvents<S> {
  /** A connection was accepted. Without a listener for it, or a loop, it is closed again. */
  connection: [stream: S];
  /**
   * Accepting failed, for want of descriptors or memory (EMFILE, ENFILE, ENOBUFS, ENOMEM). It is tried
   * again every 100 ms, while connections wait in the backlog, and told once until it succeeds.
   */
  error: [error: SystemError];
  close: [];
}

/** Connections of one native call. */
const ACCEPT_BATCH = 32;
/** Calls of one callback; a listener that has more is called again, after its neighbours. */
const MAX_BATCHES = 4;
const RETRY_MS = 100;
/** How long clients wait for the end of a shortage before they are turned away, and how many then. */
const PATIENCE_MS = 2_000;
const MAX_TURNED_AWAY = 512;
/** What `finish` leaves to connections that are being opened: some round trips. */
const FINISH_MS = 250;
/** Errors of accept(2) that pass. */
const SHORTAGES = [EMFILE, ENFILE, ENOBUFS, ENOMEM];

interface Accepted {
  readonly fd: number;
  readonly peer: Uint8Array;
}

/** A stream as its listener sees it. */
interface Owned {
  owner: StreamOwner | undefined;
}

export abstract class Listener<S extends Owned>
  extends Socket<ListenerEvents<S>>
  implements StreamOwner
{
  readonly #fds: Int32Array;
  readonly #records = new Int32Array(ACCEPT_BATCH * 2);
  readonly #peers = new Uint8Array(ACCEPT_BATCH * SLOT_SIZE);
  readonly #maxConnections: number;
  readonly #signal: AbortSignal | undefined;
  readonly #streams = new Set<S>();
  #iterator: PullIterator<S> | undefined;
  /** Kept for a time when there are no others; -1 for none. */
  #reserve: number;
  #retry: Timer | undefined;
  /** When accepting began to fail, on the reactor's clock. */
  #failingSince: number | undefined;
  #lastLook: Timer | undefined;
  #finishing = false;
  /** Accepted, and not handed out yet. */
  #accepted: Accepted[] = [];

  /** @internal */
  constructor(exchange: Exchange, fd: number, type: string, options: ListenOptions) {
    super(exchange, fd, type);
    this.#fds = Int32Array.of(fd);
    this.#maxConnections = options.maxConnections ?? Number.POSITIVE_INFINITY;
    this.#signal = options.signal;
    if (this.#signal !== undefined) followSignal(this.#signal, this);
    // Any descriptor would do. If there is none, then without.
    this.#reserve = native.open(4, DATAGRAM);
  }

  /**
   * The streams that it has handed out and that are open. To end them all:
   * `for (const stream of listener.streams) stream.end()`.
   */
  get streams(): ReadonlySet<S> {
    return this.#streams;
  }

  /** Stops listening; connections that were handed out live on. Idempotent. */
  close(): void {
    if (!this.#release()) return;
    this.tell('close');
  }

  /**
   * Closes without losing a connection: no new ones begin, those that the system has accepted, or
   * accepts within `graceMs` (250), are handed out, then it closes. Idempotent; keeps the process
   * alive meanwhile, unless unref'd.
   *
   * A client that comes later is not answered, so it tries again after a second: it is refused then,
   * or finds another listener on the port. All that share the socket stop together.
   */
  finish(graceMs: number = FINISH_MS): void {
    checkDelay('graceMs', graceMs, MAX_DELAY);
    if (!this.listens || this.#finishing) return;
    this.#finishing = true;
    // Where there are no filters, one that comes in the very moment of the close is reset.
    native.stopInput(this.fd);
    this.#finishIn(graceMs);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Connections, accepted when the loop asks for them, in place of `'connection'`. The loop ends when
   * the listener is closed, and throws the reason of its aborted `signal`. Leaving it early closes
   * the listener.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<S> {
    this.#iterator ??= new PullIterator<S>({
      onWanting: () => this.#onWanting(),
      onReturn: () => this.close(),
    });
    if (this.closed) this.#iterator.end();
    return this.#iterator;
  }

  override ref(): this {
    this.#retry?.ref();
    this.#lastLook?.ref();
    return super.ref();
  }

  /** The listener no longer keeps the process alive. */
  override unref(): this {
    this.#retry?.unref();
    this.#lastLook?.unref();
    return super.unref();
  }

  /** @internal A stream for a connection: its descriptor, and the slot of its peer. */
  protected abstract streamFor(fd: number, peer: Uint8Array): S;

  /** @internal Where it listens, for errors: `{ address, port }`, `{ path }`. */
  protected abstract where(): object;

  /** @internal */
  found(): void {
    this.exchange.call(this);
  }

  /** @internal */
  override serve(): void {
    this.#accept();
  }

  /** @internal */
  abandon(): void {
    this.#release();
  }

  /** @internal Its signal was aborted. */
  abort(reason: unknown): void {
    this.#iterator?.fail(reason);
    this.close();
  }

  /** @internal A stream was closed. */
  left(stream: object): void {
    const wasFull = this.#room <= 0;
    this.#streams.delete(stream as S);
    if (wasFull) this.#settle();
  }

  #release(): boolean {
    if (!this.closeDescriptor()) return false;
    this.#retry?.close();
    this.#lastLook?.close();
    if (this.#signal !== undefined) unfollowSignal(this.#signal, this);
    if (this.#reserve >= 0) native.close(this.#reserve);
    for (const { fd } of this.#accepted) native.close(fd);
    this.#accepted = [];
    this.#iterator?.end();
    return true;
  }

  /** Connections that may be accepted now. Those that `finish` finds are not refused any more. */
  get #room(): number {
    if (this.#finishing) return Number.POSITIVE_INFINITY;
    return this.#maxConnections - this.#streams.size - this.#accepted.length;
  }

  /** Nobody asks for what is accepted. */
  get #unwanted(): boolean {
    return this.#iterator !== undefined && !this.#iterator.wants;
  }

  #settle(): void {
    if (!this.listens) return;
    const accepts = this.#retry === undefined && !this.#unwanted && this.#room > 0;
    try {
      this.want(accepts ? Interest.readable : 0);
    } catch (error) {
      // The poller refuses it. Not thrown: it may be a stream that asks, in the middle of a flush.
      if (this.#iterator === undefined || this.hears('error')) this.tell('error', error);
      else this.#iterator.fail(error);
      this.close();
    }
  }

  #onWanting(): void {
    // No callback is called by that.
    while (this.#handOutNext());
    this.#settle();
    if (this.#finishing && this.#lastLook === undefined) this.#finishIn(0);
  }

  #finishIn(delayMs: number): void {
    this.#lastLook?.close();
    this.#lastLook = this.exchange.reactor.timer(delayMs, () => this.exchange.run(this.#finish));
    if (!this.hasRef()) this.#lastLook.unref();
  }

  /** Closes when nothing is left. Until then again and again, after what a turn has to do. */
  readonly #finish = (): void => {
    this.#lastLook = undefined;
    const empty = this.#accept();
    if (empty && this.#accepted.length === 0) this.close();
    // Who takes the next will say so.
    else if (this.listens && !this.#unwanted) {
      this.#finishIn(this.#failingSince === undefined ? 0 : RETRY_MS);
    }
  };

  /**
   * Whether there is nothing left to accept: as the last thing that was looked at, since whoever is
   * told of a connection takes time, in which the next may come.
   */
  #accept(): boolean {
    for (let batch = 0; batch < MAX_BATCHES && this.listens; batch++) {
      const most = Math.min(ACCEPT_BATCH, this.#room);
      if (most <= 0 || this.#unwanted) break;
      const count = native.accept(this.#fds, 1, most, this.#records, this.#peers);
      if (count < 0) throw systemError(count, 'accept4', { fd: this.fd });
      if (count === 0) return true;
      // A failure is the last record.
      const last = this.#records[2 * count - 1] as number;
      for (let i = 0; i < (last < 0 ? count - 1 : count); i++) {
        const at = i * SLOT_SIZE;
        const peer = this.#peers.slice(at, at + SLOT_SIZE);
        this.#accepted.push({ fd: this.#records[2 * i + 1] as number, peer });
      }
      if (last < 0) this.#failed(last);
      else this.#failingSince = undefined;
      this.#handOut();
      if (last < 0 || count < most || this.#accepted.length > 0) break;
    }
    this.#settle();
    return false;
  }

  readonly #handOut = (): void => {
    this.exchange.drive(() => this.#handOutNext());
    // Stopped in the middle.
    if (this.#accepted.length > 0 && !this.#unwanted) {
      this.exchange.tell(this.context, this.#handOut);
    }
  };

  #handOutNext(): boolean {
    if (this.#unwanted) return false;
    const accepted = this.#accepted.shift();
    if (accepted === undefined) return false;
    if (this.#iterator === undefined && this.listenerCount('connection') === 0) {
      native.close(accepted.fd);
      return true;
    }
    const stream = this.streamFor(accepted.fd, accepted.peer);
    stream.owner = this;
    this.#streams.add(stream);
    if (this.#iterator !== undefined) this.#iterator.push(stream);
    else this.announce('connection', stream);
    return true;
  }

  #failed(errno: number): void {
    const { reactor } = this.exchange;
    if (this.#finishing && !SHORTAGES.includes(errno)) {
      this.close(); // it will not get better
      return;
    }
    const first = this.#failingSince === undefined;
    this.#failingSince ??= reactor.now;
    if (reactor.now - this.#failingSince >= PATIENCE_MS) this.#turnAway(errno);
    this.#retry?.close(); // `finish` tries too
    this.#retry = reactor.timer(RETRY_MS, () => {
      this.#retry = undefined;
      this.#settle();
    });
    if (!this.hasRef()) this.#retry.unref();
    // A loop has no use for what passes by itself.
    const told = this.#iterator === undefined || this.listenerCount('error') > 0;
    if (first && told) this.tell('error', systemError(errno, 'accept4', this.where()));
  }

  /** Accepts with the descriptor that was kept, and closes at once, over and over. */
  #turnAway(errno: number): void {
    if (errno !== EMFILE && errno !== ENFILE) return;
    if (this.#reserve >= 0) native.close(this.#reserve);
    for (let i = 0; i < MAX_TURNED_AWAY; i++) {
      const count = native.accept(this.#fds, 1, 1, this.#records, this.#peers);
      const fd = this.#records[1] as number;
      if (count !== 1 || fd < 0) break;
      native.close(fd);
    }
    this.#reserve = native.open(4, DATAGRAM);
  }
}
