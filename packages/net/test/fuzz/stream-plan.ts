// What is to happen on one connection: made from a seed, written as plain data, so that the two ends
// may be played in two processes.
import { Dice } from './dice.js';

export type Side = 'client' | 'server';

export interface SidePlan {
  /** Bytes to send, unless the stream ends before. */
  total: number;
  /** How large the pieces are. */
  chunks: 'tiny' | 'mixed' | 'large' | 'whole';
  /** Stops writing at `false` and waits for 'drain', or does not care. */
  obeys: boolean;
  begins: 'at once' | 'connected' | 'later' | 'after end';
  /**
   * 'end': by itself, when all is written; 'end with data': the last piece in the call; 'follow':
   * after the peer's end; the others break it off.
   */
  finish: 'end' | 'end with data' | 'follow' | 'destroy' | 'destroy with error' | 'reset';
  /** Breaks off after so many bytes, sent and received, or so many steps. */
  breakBytes: number;
  breakSteps: number;
  reading: 'flow' | 'pauses' | 'stalls' | 'once' | 'late' | 'never';
  /** In one of so many callbacks something is done that should not matter; 0: never. */
  mischief: number;
  /** One of so many callbacks throws; 0: none. */
  throws: number;
  /** One of so many pieces carries descriptors, where the plan says that they can; 0: none. */
  fds: number;
}

export interface StreamPlan {
  readonly round: number;
  readonly id: number;
  /** When to begin, in steps of the round. */
  readonly start: number;
  /** Has a listener to itself: the server need not wait for the client to say who it is. */
  readonly solo: boolean;
  readonly client: SidePlan;
  readonly server: SidePlan;
  /** What the ends are made with; the same for both: made as a couple. */
  readonly clientKind: string;
  readonly serverKind: string;
  readonly couple: boolean;
  /** There are relays of ours between the ends. */
  readonly relayed: boolean;
  /** Both ends can pass descriptors to each other. */
  readonly passesFds: boolean;
  readonly clientHalfOpen: boolean;
  readonly serverHalfOpen: boolean;
  readonly highWaterMark: number;
}

const BREAKS = ['destroy', 'destroy with error', 'reset'] as const;
const WATER_MARKS = [0, 1, 1000, 65_536, 65_536, 1 << 20] as const;

/** Whether a side breaks the connection off. */
export function breaks({ finish }: SidePlan): boolean {
  return (BREAKS as readonly string[]).includes(finish);
}

/** Bytes in one direction: mostly few, sometimes a few megabytes. */
function total(dice: Dice): number {
  return dice.below(12) === 0 ? dice.size(4 << 20) : dice.size(300_000);
}

function makeSide(dice: Dice, wild: boolean): SidePlan {
  const size = total(dice);
  const finish = dice.once(5) ? dice.pick(BREAKS) : dice.pick(['end', 'end with data'] as const);
  const broken = (BREAKS as readonly string[]).includes(finish);
  const readings = ['flow', 'flow', 'pauses', 'stalls', 'once', 'late'] as const;
  return {
    total: size,
    // Single bytes of a megabyte would take the whole round.
    chunks: dice.pick(size < 4000 ? ['tiny', 'mixed', 'whole'] : ['mixed', 'large', 'whole']),
    obeys: dice.once(2),
    begins: dice.pick(['at once', 'at once', 'connected', 'later'] as const),
    finish,
    breakBytes: dice.once(3) ? Number.MAX_SAFE_INTEGER : dice.size(400_000),
    breakSteps: dice.between(1, 40),
    reading: broken && dice.once(3) ? 'never' : dice.pick(readings),
    mischief: wild ? dice.pick([0, 3, 10, 30]) : 0,
    throws: wild ? dice.pick([0, 0, 2, 8]) : 0,
    fds: dice.pick([0, 2, 8]),
  };
}

export interface Kinds {
  readonly client: readonly string[];
  readonly server: readonly string[];
  /** In place of the two: both ends at once. */
  readonly couple?: string;
}

/** What another process makes the end with that is its own. */
export function kindAbroad(kind: string, id: number): string {
  const [ours, theirs] = kind.startsWith('unix') ? ['unix', 'unix-node'] : ['pollux', 'node'];
  return id % 2 === 0 ? theirs : ours;
}

export function isAbroad(kind: string): boolean {
  return kind.endsWith('abroad');
}

/** The plan of one connection. `wild`: in this round callbacks throw and meddle. */
export function makePlan(round: number, id: number, kinds: Kinds, wild: boolean): StreamPlan {
  const dice = new Dice(round, id);
  const client = makeSide(dice, wild);
  const server = makeSide(dice, wild);
  // One of the two ends by itself, or neither ever would.
  if (!breaks(client) && !breaks(server) && dice.once(2)) {
    const follower = dice.once(2) ? client : server;
    follower.finish = 'follow';
    if (dice.once(2)) follower.begins = 'after end';
  }
  const clientKind = kinds.couple ?? dice.pick(kinds.client);
  const serverKind = kinds.couple ?? dice.pick(kinds.server);
  const couple = kinds.couple !== undefined;
  const relayed = !couple && dice.once(4);
  const passes = (kind: string) =>
    ['unix', 'pair', 'adopted'].includes(isAbroad(kind) ? kindAbroad(kind, id) : kind);
  const plan = {
    ...{ round, id, client, server, clientKind, serverKind, couple, relayed },
    passesFds: passes(clientKind) && passes(serverKind),
    start: dice.once(2) ? 0 : dice.below(30),
    solo: dice.once(4),
    clientHalfOpen: dice.once(2),
    serverHalfOpen: dice.once(2),
    highWaterMark: dice.pick(WATER_MARKS),
  };
  // Where the end follows by itself, nothing can be sent after it.
  if (!plan.clientHalfOpen && client.begins === 'after end') client.begins = 'at once';
  if (!plan.serverHalfOpen && server.begins === 'after end') server.begins = 'at once';
  return plan;
}

/** The size of the next piece, of `left` bytes. */
export function pieceOf({ chunks }: SidePlan, left: number, dice: Dice): number {
  if (chunks === 'whole') return left;
  const most = { tiny: 20, mixed: 100_000, large: 2 << 20 }[chunks];
  const least = chunks === 'large' ? 50_000 : 0;
  return Math.min(left, least + dice.size(most));
}
