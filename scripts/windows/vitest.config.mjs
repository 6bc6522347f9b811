// The suites under Wine: the same files as everywhere, one at a time, and what the system lacks is
// skipped by name (lacking-runner.mjs). Wine is slow, so a test has longer before it counts as hung.
import { defineConfig } from 'vitest/config';
import { filesNotUnderWine } from './not-under-wine.mjs';

export default defineConfig({
  test: {
    include: ['{packages/*,examples}/test/**/*.test.ts', 'docs/test/windows-*.test.ts'],
    exclude: filesNotUnderWine.map(([files]) => files),
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    server: { deps: { external: [/\/dist\//] } },
    runner: './scripts/windows/lacking-runner.mjs',
    reporters: [
      'default',
      './scripts/windows/reasons-reporter.mjs',
      './scripts/summary-reporter.mjs',
    ],
  },
});
