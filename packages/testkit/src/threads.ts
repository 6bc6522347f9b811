// Things that happen to a JavaScript thread while it is blocked in a wait: a signal, bytes that
// arrive, a descriptor that is closed. Native threads do them.
import { check, native, toBytes } from './native.js';
import { forget } from './scope.js';

/** Interrupts the calling thread every `periodMs` (EINTR), `count` times; one at a time. */
export function startInterrupter(periodMs: number, count = 1_000_000): void {
  check(native.startInterrupter(periodMs, count), 'startInterrupter');
}

/** Ends it, restores the signal's handler and returns how many signals were delivered. */
export function stopInterrupter(): number {
  return check(native.stopInterrupter(), 'stopInterrupter');
}

/** Writes once from a native thread, after a delay; the bytes are copied now. */
export function writeLater(fd: number, bytes: Uint8Array | string, delayMs: number): void {
  check(native.writeLater(fd, toBytes(bytes), delayMs), 'writeLater');
}

/** Closes from a native thread, after a delay; every FdScope forgets the number now. */
export function closeLater(fd: number, delayMs: number): void {
  check(native.closeLater(fd, delayMs), 'closeLater');
  forget(fd);
}

/** Blocks until every writeLater and closeLater of this process is done. */
export function settleLater(): void {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  while (native.pendingLater() > 0) Atomics.wait(cell, 0, 0, 1);
}
