// The way to a Unix connection. connect(2) answers at once: made, or refused. Only where the
// listener's backlog is full, a nonblocking one is told EAGAIN, and nothing tells when there is room
// (connect(2); the descriptor does not become ready for it). So it is tried again, less and less often.
import { AsyncResource } from 'node:async_hooks';
import { type SystemError, systemError, type Timer } from '@pollux/core';
import { Attempt, type ConnectorEvents, type Target } from './connector.js';
import type { Exchange } from './exchange.js';
import { EAGAIN, ETIMEDOUT } from './native.js';
import type { Connecting } from './stream.js';

const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 100;
const TIMEOUT_MS = 10_000;

export class UnixConnecting implements Connecting {
  readonly #exchange: Exchange;
  readonly #target: Target;
  readonly #events: ConnectorEvents;
  readonly #context = new AsyncResource('POLLUXCONNECT');
  readonly #deadline: Timer;
  #attempt: Attempt | undefined;
  #retry: Timer | undefined;
  #pauseMs = FIRST_PAUSE_MS;
  #refd = true;
  #done = false;

  /** Begins at once, but tells nothing before it has returned. */
  constructor(
    exchange: Exchange,
    target: Target,
    timeoutMs: number | undefined,
    events: ConnectorEvents,
  ) {
    this.#exchange = exchange;
    this.#target = target;
    this.#events = events;
    this.#deadline = exchange.reactor.timer(timeoutMs ?? TIMEOUT_MS, () =>
      this.#fail(systemError(ETIMEDOUT, 'connect', target.where)),
    );
    this.#try();
  }

  ref(): void {
    this.#setRef(true);
  }

  unref(): void {
    this.#setRef(false);
  }

  close(): void {
    this.#done = true;
    this.#deadline.close();
    this.#retry?.close();
    this.#attempt?.close();
    this.#attempt = undefined;
  }

  #setRef(refd: boolean): void {
    this.#refd = refd;
    for (const timer of [this.#deadline, this.#retry]) refd ? timer?.ref() : timer?.unref();
    this.#attempt?.setRef(refd);
  }

  #try(): void {
    if (this.#done) return;
    const ended = (error: Error | undefined): void => this.#ended(error);
    try {
      this.#attempt = new Attempt(this.#exchange, this.#target, this.#context, this.#refd, ended);
    } catch (error) {
      if ((error as SystemError).errno === EAGAIN) this.#tryLater();
      else this.#fail(error as Error);
    }
  }

  #tryLater(): void {
    this.#retry = this.#exchange.reactor.timer(this.#pauseMs, () => this.#try());
    if (!this.#refd) this.#retry.unref();
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
  }

  #ended(error: Error | undefined): void {
    const attempt = this.#attempt;
    this.#attempt = undefined;
    if (this.#done || attempt === undefined) return;
    this.close();
    if (error === undefined) this.#events.connected(attempt);
    else this.#events.failed(error);
  }

  /** Soon, in a call of its own: it may fail before anybody can listen. */
  #fail(error: Error): void {
    if (this.#done) return;
    this.close();
    this.#exchange.tell(this.#context, () => this.#events.failed(error));
  }
}
