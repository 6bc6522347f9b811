// What no test may leave behind: descriptors. Hooks for a test file, and the comparison they make.
import { readlinkSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect } from 'vitest';
import { openFds } from '../process.js';

/** Compares the open descriptors before and after each test of the file that calls this. */
export function checkLeaks(): void {
  let before: number[];
  beforeEach(async () => {
    const first = openFds();
    await setImmediate();
    // What the runtime closes after the former test.
    const second = openFds();
    before = first.filter((fd) => second.includes(fd));
  });
  afterEach(() => expectOpenFds(before));
}

/** Fails unless exactly these are open, and says of which kind the others are. */
export function expectOpenFds(before: readonly number[]): void {
  const open = openFds();
  const others = open.filter((fd) => !before.includes(fd)).map(nameOf);
  expect(open, `open descriptors ${others.join(', ')}`).toEqual(before);
}

function nameOf(fd: number): string {
  try {
    return `${fd} is ${readlinkSync(`/proc/self/fd/${fd}`)}`;
  } catch (error) {
    return `${fd} is ${(error as NodeJS.ErrnoException).code}`;
  }
}
