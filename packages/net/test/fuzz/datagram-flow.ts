// What one socket sends to another, datagram by datagram: what was sent is remembered, and what is
// received must be the next of it, or, where the system may drop, one further on. So nothing comes
// twice, out of order, cut, or from somebody else; and without a loss that is allowed, all comes.
import { strict as assert } from 'node:assert';
import { explain, fill, keyOf, matches } from './pattern.js';

/** Magic, round, flow, number, length, and the sum of these. */
const HEADER = 24;
const MAGIC = 0x706f_6c75;
/** How far the noise of one datagram is from that of the next. */
const STRIDE = 1009;

/** What a datagram takes of a receive buffer, more or less: sk_buffs are larger than their payload. */
export function weight(length: number): number {
  return 2 * length + 2048;
}

export class Flow {
  readonly #round: number;
  readonly #id: number;
  readonly #key: number;
  readonly #lengths: number[] = [];
  #next = 0;
  #weight = 0;
  #sealed = Number.POSITIVE_INFINITY;
  /** The system may drop what it has no room for. */
  lossy: boolean;

  constructor(round: number, id: number, lossy: boolean) {
    this.#round = round;
    this.#id = id;
    this.#key = keyOf(round, id, 2);
    this.lossy = lossy;
  }

  /** What is under way, as the receiver's buffer counts it. */
  get outstanding(): number {
    return this.#weight;
  }

  get sent(): number {
    return this.#lengths.length;
  }

  get received(): number {
    return this.#next;
  }

  /** Whether everything has come that must. */
  get complete(): boolean {
    return this.lossy || this.#next >= Math.min(this.sent, this.#sealed);
  }

  /** What is sent from now on need not arrive. */
  seal(): void {
    this.#sealed = Math.min(this.#sealed, this.sent);
  }

  /** Writes the next datagram into `bytes`, all of it. */
  write(bytes: Buffer): void {
    fill(bytes, this.#key, this.sent * STRIDE);
    if (bytes.length >= HEADER) this.#header(this.sent, bytes.length).copy(bytes);
  }

  /** It was taken to be sent. */
  wasSent(length: number): void {
    this.#lengths.push(length);
    this.#weight += weight(length);
  }

  /** Throws if this is not what comes next. */
  receive(data: Buffer): void {
    const lengths = this.#lengths;
    let at = this.#next;
    while (at < lengths.length && !this.#is(data, at)) {
      if (!this.lossy && at < this.#sealed) assert.fail(this.#explain(data, at));
      at++;
    }
    if (at === lengths.length) assert.fail(this.#explain(data, this.#next));
    for (let i = this.#next; i <= at; i++) this.#weight -= weight(lengths[i] as number);
    this.#next = at + 1;
  }

  #is(data: Buffer, at: number): boolean {
    if (data.length !== this.#lengths[at]) return false;
    if (data.length < HEADER) return matches(data, this.#key, at * STRIDE);
    if (!data.subarray(0, HEADER).equals(this.#header(at, data.length))) return false;
    return matches(data.subarray(HEADER), this.#key, at * STRIDE + HEADER);
  }

  #header(at: number, length: number): Buffer {
    const header = Buffer.alloc(HEADER);
    const words = [MAGIC, this.#round, this.#id, at, length];
    const sum = words.reduce((total, word) => (total + word) >>> 0);
    for (const [i, word] of [...words, sum].entries()) header.writeUInt32LE(word >>> 0, 4 * i);
    return header;
  }

  #explain(data: Buffer, at: number): string {
    const expected = `expected number ${at} of ${this.sent}, of ${this.#lengths[at]} bytes`;
    if (data.length < HEADER || data.readUInt32LE(0) !== MAGIC) {
      const what = data.length === 0 ? 'nothing' : explain(data, this.#key, at * STRIDE);
      return `flow ${this.#id}: ${expected}, got ${data.length} bytes: ${what}`;
    }
    const [round, id, number, length] = [4, 8, 12, 16].map((from) => data.readUInt32LE(from));
    const got = `number ${number} of flow ${id} of round ${round}, of ${length} bytes`;
    return `flow ${this.#id} of round ${this.#round}: ${expected}, got ${data.length} bytes: ${got}`;
  }
}
