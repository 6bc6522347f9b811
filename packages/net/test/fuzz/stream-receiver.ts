// Checks what one end of a connection receives: the header, if it comes from a client, and then every
// byte, in its place; and later once more, whether anybody has written over it. Descriptors come before
// the bytes that they were sent with, in their order.
import { strict as assert } from 'node:assert';
import type { OwnedFd } from '@pollux/net';
import { openParcels } from './parcels.js';
import { explain, keyOf, matches } from './pattern.js';
import type { Side, StreamPlan } from './stream-plan.js';
import { HEADER, readHeader } from './stream-world.js';

/** Pieces that are looked at again. */
const KEPT = 3;

/** Who a label says it is from. */
export function fdKeyOf({ round, id }: StreamPlan, sender: Side): number {
  return keyOf(round, id, sender === 'client' ? 5 : 6);
}

export class StreamReceiver {
  readonly #plan: StreamPlan;
  readonly #key: number;
  readonly #total: number;
  readonly #kept: { data: Buffer; at: number }[] = [];
  #head: Buffer;
  #headDone: boolean;
  #received = 0;
  readonly #fdKey: number;
  #parcels = 0;
  /** Where in the stream the descriptors belong that came since the last bytes. */
  #arrived: number[] = [];

  constructor(plan: StreamPlan, side: Side) {
    this.#plan = plan;
    this.#key = keyOf(plan.round, plan.id, side === 'client' ? 1 : 0);
    this.#fdKey = fdKeyOf(plan, side === 'client' ? 'server' : 'client');
    this.#total = plan[side === 'client' ? 'server' : 'client'].total;
    this.#head = Buffer.alloc(0);
    this.#headDone = side === 'client';
  }

  /** Bytes so far, without the header. */
  get received(): number {
    return this.#received;
  }

  /** Bytes of the header so far. */
  get headLength(): number {
    return this.#head.length;
  }

  /** Messages with descriptors so far. */
  get parcels(): number {
    return this.#parcels;
  }

  /** Throws if these are not the next descriptors. */
  takeFds(fds: readonly OwnedFd[]): void {
    const { at } = openParcels(fds, this.#fdKey, this.#parcels);
    this.#parcels++;
    this.#arrived.push(at);
  }

  /**
   * Throws if these are not the next bytes; returns how many they are without the header. `lent`:
   * they are looked at now only.
   */
  take(all: Buffer, lent: boolean): number {
    const before = this.headLength + this.#received;
    for (const at of this.#arrived) {
      const with_ = `byte ${at}, and came with bytes ${before} to ${before + all.length}`;
      // A relay sends them on with the first byte of what it has read.
      const fits = at >= before && (this.#plan.relayed || at < before + all.length);
      assert.ok(fits, `descriptors were sent with ${with_}`);
    }
    this.#arrived = [];
    const data = this.#headDone ? all : this.#takeHead(all);
    if (!matches(data, this.#key, this.#received)) {
      assert.fail(explain(data, this.#key, this.#received));
    }
    if (!lent && this.#kept.length < KEPT) this.#kept.push({ data, at: this.#received });
    this.#received += data.length;
    const planned = `${this.#received} bytes received, ${this.#total} planned`;
    assert.ok(this.#received <= this.#total, planned);
    return data.length;
  }

  /** What was received is the listener's own: nobody has written over it. */
  lookAgain(): void {
    for (const { data, at } of this.#kept) {
      if (matches(data, this.#key, at)) continue;
      assert.fail(`bytes changed later: ${explain(data, this.#key, at)}`);
    }
  }

  #takeHead(data: Buffer): Buffer {
    const missing = HEADER - this.#head.length;
    this.#head = Buffer.concat([this.#head, data.subarray(0, missing)]);
    if (this.#head.length === HEADER) {
      this.#headDone = true;
      const { round, id } = this.#plan;
      assert.deepEqual(readHeader(this.#head), { round, id });
    }
    return data.subarray(missing);
  }
}
