// The address slots that native code fills and reads, in one array: one for each record of a receive,
// its sender's and that of our own address; a cache of the endpoints that were met; and room for
// those of a send that the cache has no place for.
//
// A job of a send names a slot by its number. So answering a peer copies nothing: its endpoint knows
// its place in the cache. The cache is direct-mapped: of two endpoints that share a place the later
// one takes it, unless a job that is not sent yet refers to it. So it is bounded, and there is
// nothing to evict.
import { Addressed } from './endpoint.js';
import { SLOT_LENGTH_WORD, SLOT_SIZE } from './native.js';

/** Makes the endpoint of a slot; undefined if there is none. One for each family of addresses. */
export type Decode<T extends Addressed> = (slots: Uint8Array, offset: number) => T | undefined;

const CACHE_SIZE = 1024; // a power of two
const SLOT_WORDS = SLOT_SIZE / 4;

export class EndpointTable {
  readonly slots: Uint8Array;
  readonly #words: Int32Array;
  /** The numbers of the first slots of the cache, and of those behind it. */
  readonly #cache: number;
  readonly #copies: number;
  readonly #owners: (Addressed | undefined)[] = [];
  /** The round in which a job last referred to a place. */
  readonly #referred = new Int32Array(CACHE_SIZE);
  #round = 1;
  #copied = 0;

  /** `received` slots come first; behind the cache there is room for `copies`. */
  constructor(received: number, copies: number) {
    this.#cache = received;
    this.#copies = received + CACHE_SIZE;
    this.slots = new Uint8Array((received + CACHE_SIZE + copies) * SLOT_SIZE);
    this.#words = new Int32Array(this.slots.buffer);
    for (let i = 0; i < CACHE_SIZE; i++) this.#owners.push(undefined);
  }

  /** The endpoint in a slot, made once for each; undefined if it holds none. */
  get<T extends Addressed>(slot: number, decode: Decode<T>): T | undefined {
    const place = this.#placeFor(slot);
    const owner = this.#owners[place];
    if (owner !== undefined && this.#same(slot, this.#cache + place)) {
      return owner as T; // the same address, so it was the same decoder
    }
    const endpoint = decode(this.slots, slot * SLOT_SIZE);
    if (endpoint !== undefined) this.#install(endpoint, slot, place);
    return endpoint;
  }

  /** The number of a slot that holds an endpoint, until `nextRound`. */
  refer(endpoint: Addressed): number {
    const known = Addressed.placeOf(endpoint);
    if (known >= 0 && this.#owners[known] === endpoint) {
      this.#referred[known] = this.#round;
      return this.#cache + known;
    }
    const slot = this.#copies + this.#copied++;
    this.slots.set(Addressed.slotOf(endpoint), slot * SLOT_SIZE);
    const place = this.#placeFor(slot);
    if (!this.#install(endpoint, slot, place)) return slot;
    this.#copied--;
    this.#referred[place] = this.#round;
    return this.#cache + place;
  }

  /** Everything that was referred to is sent. */
  nextRound(): void {
    this.#round = (this.#round + 1) | 0;
    this.#copied = 0;
  }

  #placeFor(slot: number): number {
    const words = this.#words;
    const first = slot * SLOT_WORDS;
    const end = first + (((words[first + SLOT_LENGTH_WORD] as number) + 3) >> 2);
    let hash = 0;
    for (let i = first; i < end; i++) {
      hash = Math.imul(hash ^ (words[i] as number), 0x9e37_79b1);
      hash ^= hash >>> 15;
    }
    return hash & (CACHE_SIZE - 1);
  }

  #same(slot: number, other: number): boolean {
    const words = this.#words;
    const a = slot * SLOT_WORDS;
    const b = other * SLOT_WORDS;
    const length = words[a + SLOT_LENGTH_WORD] as number;
    if (words[b + SLOT_LENGTH_WORD] !== length) return false;
    const count = (length + 3) >> 2;
    let i = 0;
    while (i < count && words[a + i] === words[b + i]) i++;
    return i === count;
  }

  /** False if the place is needed for somebody else. */
  #install(endpoint: Addressed, slot: number, place: number): boolean {
    if (this.#referred[place] === this.#round) return false;
    const from = slot * SLOT_WORDS;
    this.#words.copyWithin((this.#cache + place) * SLOT_WORDS, from, from + SLOT_WORDS);
    this.#owners[place] = endpoint;
    Addressed.setPlace(endpoint, place);
    return true;
  }
}
