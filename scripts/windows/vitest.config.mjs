// The suites under Wine: the same files as everywhere, one at a time, and what the system lacks is
// skipped by name (lacking-runner.mjs). Wine is slow, so a test has longer before it counts as hung.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['packages/*/test/**/*.test.ts'],
    exclude: [
      // What they choose from, deny and install is Linux's: epoll, seccomp, npm with tarballs of it.
      'packages/core/test/{selection,selection-refusals,installation,doctor,fallback-warning}.test.ts',
      // The helpers themselves, one by one: pipes, ptys, /proc.
      'packages/testkit/test/testkit.test.ts',
    ],
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
