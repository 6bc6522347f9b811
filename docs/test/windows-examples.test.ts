// The examples of docs/ that need Windows: a ```js block that begins with `// file: name.mjs, for
// Windows`. There (under Wine: npm run test:windows) each is run and must print the ```text block after
// it; elsewhere its names and types are checked. All others: examples.test.ts.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const scratch = mkdtempSync(join(root, 'examples', '.docs-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const BLOCK = /^```js\n\/\/ file: (\S+), for Windows\n([\s\S]*?)^```\n\n```text\n([\s\S]*?)^```/gm;
const CHECK = [
  join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
  '--ignoreConfig --noEmit --allowJs --checkJs --strict false --skipLibCheck'.split(' '),
  '--module nodenext --target es2023 --lib es2023,esnext.disposable --types node'.split(' '),
].flat();

const examples = ['docs', 'docs/api'].flatMap((directory) =>
  readdirSync(join(root, directory))
    .filter((name) => name.endsWith('.md'))
    .flatMap((page) => {
      const text = readFileSync(join(root, directory, page), 'utf8').replaceAll('\r\n', '\n');
      return [...text.matchAll(BLOCK)].map(([, name = '', source = '', expected = '']) => {
        return { page: `${directory}/${page}`, name, source, expected };
      });
    }),
);

it.each(examples)('$page: $name', { timeout: 60_000 }, ({ name, source, expected }) => {
  const file = join(scratch, name);
  writeFileSync(file, source);
  const windows = process.platform === 'win32';
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    windows ? [file] : [...CHECK, file],
    { encoding: 'utf8', timeout: 50_000, cwd: root },
  );
  expect({ stdout, stderr, status }).toEqual({
    stdout: windows ? expected : '',
    stderr: '',
    status: 0,
  });
});
