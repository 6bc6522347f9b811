// What the readers of the latency benchmark share: times since a stamp was written, and their answer.
import { say } from './control.mjs';

export const STAMP = 8;
let latencies = [];

/** Call it with what was read as soon as the callback runs. */
export function arrived(stamps, length) {
  const now = process.hrtime.bigint(); // CLOCK_MONOTONIC, as in load/pipe-writer.c
  for (let at = 0; at + STAMP <= length; at += STAMP) {
    latencies.push(Number(now - stamps.readBigInt64LE(at)) / 1000);
  }
}

/** Tells the microseconds since the last answer. */
export function answer() {
  const sorted = latencies.sort((a, b) => a - b);
  latencies = [];
  const at = (share) => sorted[Math.floor(share * (sorted.length - 1))];
  say({ messages: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99) });
}
