// The examples of docs/api/poller.md that need kqueue ("on kqueue: name.mjs"), run as a user would, by
// node: on macOS and the BSDs, or on the model of kqueue. Those for every backend are run by docs/test.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { backends } from '@pollux/testkit/conformance';
import { afterAll, describe, expect, test } from 'vitest';

const page = fileURLToPath(new URL('../../../docs/api/poller.md', import.meta.url));
const BLOCK = /^```js\n\/\/ on kqueue: (\S+)\n([\s\S]*?)^```\n\n```text\n([\s\S]*?)^```/gm;
const examples = [...readFileSync(page, 'utf8').matchAll(BLOCK)];
// Here, so that the packages are found by name.
const scratch = mkdtempSync(fileURLToPath(new URL('../../../examples/.docs-', import.meta.url)));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

test('there are some', () => {
  expect(examples.map(([, name]) => name)).toEqual(['changes.mjs']);
});

describe.skipIf(!backends.includes('kqueue'))('on kqueue', () => {
  test.each(examples.map((match) => match.slice(1)))('%s', (name = '', source = '', expected) => {
    writeFileSync(join(scratch, name), source);
    const options = { cwd: scratch, encoding: 'utf8', timeout: 15_000 } as const;
    expect(execFileSync(process.execPath, [name], options)).toBe(expected);
  });
});
