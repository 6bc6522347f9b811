// What a reactor asks of the runtime around it: to run what callbacks have queued (nextTicks and
// promises) between two callbacks of a batch, and to report what a callback threw.
//
// Node drains its queues when a native callback scope closes, which is once per batch. Between two
// callbacks it is done by process._tickCallback, the function Node itself calls between two timers.
// It is no public API, so it is not trusted but tried: the first drain plants a nextTick and looks
// whether it ran. Where not (Bun), or where there is none (Deno), they run once per batch.
//
// V8 does not run promise reactions inside a promise reaction. A blocking turn that is itself taken
// in one (after an await, or at the top level of an ES module) gets its nextTicks only.
import type { NativeBinding } from './backend.js';

export interface Host {
  /** Runs pending nextTicks and promise reactions; false if this runtime gives no way to. */
  drain(): boolean;
  /**
   * Runs a body that drains by `drainWithin`. What such a drain throws is reported, and the body is
   * run again: it has to know where it was. Costs less than a `drain` each.
   */
  run(body: () => void): void;
  drainWithin(): void;
  /** Reports an error as the runtime reports what nobody caught (uncaughtException). */
  report(error: unknown): void;
}

type WithTickCallback = { _tickCallback?: () => void };

export function hostFor(binding: NativeBinding | undefined): Host {
  if (binding === undefined) return scriptHost;
  const tickCallback = (process as unknown as WithTickCallback)._tickCallback;
  let works: boolean | undefined;
  function drain(): boolean {
    if (works === false || typeof tickCallback !== 'function') return false;
    if (works === undefined) {
      works = false;
      process.nextTick(() => {
        works = true;
      });
    }
    // A nextTick that throws ends it before the rest, and the planted one, have run.
    while (binding?.call(tickCallback));
    return works;
  }
  return {
    drain,
    run(body) {
      while (binding.call(body));
    },
    drainWithin() {
      if (works) tickCallback?.();
      else drain();
    },
    report: denosReport ?? ((error) => binding.report(error)),
  };
}

/**
 * Where nobody listens, Deno's napi_fatal_exception says `Uncaught null`. What pages have says it only
 * inside a native callback, which is not where a blocking loop runs.
 */
const denosReport: ((error: unknown) => void) | undefined =
  process.versions.deno === undefined
    ? undefined
    : (error) =>
        (globalThis as unknown as { reportError(error: unknown): void }).reportError(error);

/** Without native code: an error is thrown where nothing of ours is on the stack. */
const scriptHost: Host = {
  drain: () => false,
  run: (body) => body(),
  drainWithin: () => {},
  report(error) {
    setImmediate(() => {
      throw error;
    });
  },
};
