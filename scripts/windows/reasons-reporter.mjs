// A vitest reporter that says why what was skipped was skipped, and how often.
import { writeSync } from 'node:fs';
import { filesNotUnderWine } from './not-under-wine.mjs';

export default class ReasonsReporter {
  onTestRunEnd(modules) {
    const counts = new Map();
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { state, note } = test.result();
        if (state !== 'skipped') continue;
        const reason = note ?? `for all of this system: ${module.relativeModuleId}`;
        counts.set(reason, (counts.get(reason) ?? 0) + 1);
      }
    }
    const lines = [...counts]
      .sort(([, one], [, other]) => other - one)
      .map(([reason, count]) => `${String(count).padStart(5)}  ${reason}\n`);
    const files = filesNotUnderWine.map(([glob, reason]) => `  all  ${glob}: ${reason}\n`);
    const text = [...lines, ...files].join('');
    process.once('exit', () => writeSync(1, `\nSkipped, and why:\n${text}\n`));
  }
}
