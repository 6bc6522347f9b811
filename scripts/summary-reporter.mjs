// A vitest reporter for whoever reads only the last line: "N passed, N failed, N skipped". A file
// that cannot be loaded, and an error outside any test, count as failures.
import { writeSync } from 'node:fs';

export default class SummaryReporter {
  onTestRunEnd(modules, unhandledErrors) {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      count.failed += module.errors().length;
      for (const suite of module.children.allSuites()) count.failed += suite.errors().length;
      for (const test of module.children.allTests()) count[test.result().state] += 1;
    }
    const skipped = count.skipped + count.pending;
    const line = `${count.passed} passed, ${count.failed} failed, ${skipped} skipped\n`;
    // Other reporters, and vitest itself, still have things to say.
    process.once('exit', () => writeSync(1, line));
  }
}
