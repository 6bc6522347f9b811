// Random numbers that can be had again: a test prints its seed, POLLUX_TEST_SEED repeats it.
export const seed: number = Number(process.env.POLLUX_TEST_SEED ?? Date.now() % 1_000_000);

/** Even numbers from 0 to 1 (mulberry32). */
export function random(from: number): () => number {
  let state = from >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
