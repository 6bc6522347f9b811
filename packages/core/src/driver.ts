// How an attached reactor waits inside Node's own loop.
//
// `thread`: the poller blocks on a thread of its own and calls back through a threadsafe function.
// It works with every primitive and on every runtime with Node-API. (The other way, putting the
// primitive's descriptor into Node's own loop, has its place beside it.)
import type { Attachment, Poller } from './poller.js';

export interface Driver {
  readonly name: string;
  /** Waits for at most `timeoutMs`, then has `onReady` called once. */
  arm(timeoutMs: number): void;
  /** Moves the deadline of the wait under way. */
  retime(timeoutMs: number): void;
  /** In `onReady`: how many records are in `poller.events` now. */
  harvest(): number;
  keepAlive(keep: boolean): void;
  close(): void;
}

export const DRIVER_NAMES: readonly string[] = ['thread'];

export function threadDriver(poller: Poller, onReady: () => void): Driver {
  const attachment: Attachment = poller.attach(onReady);
  return {
    name: 'thread',
    arm: (timeoutMs) => attachment.arm(timeoutMs),
    retime: (timeoutMs) => attachment.retime(timeoutMs),
    harvest: () => attachment.harvest(),
    keepAlive: (keep) => attachment.keepAlive(keep),
    close: () => attachment.detach(),
  };
}
