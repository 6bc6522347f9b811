// One run for the whole repository: one process tree, one summary. Packages are imported by name
// from their built dist, left to Node (not transformed a second time), so that a test and the code
// it tests share one instance of each module and of each addon.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      'packages/*/test/**/*.test.ts',
      'examples/test/**/*.test.ts',
      'docs/test/**/*.test.ts',
      'test/**/*.test.ts',
    ],
    pool: 'forks',
    testTimeout: 20_000,
    hookTimeout: 20_000,
    server: { deps: { external: [/\/dist\//] } },
    reporters: ['default', './scripts/summary-reporter.mjs'],
  },
});
