// The memory that sockets are read into, of every reactor of this thread. What lies there is good for a
// moment: whoever queues part of it for later has to copy it.

const slabs = new WeakSet<ArrayBufferLike>();

/** Makes the arena of an outbox, whose first part is such memory. */
export function makeArena(size: number): Buffer {
  const arena = Buffer.allocUnsafeSlow(size);
  slabs.add(arena.buffer);
  return arena;
}

/** Whether a buffer is a view of one. */
export function liesInSlab(buffer: Uint8Array): boolean {
  return slabs.has(buffer.buffer);
}
