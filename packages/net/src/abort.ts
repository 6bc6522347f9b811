// Sockets that an AbortSignal closes. One listener per signal for all of them: a signal may have
// thousands, and Node warns of a leak at 11 listeners of one.
import { invalidType } from '@pollux/core';

interface Abortable {
  /** The signal was aborted. */
  abort(reason: unknown): void;
}

const heeding = new WeakMap<AbortSignal, { abortables: Set<Abortable>; onAbort: () => void }>();

/** The last check: an aborted signal is thrown, as its reason, before anything is begun. */
export function checkSignal(value: unknown): void {
  if (value === undefined) return;
  if (!(value instanceof AbortSignal)) {
    throw invalidType('options.signal', 'an AbortSignal', value);
  }
  value.throwIfAborted();
}

export function heed(signal: AbortSignal, abortable: Abortable): void {
  const known = heeding.get(signal);
  if (known !== undefined) {
    known.abortables.add(abortable);
    return;
  }
  const abortables = new Set([abortable]);
  const onAbort = (): void => {
    heeding.delete(signal);
    for (const each of abortables) each.abort(signal.reason);
  };
  heeding.set(signal, { abortables, onAbort });
  signal.addEventListener('abort', onAbort, { once: true });
}

/** Not any more. The last one takes the listener with it. */
export function ignore(signal: AbortSignal, abortable: Abortable): void {
  const known = heeding.get(signal);
  if (!known?.abortables.delete(abortable) || known.abortables.size > 0) return;
  heeding.delete(signal);
  signal.removeEventListener('abort', known.onAbort);
}
