// What the suite saw, for docs/portability.md. The run of a backend writes its observations to
// packages/testkit/.results/; scripts/portability.mjs compares them with what is committed in
// docs/portability/, or makes the page from them.
import { strict as assert } from 'node:assert';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Capabilities, Events } from '@pollux/core';
import type { Condition } from './conditions.js';
import { describeEvents } from './driven-poller.js';
import { capabilitiesOf } from './table.js';

/** A kind of descriptor, and whether the backend watches it: `yes`, or the code of the refusal. */
export interface KindRow {
  readonly kind: string;
  readonly guaranteed: boolean;
  readonly watch: string;
}

/**
 * A condition, and what a level-triggered registration for everything reports of it. `readable` and
 * `writable` are null where they are not promised; what was seen of them is then among the hints.
 */
export interface ConditionRow {
  readonly condition: string;
  readonly readable: boolean | null;
  readonly writable: boolean | null;
  readonly hints: string;
}

/** One file of results: the rows of one test file, on one backend. */
interface Results {
  readonly platform: string;
  readonly backend: string;
  readonly capabilities: Omit<Capabilities, 'timeoutResolutionMs'>;
  readonly kinds?: readonly KindRow[];
  readonly conditions?: readonly ConditionRow[];
}

/** Whose kernel this was; the model of kqueue is nobody's. */
const platform = process.env.POLLUX_KQUEUE_MODEL === undefined ? process.platform : 'model';
const directory = fileURLToPath(new URL('../../.results/', import.meta.url));

/** Collects the rows of one section and backend. Both ways of waiting must see the same. */
export class PortabilityRecord<Row extends KindRow | ConditionRow> {
  readonly #section: 'kinds' | 'conditions';
  readonly #backend: string;
  readonly #rows = new Map<string, Row | undefined>();
  readonly #titles: readonly string[];

  /** Removes what an earlier run has left, so that no failure can pass for its success. */
  constructor(
    section: Row extends KindRow ? 'kinds' : 'conditions',
    backend: string,
    table: readonly { readonly title: string }[],
  ) {
    this.#section = section;
    this.#backend = backend;
    this.#titles = table.map(({ title }) => title);
    rmSync(this.#path(), { force: true });
  }

  note(title: string, row: Row): void {
    const known = this.#rows.get(title);
    if (known !== undefined) assert.deepEqual(row, known, `${title}: seen differently before`);
    this.#rows.set(title, row);
  }

  /** This system has no such thing, or forbids it here. */
  skip(title: string): void {
    this.#rows.set(title, undefined);
  }

  /** Writes the rows; not those of a run that was cut short or narrowed to some tests. */
  write(): void {
    if (!this.#titles.every((title) => this.#rows.has(title))) return;
    const { timeoutResolutionMs: _, ...capabilities } = capabilitiesOf(this.#backend);
    const results: Results = {
      platform,
      backend: this.#backend,
      capabilities,
      [this.#section]: this.#titles.flatMap((title) => this.#rows.get(title) ?? []),
    };
    mkdirSync(directory, { recursive: true });
    writeFileSync(this.#path(), `${JSON.stringify(results, null, 2)}\n`);
  }

  #path(): string {
    return `${directory}${platform}-${this.#backend}.${this.#section}.json`;
  }
}

/** The row of a condition that was reported as `events` to somebody who asked for everything. */
export function conditionRow({ title, guaranteed, only }: Condition, events: number): ConditionRow {
  const promised = (bit: 'readable' | 'writable') =>
    guaranteed && (only === undefined || only === bit);
  let hints = events;
  const column = (bit: 'readable' | 'writable') => {
    if (!promised(bit)) return null;
    hints &= ~Events[bit];
    return (events & Events[bit]) !== 0;
  };
  const readable = column('readable');
  const writable = column('writable');
  return { condition: title, readable, writable, hints: describeEvents(hints) };
}
