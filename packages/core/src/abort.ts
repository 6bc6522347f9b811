// Handles that an AbortSignal closes. One listener per signal for all of them: a signal may have
// thousands of handles, Node warns of a leak at 11 listeners of one signal (in Node 20; its own APIs
// add one each, and tell people to raise the limit), and looks for one to remove in a list.
interface Closable {
  close(): void;
}

const heeding = new WeakMap<AbortSignal, { closables: Set<Closable>; onAbort: () => void }>();

/** Closes it when the signal is aborted. */
export function heed(signal: AbortSignal, closable: Closable): void {
  const known = heeding.get(signal);
  if (known !== undefined) {
    known.closables.add(closable);
    return;
  }
  const closables = new Set([closable]);
  const onAbort = (): void => {
    for (const each of closables) each.close();
  };
  heeding.set(signal, { closables, onAbort });
  signal.addEventListener('abort', onAbort, { once: true });
}

/** Not any more. The last one takes the listener with it. */
export function ignore(signal: AbortSignal, closable: Closable): void {
  const known = heeding.get(signal);
  if (!known?.closables.delete(closable) || known.closables.size > 0) return;
  heeding.delete(signal);
  signal.removeEventListener('abort', known.onAbort);
}
