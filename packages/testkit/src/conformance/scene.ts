// What one test sets up around a poller: descriptors, a directory for what has a path, and
// whatever else must be undone. Left in the opposite order: `using scene = new Scene()`.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kernelPoll, type PollName } from '../descriptors.js';
import { FdScope } from '../scope.js';

export class Scene implements Disposable {
  readonly fds: FdScope = new FdScope();
  readonly #undo: (() => void)[] = [];
  #directory: string | undefined;

  /** A path of a name that nothing else uses. */
  path(name: string): string {
    this.#directory ??= mkdtempSync(join(tmpdir(), 'pollux-'));
    return join(this.#directory, name);
  }

  /** Does something when the scene is left, before its descriptors are closed. */
  defer(undo: () => void): void {
    this.#undo.push(undo);
  }

  [Symbol.dispose](): void {
    for (const undo of this.#undo.reverse()) undo();
    this.fds.closeAll();
    if (this.#directory !== undefined) rmSync(this.#directory, { recursive: true });
  }
}

/** Everything that poll(2) can be asked for. */
export const allPollNames: readonly PollName[] = ['in', 'out', 'pri', 'rdhup'];

/**
 * Waits until poll(2), the oracle, sees all of `until` and none of `without`, and gives back what it
 * sees: what is sent over a socket or a terminal need not be there the next moment.
 */
export function settled(
  fd: number,
  until: readonly PollName[],
  without: readonly PollName[] = [],
): readonly PollName[] {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  for (let tries = 0; ; tries++) {
    const seen = kernelPoll([fd], allPollNames)[0]!;
    if (until.every((name) => seen.includes(name)) && !without.some((name) => seen.includes(name)))
      return seen;
    if (tries === 5000) throw new Error(`fd ${fd} polls as ${seen}, not as ${until}`);
    Atomics.wait(cell, 0, 0, 1);
  }
}
