// Descriptors that tell which one they are: the reading end of a pipe, or one of two sockets, with a
// label in it and noise that belongs to the label. Whoever gets one reads it to its end.
import { strict as assert } from 'node:assert';
import type { OwnedFd } from '@pollux/net';
import { close, pipe, read, socketpair, write } from '@pollux/testkit';
import { fill, keyOf, matches } from './pattern.js';

/** Magic, sender, message, which one of how many, where, and the sum of these. */
const WORDS = 7;
const NOISE = 40;
const MAGIC = 0x706f_6c66;

export interface Label {
  /** Who sent it: a hash of round, connection and side, or of a flow. */
  readonly from: number;
  /** Which message of the sender's, which of its descriptors, and how many they are. */
  readonly message: number;
  readonly index: number;
  readonly count: number;
  /** The place in the stream of the byte that it was sent with. */
  readonly at: number;
}

/** A descriptor with this label in it; the caller's to close. */
function makeParcel(label: Label): number {
  const { from, message, index, count, at } = label;
  const [reader, writer] = (message + index) % 2 === 0 ? pipe() : socketpair('stream');
  const bytes = Buffer.alloc(4 * WORDS + NOISE);
  const words = [MAGIC, from, message, index, count, at];
  const sum = words.reduce((total, word) => (total + word) >>> 0);
  for (const [i, word] of [...words, sum].entries()) bytes.writeUInt32LE(word >>> 0, 4 * i);
  fill(bytes.subarray(4 * WORDS), keyOf(from, message, index), 0);
  write(writer, bytes);
  close(writer);
  return reader;
}

/** The parcels of one message, and how to let go of ours. */
export function makeParcels(
  from: number,
  message: number,
  count: number,
  at: number,
): { fds: number[]; close(): void } {
  const fds = Array.from({ length: count }, (_, index) =>
    makeParcel({ from, message, index, count, at }),
  );
  return {
    fds,
    close: () => {
      for (const fd of fds) close(fd);
    },
  };
}

/** Reads what a descriptor has, and closes it. Throws if that is no label's. */
function openParcel(fd: OwnedFd): Label {
  try {
    const bytes = read(fd.fd, 1000);
    assert.ok(bytes !== null, 'a descriptor has nothing in it yet');
    assert.equal(bytes.length, 4 * WORDS + NOISE, 'a descriptor has no label in it');
    assert.equal(read(fd.fd)?.length, 0, 'a descriptor of which somebody else has the other end');
    const words = Array.from({ length: WORDS }, (_, i) => bytes.readUInt32LE(4 * i));
    const sum = words.slice(0, -1).reduce((total, word) => (total + word) >>> 0);
    assert.ok(words[0] === MAGIC && words.at(-1) === sum, 'a descriptor has a label that is wrong');
    const [, from, message, index, count, at] = words as [number, ...number[]] as number[];
    const label = { from, message, index, count, at } as Label;
    const key = keyOf(label.from, label.message, label.index);
    assert.ok(
      matches(bytes.subarray(4 * WORDS), key, 0),
      'a label is followed by noise not its own',
    );
    return label;
  } finally {
    fd.close();
  }
}

/** Opens all of one message, in their order; throws unless they are all of it and nothing else. */
export function openParcels(fds: readonly OwnedFd[], from: number, message: number): Label {
  const labels: Label[] = [];
  try {
    for (const fd of fds) labels.push(openParcel(fd));
  } finally {
    for (const fd of fds) fd.close();
  }
  const first = labels[0];
  assert.ok(first !== undefined, 'descriptors came, and there are none');
  const expected = labels.map((_, index) => ({
    ...{ from: from >>> 0, message, index },
    ...{ count: fds.length, at: first.at },
  }));
  assert.deepEqual(labels, expected, 'descriptors of another message, or in another order');
  return first;
}
