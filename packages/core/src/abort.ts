// What an AbortSignal closes: handles, and the sockets of packages above. One listener per signal for
// all of them: a signal may have thousands, Node warns of a leak at 11 listeners of one signal (in
// Node 20; its own APIs add one each, and tell people to raise the limit), and looks for one to remove
// in a list.
import { invalidType } from './errors.js';

/** What a signal may close. */
export interface Abortable {
  /** The signal was aborted. */
  abort(reason: unknown): void;
}

const followed = new WeakMap<AbortSignal, { abortables: Set<Abortable>; onAbort: () => void }>();

/**
 * Checks `options.signal`, which may be left out; the last check, for an aborted signal is thrown, as
 * its reason, before anything is begun.
 */
export function checkSignal(value: unknown): void {
  if (value === undefined) return;
  if (!(value instanceof AbortSignal)) {
    throw invalidType('options.signal', 'an AbortSignal', value);
  }
  value.throwIfAborted();
}

/** Calls `abort` when the signal is aborted, unless `unfollowSignal` was called before. */
export function followSignal(signal: AbortSignal, abortable: Abortable): void {
  const known = followed.get(signal);
  if (known !== undefined) {
    known.abortables.add(abortable);
    return;
  }
  const abortables = new Set([abortable]);
  const onAbort = (): void => {
    // Each takes itself off the list, and whatever else it closes.
    for (const each of abortables) each.abort(signal.reason);
  };
  followed.set(signal, { abortables, onAbort });
  signal.addEventListener('abort', onAbort, { once: true });
}

/** Not any more. The last one takes the listener with it. */
export function unfollowSignal(signal: AbortSignal, abortable: Abortable): void {
  const known = followed.get(signal);
  if (!known?.abortables.delete(abortable) || known.abortables.size > 0) return;
  followed.delete(signal);
  signal.removeEventListener('abort', known.onAbort);
}
