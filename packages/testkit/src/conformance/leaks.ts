// Hooks for a test file: no test may leave a descriptor behind.
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect } from 'vitest';
import { openFds } from '../process.js';

/** Compares the open descriptors before and after each test of the file that calls this. */
export function checkLeaks(): void {
  let before: number[];
  beforeEach(async () => {
    const first = openFds();
    await setImmediate();
    // A file that the runtime reads on a thread of its own comes and goes.
    const second = openFds();
    before = first.filter((fd) => second.includes(fd));
  });
  afterEach(() => {
    expect(openFds(), 'open descriptors').toEqual(before);
  });
}
