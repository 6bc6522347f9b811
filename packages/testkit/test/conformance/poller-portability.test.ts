// scripts/portability.mjs: a guaranteed row that is seen otherwise fails the check, what merely
// happens to be so is mentioned, and the page is what its JSON files make. It is run on copies of the
// real records, changed by hand.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../../..', import.meta.url));
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'portability-'));
  cpSync(join(root, 'docs/portability'), join(directory, 'docs/portability'), { recursive: true });
  cpSync(join(root, 'docs/portability'), join(directory, 'results'), { recursive: true });
  run();
});
afterEach(() => rmSync(directory, { recursive: true }));

interface Row {
  condition: string;
  readable: boolean | null;
  hints: string;
}
interface Run {
  capabilities: Record<string, boolean>;
  kinds: { kind: string; guaranteed: boolean; watch: string }[];
  conditions: Row[];
}

/** What the script writes, and whether it failed. */
function run(...args: string[]): { failed: boolean; said: string } {
  const where = ['--results', join(directory, 'results'), '--docs', join(directory, 'docs')];
  try {
    const said = execFileSync(
      process.execPath,
      [join(root, 'scripts/portability.mjs'), ...args, ...where],
      { encoding: 'utf8', stdio: 'pipe' },
    );
    return { failed: false, said };
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    return { failed: true, said: stdout + stderr };
  }
}

const page = () => readFileSync(join(directory, 'docs/portability.md'), 'utf8');
const fileOf = (place: string) => join(directory, place, 'linux-select.json');
function edit(place: 'results' | 'docs/portability', change: (run: Run) => void): void {
  const seen = JSON.parse(readFileSync(fileOf(place), 'utf8')) as Run;
  change(seen);
  writeFileSync(fileOf(place), `${JSON.stringify(seen, null, 2)}\n`);
}
const rowOf = (seen: Run, condition: string) =>
  seen.conditions.find((row) => row.condition === condition)!;

test('the committed page is what the committed files make', () => {
  expect(page()).toBe(readFileSync(join(root, 'docs/portability.md'), 'utf8'));
  expect(page()).not.toContain('<!-- table');
  for (const label of ['Guaranteed', 'Merely so today', 'not run', 'TCP: reset by peer'])
    expect(page()).toContain(label);
});

test('what was seen as it is committed passes in silence', () => {
  expect(run('--check')).toEqual({ failed: false, said: '' });
});

test('a guaranteed row that is seen otherwise fails', () => {
  edit('results', (seen) => {
    rowOf(seen, 'TCP: data to read').readable = false;
  });
  const { failed, said } = run('--check');
  expect(failed).toBe(true);
  expect(said).toContain('linux-select: "TCP: data to read" is not readable, writable');
});

test('so does one that was not seen, that is new, or that is promised no more', () => {
  const changes: ((seen: Run) => void)[] = [
    (seen) => void seen.conditions.shift(),
    (seen) => void seen.conditions.push({ ...seen.conditions[0]!, condition: 'new' }),
    (seen) => {
      seen.conditions[0]!.readable = null;
    },
    (seen) => {
      seen.kinds[0]!.watch = 'EPERM';
    },
    (seen) => {
      seen.capabilities.edge = !seen.capabilities.edge;
    },
    (seen) => Reflect.deleteProperty(seen, 'kinds'),
  ];
  for (const change of changes) {
    cpSync(join(directory, 'docs/portability'), join(directory, 'results'), { recursive: true });
    edit('results', change);
    expect(run('--check').failed, String(change)).toBe(true);
  }
});

test('a hint, or what this system has not, is only mentioned', () => {
  edit('results', (seen) => {
    rowOf(seen, 'TCP: reset by peer').hints = 'error';
    seen.kinds = seen.kinds.filter(({ kind }) => kind !== 'tun');
  });
  const { failed, said } = run('--check');
  expect(failed).toBe(false);
  expect(said.match(/^notice: linux-select: /gm)).toHaveLength(2);
});

test('a backend of this platform that was not run fails, another platform’s does not', () => {
  rmSync(fileOf('results'));
  const { failed, said } = run('--check');
  expect(failed).toBe(process.platform === 'linux');
  if (failed) expect(said).toContain('linux-select: no results of a run');
});

test('a page that was edited by hand fails', () => {
  writeFileSync(join(directory, 'docs/portability.md'), page().replace('writable', 'wobbly'));
  expect(run('--check').failed).toBe(true);
});

test('--update takes over what was seen, and keeps what could not be had', () => {
  edit('results', (seen) => {
    rowOf(seen, 'TCP: reset by peer').hints = 'error';
    seen.kinds = seen.kinds.filter(({ kind }) => kind !== 'tun');
  });
  expect(run('--update').failed).toBe(false);
  expect(page()).toContain('| TCP: reset by peer | readable, writable, *error*, *hangup*');
  expect(page()).toMatch(/\| TCP: reset by peer \|.*\| readable, writable, \*error\* \|/);
  expect(page()).toContain('| tun | *yes* | *yes* |');
  expect(run('--check').failed).toBe(false);
  const once = page();
  run('--update');
  expect(page()).toBe(once);
});

test('--update refuses a run that saw only a part', () => {
  edit('results', (seen) => Reflect.deleteProperty(seen, 'conditions'));
  expect(run('--update').failed).toBe(true);
});
