// A socket that listens on a reactor, TCP or Unix: hands out connections as streams.
import { Interest, type SystemError, systemError, type Timer } from '@pollux/core';
import type { Exchange } from './exchange.js';
import { native, SLOT_SIZE } from './native.js';
import { Socket } from './socket.js';
import { checkDelay, MAX_DELAY } from './validate.js';

export interface ListenerEvents<S> {
  /** A connection was accepted. Without a listener for it, it is closed again. */
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
/** What `finish` leaves to connections that are being opened: some round trips. */
const FINISH_MS = 250;

interface Accepted {
  readonly fd: number;
  readonly peer: Uint8Array;
}

export abstract class Listener<S> extends Socket<ListenerEvents<S>> {
  readonly #fds: Int32Array;
  readonly #records = new Int32Array(ACCEPT_BATCH * 2);
  readonly #peers = new Uint8Array(ACCEPT_BATCH * SLOT_SIZE);
  #retry: Timer | undefined;
  #failing = false;
  #lastLook: Timer | undefined;
  #finishing = false;
  /** Accepted, and not handed out yet. */
  #accepted: Accepted[] = [];

  /** @internal */
  constructor(exchange: Exchange, fd: number, type: string) {
    super(exchange, fd, type);
    this.#fds = Int32Array.of(fd);
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

  #release(): boolean {
    if (!this.closeDescriptor()) return false;
    this.#retry?.close();
    this.#lastLook?.close();
    for (const { fd } of this.#accepted) native.close(fd);
    this.#accepted = [];
    return true;
  }

  #finishIn(delayMs: number): void {
    this.#lastLook = this.exchange.reactor.timer(delayMs, () => this.exchange.run(this.#finish));
    if (!this.hasRef()) this.#lastLook.unref();
  }

  /** Closes when nothing is left. Until then again and again, after what a turn has to do. */
  readonly #finish = (): void => {
    const empty = this.#accept();
    if (empty && this.#accepted.length === 0) this.close();
    else if (this.listens) this.#finishIn(this.#failing ? RETRY_MS : 0);
  };

  /**
   * Whether there is nothing left to accept: as the last thing that was looked at, since whoever is
   * told of a connection takes time, in which the next may come.
   */
  #accept(): boolean {
    for (let batch = 0; batch < MAX_BATCHES && this.listens; batch++) {
      const count = native.accept(this.#fds, 1, ACCEPT_BATCH, this.#records, this.#peers);
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
      else this.#failing = false;
      this.exchange.drive(this.#handOutNext);
      // Stopped in the middle.
      if (this.#accepted.length > 0) this.exchange.tell(this.context, this.#handOutRest);
      if (last < 0 || count < ACCEPT_BATCH || this.#accepted.length > 0) break;
    }
    return false;
  }

  readonly #handOutNext = (): boolean => {
    const accepted = this.#accepted.shift();
    if (accepted === undefined) return false;
    if (this.listenerCount('connection') === 0) native.close(accepted.fd);
    else this.announce('connection', this.streamFor(accepted.fd, accepted.peer));
    return true;
  };

  readonly #handOutRest = (): void => {
    this.exchange.drive(this.#handOutNext);
    if (this.#accepted.length > 0) this.exchange.tell(this.context, this.#handOutRest);
  };

  /** The connection stays in the backlog, so the poller would report it for ever: a pause. */
  #failed(errno: number): void {
    const { reactor } = this.exchange;
    this.want(0);
    this.#retry?.close(); // `finish` tries too
    this.#retry = reactor.timer(RETRY_MS, () => {
      if (this.listens) this.want(Interest.readable);
    });
    if (!this.hasRef()) this.#retry.unref();
    if (this.#failing) return;
    this.#failing = true;
    this.tell('error', systemError(errno, 'accept4', this.where()));
  }
}
