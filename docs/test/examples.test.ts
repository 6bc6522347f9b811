// Runs every example of README.md and docs/ as a user would. A ```js block that begins with
// `// file: name.mjs` is written next to the examples, so that it finds the packages by name, and run
// with node; a ```text block right after it is what it must print. It must exit with 0.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const scratch = mkdtempSync(join(root, 'examples', '.docs-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const pages = ['README.md', ...markdown('docs'), ...markdown('docs/api')];
const BLOCK = /^```js\n\/\/ file: (\S+)\n([\s\S]*?)^```\n(?:\n```text\n([\s\S]*?)^```)?/gm;

function markdown(directory: string): string[] {
  return readdirSync(join(root, directory))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${directory}/${name}`);
}

for (const page of pages) {
  const examples = [...readFileSync(join(root, page), 'utf8').matchAll(BLOCK)];
  if (examples.length === 0) continue;
  describe(page, () => {
    for (const [, name = '', source = '', expected] of examples) {
      it(name, () => {
        const file = join(scratch, name);
        writeFileSync(file, source);
        const output = execFileSync(process.execPath, [file], {
          encoding: 'utf8',
          timeout: 15_000,
        });
        if (expected !== undefined) expect(output).toBe(expected);
        else expect(output).not.toBe('');
      });
    }
  });
}
