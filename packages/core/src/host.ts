// What a reactor asks of the runtime around it: to run what callbacks have queued (nextTicks and
// promises) between two callbacks of a batch, and to report what a callback threw.
//
// Runtimes drain their queues when a native callback returns, which is once per batch. Between two
// callbacks it is done by the function that the runtime itself calls between two timers, on Node
// process._tickCallback. That is no public API, so it is not trusted but tried: the first drain plants a
// nextTick and looks whether it ran. Where not, nextTicks and promises run once per batch.
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

/**
 * Whether the runtime itself runs nextTicks and promises at the end of an attached turn, when the native
 * callback returns. Deno runs promises then, but nextTicks only when its loop goes round, which may be
 * after the next turn.
 */
export const ENDS_TURNS: boolean = process.versions.deno === undefined;

export function hostFor(binding: NativeBinding | undefined): Host {
  if (binding === undefined) return scriptHost;
  const runQueues = queueRunner();
  let works: boolean | undefined;
  function drain(): boolean {
    if (works === false || typeof runQueues !== 'function') return false;
    if (works === undefined) {
      works = false;
      process.nextTick(() => {
        works = true;
      });
    }
    // A nextTick that throws ends it before the rest, and the planted one, have run.
    while (binding?.call(runQueues));
    return works;
  }
  return {
    drain,
    run(body) {
      while (binding.call(body));
    },
    drainWithin() {
      if (works) runQueues?.();
      else drain();
    },
    report: denosReport ?? ((error) => binding.report(error)),
  };
}

/** What runs nextTicks and promise reactions now, on this runtime, if it has such a thing. */
function queueRunner(): (() => void) | undefined {
  // Bun's process._tickCallback does nothing. This one runs promises before nextTicks.
  if (process.versions.bun !== undefined) {
    const jsc = process.getBuiltinModule('bun:jsc') as { drainMicrotasks?: () => void } | undefined;
    return jsc?.drainMicrotasks;
  }
  if (process.versions.deno !== undefined) {
    const { Deno } = globalThis as unknown as { Deno?: DenoNamespace };
    return Deno?.internal && Deno[Deno.internal]?.core?.runNextTicks;
  }
  return (process as unknown as { _tickCallback?: () => void })._tickCallback;
}

interface DenoNamespace {
  /** The key of what is for Deno's own modules. */
  readonly internal?: symbol;
  readonly [key: symbol]: { readonly core?: { readonly runNextTicks?: () => void } } | undefined;
}

/**
 * Where nobody listens, Deno ends inside a native callback with no more than `Uncaught null`, be it by
 * napi_fatal_exception or by what pages have. So the error is written first, unless a listener that came
 * before has taken it.
 */
const denosReport: ((error: unknown) => void) | undefined =
  process.versions.deno === undefined
    ? undefined
    : (error) => {
        const page = globalThis as unknown as Page;
        const write = (event: Event): void => {
          if (!event.defaultPrevented) console.error('Uncaught', error);
        };
        page.addEventListener('error', write);
        try {
          page.reportError(error);
        } finally {
          page.removeEventListener('error', write);
        }
      };

interface Page extends EventTarget {
  reportError(error: unknown): void;
}

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
