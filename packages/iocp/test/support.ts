// What the suites of iocp share: its rows of the table, skipped where there is no iocp, and a count of
// handles that may come and go.
import { handleCount } from '@pollux/testkit';
import { type Case, cases, checkLeaks } from '@pollux/testkit/conformance';
import { describe, expect } from 'vitest';

const rows = cases.filter(({ backend }) => backend === 'iocp');
/** A file without any test would be a failure. */
const absent: Case = { backend: 'iocp', way: 'blocking' };

/** `describe` for each way of waiting; no test may leave a socket behind. */
export function describeIocp(tests: (row: Case) => void): void {
  const here = rows.length > 0;
  describe.runIf(here).each(here ? rows : [absent])('$backend, $way', (row) => {
    checkLeaks();
    tests(row);
  });
}

/** Node and the system make and keep some for themselves. */
const STRAY = 15;

/** Does something twice, and then so often: no more handles may be open than after the second time. */
export async function expectNoHandles(times: number, action: () => Promise<void>): Promise<void> {
  for (let i = 0; i < 2; i++) await action();
  const before = handleCount();
  for (let i = 0; i < times; i++) await action();
  // What ended just now may be on its way out.
  for (let tries = 0; tries < 100 && handleCount() > before + STRAY; tries++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  expect(handleCount(), 'handles').toBeLessThanOrEqual(before + STRAY);
}
