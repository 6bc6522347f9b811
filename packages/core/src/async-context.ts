// The async context that a timer was set in, kept at no cost while nobody can tell one from another.
//
// AsyncLocalStorage is made of async_hooks (before Node 24): a store is carried on by an init hook.
// While there is no init hook there is no store to carry, and nobody to tell of an AsyncResource; so
// none is made. No API tells whether there is an init hook, but a promise does: it is given an async
// id if and only if there is one. Where that is not known to be so, each timer has its AsyncResource.
//
// A callback without a context of its own runs in one that has no store, which is what it had when it
// was set, whatever the context of the loop is. As long as there is no hook all share one resource;
// from then on each call has its own, which `enterWith` may change.
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';

/** undefined: no store, and no hook had to be told. */
export type Context = AsyncResource | undefined;

const TYPE = 'POLLUXTIMER';

/** The engine's own, whatever has been put in place of the global one since. */
const NativePromise = (async () => {})().constructor as PromiseConstructor;
const ASYNC_ID = asyncIdKey();

let empty: AsyncResource | undefined;
let shared: AsyncResource | undefined;

/** The context of this moment. */
export function capture(): Context {
  if (isHooked()) return new AsyncResource(TYPE);
  empty ??= new AsyncResource(TYPE);
  return undefined;
}

/** Calls back in a context; throws what the callback throws. */
export function callIn<A>(context: Context, callback: (argument: A) => void, argument: A): void {
  if (context !== undefined) {
    context.runInAsyncScope(callback, undefined, argument);
  } else if (isHooked()) {
    shared = undefined;
    // Made in a context without stores, for it takes over those of its maker.
    const own = (empty as AsyncResource).runInAsyncScope(makeResource);
    try {
      own.runInAsyncScope(callback, undefined, argument);
    } finally {
      own.emitDestroy();
    }
  } else {
    shared ??= new AsyncResource(TYPE);
    shared.runInAsyncScope(callback, undefined, argument);
  }
}

function makeResource(): AsyncResource {
  return new AsyncResource(TYPE, { requireManualDestroy: true });
}

/** Whether async resources are told of, or may carry a store. */
function isHooked(): boolean {
  if (ASYNC_ID === undefined) return true;
  const probe = new NativePromise(never) as unknown as Record<symbol, unknown>;
  return probe[ASYNC_ID] !== undefined;
}

function never(): void {}

/**
 * The key of async ids, in a Node whose AsyncLocalStorage is made of hooks: that one has a method to
 * carry stores on, which the later one, made of frames, has not, nor has Bun's or Deno's.
 */
function asyncIdKey(): symbol | undefined {
  const { bun, deno } = process.versions;
  if (bun !== undefined || deno !== undefined) return undefined;
  if (!('_propagate' in AsyncLocalStorage.prototype)) return undefined;
  const keys = Object.getOwnPropertySymbols(new AsyncResource(TYPE));
  return keys.find(({ description }) => description === 'async_id_symbol');
}
