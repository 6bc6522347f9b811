// Hooks: callbacks of every turn. `prepare` runs before each wait, `check` after it, `idle` in a turn
// that had nothing else to do (while there is an idle hook, the reactor looks but does not wait).
import { AsyncResource } from 'node:async_hooks';
import { Handle } from './handle.js';
import type { Loop } from './loop.js';

export type HookKind = 'prepare' | 'check' | 'idle';
/** A prepare hook gets the milliseconds that the wait may last; the others get 0. */
export type HookCallback = (timeoutMs: number, hook: Hook) => void;

export class Hook extends Handle {
  readonly kind: HookKind;
  readonly #hooks: Set<Hook>;
  readonly #callback: HookCallback;

  /** @internal Made by `reactor.prepare`, `reactor.check` and `reactor.idle`. */
  constructor(
    loop: Loop,
    kind: HookKind,
    hooks: Set<Hook>,
    callback: HookCallback,
    signal: AbortSignal | undefined,
  ) {
    super(loop, new AsyncResource('POLLUXHOOK'), signal);
    this.kind = kind;
    this.#hooks = hooks;
    this.#callback = callback;
    // A prepare or check hook has nothing to wait for; an idle hook has something to do.
    if (kind !== 'idle') this.unref();
    hooks.add(this);
    this.setActive(true);
    if (kind === 'idle') loop.soon();
  }

  /** @internal */
  get label(): string {
    return `a ${this.kind} hook`;
  }

  /** @internal */
  fire(timeoutMs: number): void {
    this.invoke(this.#callback, timeoutMs, this);
  }

  protected release(): void {
    this.#hooks.delete(this);
  }
}
