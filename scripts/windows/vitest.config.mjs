// The suites under Wine: the same files as everywhere, one at a time, and what the system lacks is
// skipped by name (lacking-runner.mjs). Wine is slow, so a test has longer before it counts as hung.
import { defineConfig } from 'vitest/config';
import { ForksPoolWorker } from 'vitest/node';
import { filesNotUnderWine, isNotStarted, NOT_STARTED } from './not-under-wine.mjs';

class Worker extends ForksPoolWorker {
  async start(tries = 3) {
    try {
      await super.start();
    } catch (error) {
      if (tries === 1 || !isNotStarted(error)) throw error;
      await this.start(tries - 1);
    }
  }
}

export default defineConfig({
  test: {
    include: ['{packages/*,examples}/test/**/*.test.ts', 'docs/test/windows-*.test.ts'],
    exclude: filesNotUnderWine.map(([files]) => files),
    pool: { name: 'forks', createPoolWorker: (options) => new Worker(options) },
    maxWorkers: 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    retry: { count: 2, condition: new RegExp(NOT_STARTED) },
    server: { deps: { external: [/\/dist\//] } },
    runner: './scripts/windows/lacking-runner.mjs',
    reporters: [
      'default',
      './scripts/windows/reasons-reporter.mjs',
      './scripts/summary-reporter.mjs',
    ],
  },
});
