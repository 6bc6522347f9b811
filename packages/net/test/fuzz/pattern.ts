// Bytes that tell where they belong. There is one long table of noise, and each direction of each
// stream begins somewhere else in it: so making and checking bytes are memory copies and compares,
// and bytes that are lost, doubled, swapped or another stream's do not match. Only a shift by a whole
// period would: it is a prime near 2^20, which no buffer size divides.
import { Dice, mix } from './dice.js';

const PERIOD = 1_048_573;
/** Enough to find a place in the table without doubt. */
const PROBE = 12;

const table = Buffer.allocUnsafeSlow(PERIOD + PROBE);
const noise = new Dice(1);
for (let i = 0; i < PERIOD; i++) table[i] = noise.below(256);
table.copy(table, PERIOD, 0, PROBE);

/** Where a direction begins in the table: `keyOf(round, connection, side)`. */
export function keyOf(...numbers: number[]): number {
  return numbers.reduce(mix, 0x1656_67b1) % PERIOD;
}

/** Calls with each piece of the table that makes up `length` bytes from `position` on. */
function eachPiece(
  key: number,
  position: number,
  length: number,
  call: (piece: Buffer, at: number) => boolean,
): boolean {
  let from = (key + position) % PERIOD;
  for (let at = 0; at < length; from = 0) {
    const count = Math.min(length - at, PERIOD - from);
    if (!call(table.subarray(from, from + count), at)) return false;
    at += count;
  }
  return true;
}

/** Writes what belongs at `position` into all of `bytes`. */
export function fill(bytes: Buffer, key: number, position: number): Buffer {
  eachPiece(key, position, bytes.length, (piece, at) => {
    piece.copy(bytes, at);
    return true;
  });
  return bytes;
}

/** Whether `bytes` are what belongs at `position`. */
export function matches(bytes: Buffer, key: number, position: number): boolean {
  return eachPiece(key, position, bytes.length, (piece, at) =>
    bytes.subarray(at, at + piece.length).equals(piece),
  );
}

/** Says what is wrong with bytes that do not match. */
export function explain(bytes: Buffer, key: number, position: number): string {
  let first = 0;
  while (first < bytes.length && matches(bytes.subarray(first, first + 1), key, position + first)) {
    first++;
  }
  const wrong = bytes.subarray(first);
  const said = `byte ${first} of ${bytes.length}, position ${position + first}, is wrong`;
  if (wrong.length < PROBE) return `${said}: ${wrong.toString('hex')}`;
  const found = table.indexOf(wrong.subarray(0, PROBE));
  if (found < 0) return `${said}: noise of nobody's`;
  const own = (found - key + PERIOD) % PERIOD;
  return `${said}: it belongs at ${own} if it is this one's (place ${found} of the table)`;
}
