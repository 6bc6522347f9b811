// Hooks for a test file: no test may leave a descriptor behind.
import { afterEach, beforeEach, expect } from 'vitest';
import { openFds } from '../process.js';

/** Compares the open descriptors before and after each test of the file that calls this. */
export function checkLeaks(): void {
  let before: number[];
  beforeEach(() => {
    before = openFds();
  });
  afterEach(() => {
    expect(openFds(), 'open descriptors').toEqual(before);
  });
}
