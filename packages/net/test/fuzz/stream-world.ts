// What two ends of a connection tell of themselves, and what a player needs of the round it plays in.
import { strict as assert } from 'node:assert';
import type { Dice } from './dice.js';
import type { Side } from './stream-plan.js';

/** The client says first who it is: a magic number, the round, the connection, and their sum. */
export const HEADER = 16;
const MAGIC = 0x706f_6c78;

export function makeHeader(round: number, id: number): Buffer {
  const header = Buffer.alloc(HEADER);
  for (const [i, word] of [MAGIC, round, id, (MAGIC + round + id) >>> 0].entries()) {
    header.writeUInt32LE(word >>> 0, 4 * i);
  }
  return header;
}

/** The round and the connection that a header names. */
export function readHeader(header: Buffer): { round: number; id: number } {
  const [magic, round, id, sum] = [0, 4, 8, 12].map((at) => header.readUInt32LE(at)) as number[];
  assert.ok(
    magic === MAGIC && sum === (MAGIC + round! + id!) >>> 0,
    `a connection begins with ${header.toString('hex')}, no header`,
  );
  return { round: round as number, id: id as number };
}

/** What one end says when it is closed. */
export interface StreamReport {
  readonly id: number;
  readonly side: Side;
  readonly kind: string;
  readonly sent: number;
  readonly received: number;
  /** Messages with descriptors. */
  readonly parcelsSent: number;
  readonly parcelsReceived: number;
  /** Who broke it off at this end, or ''. */
  readonly broken: string;
  readonly sawEnd: boolean;
  /** The codes of its errors that are not its own. */
  readonly errors: readonly string[];
}

/** What a player needs of the round it plays in. */
export interface StreamWorld {
  say(line: string): void;
  /** Counts what was put to the test. */
  count(what: string, by?: number): void;
  failed(error: unknown): void;
  /** An error that is meant to be nobody's but the process's. */
  makePlanned(): Error;
  /** Does something to somebody else. */
  meddle(dice: Dice): void;
  /** False once the reactor was closed in the middle of everything. */
  alive(): boolean;
  /** The listener that a client is connected to now may want to end, before it hands it out. */
  connected(id: number): void;
  closed(report: StreamReport): void;
}
