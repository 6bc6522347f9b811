// The way to a connection: one address, or several in the happy-eyeballs manner (RFC 8305). They are
// tried in the order given. The next one is begun when the one before is refused, or after a while
// beside it, and the first to be connected wins; the others are closed.
import { AsyncResource } from 'node:async_hooks';
import { PolluxError, systemError, type Timer } from '@pollux/core';
import { Attempt, type Target } from './attempt.js';
import type { Exchange } from './exchange.js';
import { ETIMEDOUT } from './native.js';
import type { ConnectTiming } from './stream-options.js';

export interface ConnectorEvents {
  /** Called once, unless `failed` is: takes the attempt's descriptor over. */
  connected(attempt: Attempt): void;
  failed(error: Error): void;
}

const ATTEMPT_DELAY_MS = 250;

export class Connector {
  readonly #exchange: Exchange;
  readonly #targets: readonly Target[];
  readonly #events: ConnectorEvents;
  readonly #attemptDelayMs: number;
  readonly #context: AsyncResource;
  readonly #attempts = new Set<Attempt>();
  readonly #errors: Error[] = [];
  readonly #deadline: Timer | undefined;
  #nextTimer: Timer | undefined;
  #next = 0;
  #refd = true;
  #done = false;

  /** Begins at once, but tells nothing before it has returned. */
  constructor(
    exchange: Exchange,
    targets: readonly Target[],
    timing: ConnectTiming,
    events: ConnectorEvents,
  ) {
    this.#exchange = exchange;
    this.#targets = targets;
    this.#events = events;
    this.#attemptDelayMs = timing.attemptDelayMs ?? ATTEMPT_DELAY_MS;
    this.#context = new AsyncResource('POLLUXCONNECT');
    const { connectTimeoutMs } = timing;
    if (connectTimeoutMs !== undefined) {
      this.#deadline = exchange.reactor.timer(connectTimeoutMs, () => this.#timedOut());
    }
    this.#tryNext();
  }

  ref(): void {
    this.#setRef(true);
  }

  unref(): void {
    this.#setRef(false);
  }

  /** Gives up. Idempotent. */
  close(): void {
    this.#done = true;
    this.#deadline?.close();
    this.#nextTimer?.close();
    for (const attempt of this.#attempts) attempt.close();
    this.#attempts.clear();
  }

  #setRef(refd: boolean): void {
    this.#refd = refd;
    for (const timer of [this.#deadline, this.#nextTimer]) refd ? timer?.ref() : timer?.unref();
    for (const attempt of this.#attempts) attempt.setRef(refd);
  }

  #tryNext(): void {
    this.#nextTimer?.close();
    this.#nextTimer = undefined;
    // A loop, for thousands may be refused at once.
    while (this.#next < this.#targets.length) {
      if (this.#begin(this.#targets[this.#next++] as Target)) return;
    }
    if (this.#attempts.size === 0) this.#fail(this.#allErrors());
  }

  /** False if it is refused at once. */
  #begin(target: Target): boolean {
    let attempt: Attempt;
    try {
      attempt = new Attempt(this.#exchange, target, this.#context, this.#refd, (error) =>
        this.#ended(attempt, error),
      );
    } catch (error) {
      this.#errors.push(error as Error);
      return false;
    }
    this.#attempts.add(attempt);
    if (this.#next < this.#targets.length) {
      this.#nextTimer = this.#exchange.reactor.timer(this.#attemptDelayMs, () => this.#tryNext());
      if (!this.#refd) this.#nextTimer.unref();
    }
    return true;
  }

  #ended(attempt: Attempt, error: Error | undefined): void {
    if (this.#done) return;
    this.#attempts.delete(attempt);
    if (error === undefined) {
      this.close();
      this.#events.connected(attempt);
    } else {
      this.#errors.push(error);
      this.#tryNext();
    }
  }

  #timedOut(): void {
    if (this.#done) return;
    const { where } = this.#targets[0] as Target;
    this.#fail(systemError(ETIMEDOUT, 'connect', where));
  }

  /** Soon, in a call of its own: a first attempt may fail before anybody can listen. */
  #fail(error: Error): void {
    this.close();
    this.#exchange.tell(this.#context, () => this.#events.failed(error));
  }

  #allErrors(): Error {
    const errors = this.#errors;
    const [first] = errors;
    if (first === undefined) return new PolluxError('ERR_POLLUX_CLOSED', 'The stream is closed');
    if (errors.length === 1) return first;
    const message = `Every address failed: ${errors.map((error) => error.message).join('; ')}`;
    const { code } = first as Error & { code?: string };
    return Object.assign(new AggregateError(errors, message), { code });
  }
}
