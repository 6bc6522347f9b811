// How much was put to the test: a fuzz that finds nothing because it does nothing would be the worst.
import { strict as assert } from 'node:assert';

/** Events of our own sockets, and what else must have happened, for a run to count. */
const WANTED = [
  ...['connections', 'bytes', 'connect', 'data', 'end', 'drain', 'error', 'close'],
  ...['connection', 'finish', 'message', 'refused', 'exceptions', 'abandoned'],
  ...[
    'lent',
    'relayed',
    'fds',
    'fds relayed',
    'unix message',
    'unix drain',
    'unix refused',
    'unix fds',
  ],
  ...['segments', 'stops', 'closed within'],
];

export class Tally {
  readonly #counts = new Map<string, number>();

  count(what: string, by = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + by);
  }

  /** Throws if something never happened. */
  judge(): void {
    for (const what of WANTED) assert.ok(this.#counts.has(what), `the fuzz saw no ${what}`);
  }

  toString(): string {
    return WANTED.map((what) => `${this.#counts.get(what) ?? 0} ${what}`).join(', ');
  }
}
