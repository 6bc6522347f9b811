// Random choices: the same ones for the same seed. Whoever acts by itself has dice of its own, so that
// what the kernel does first in one place does not change what is chosen in another.

export class Dice {
  #state: number;

  constructor(...seed: number[]) {
    this.#state = seed.reduce(mix, 0x2545_f491);
  }

  /** A whole number from 0 up to `limit` (mulberry32). */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  /** True once in `n` times; never for 0. */
  once(n: number): boolean {
    return n > 0 && this.below(n) === 0;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  /** A size up to `most`: as often below 16 as between half of it and all, and so on. */
  size(most: number): number {
    const bits = Math.ceil(Math.log2(most + 1));
    return Math.min(most, this.below(2 ** this.between(0, bits)));
  }
}

/** Mixes a number into another, both of 32 bits. */
export function mix(state: number, value: number): number {
  let mixed = Math.imul(state ^ value, 0x9e37_79b1);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85eb_ca77);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}
