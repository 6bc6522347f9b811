// docs/portability.md, made from what the conformance suite saw.
//
//   node scripts/portability.mjs            writes the page from docs/portability/*.json
//   node scripts/portability.mjs --update   takes over the last test run first
//   node scripts/portability.mjs --check    fails if a guaranteed row of the last run differs from
//                                           what is committed, or the page is not what this makes
//
// A test run writes its observations to packages/testkit/.results/, one file per platform, backend
// and section. What is not guaranteed may differ on another kernel: that is told, not held against it.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './lib.mjs';

const fresh = join(root, 'packages/testkit/.results');
const committed = join(root, 'docs/portability');
const page = join(root, 'docs/portability.md');
const prose = join(root, 'docs/portability/prose.md');

const list = (directory) =>
  existsSync(directory)
    ? readdirSync(directory)
        .filter((name) => name.endsWith('.json'))
        .sort()
    : [];
const read = (directory, name) => JSON.parse(readFileSync(join(directory, name), 'utf8'));

if (process.argv.includes('--update')) {
  mkdirSync(committed, { recursive: true });
  if (list(fresh).length === 0) throw new Error('no results: run the tests first (npm test)');
  for (const name of list(fresh)) {
    writeFileSync(join(committed, name), readFileSync(join(fresh, name)));
    console.log(`took over ${name}`);
  }
}

const text = makePage();
if (process.argv.includes('--check')) {
  process.exitCode = check(text) ? 0 : 1;
} else {
  writeFileSync(page, text);
}

/** Compares the last run with what is committed; true if all that is promised holds. */
function check(wanted) {
  const faults = [];
  if (list(fresh).length === 0) faults.push('no results of a test run to compare with');
  for (const name of list(fresh)) {
    if (!existsSync(join(committed, name))) {
      faults.push(`docs/portability/${name} is missing`);
      continue;
    }
    const before = rowsOf(read(committed, name));
    const now = rowsOf(read(fresh, name));
    for (const title of new Set([...before.keys(), ...now.keys()])) {
      const [old, seen] = [before.get(title), now.get(title)];
      if (old === undefined || seen === undefined) {
        faults.push(`${name}: '${title}' is only in ${old === undefined ? 'the run' : 'the docs'}`);
      } else if (old.promised !== seen.promised) {
        faults.push(`${name}: '${title}' is ${seen.promised}, not ${old.promised}`);
      } else if (old.rest !== seen.rest) {
        console.log(`note: ${name}: '${title}' gives ${seen.rest} here, not ${old.rest}`);
      }
    }
  }
  if (!existsSync(page) || readFileSync(page, 'utf8') !== wanted) {
    faults.push('docs/portability.md is stale: node scripts/portability.mjs');
  }
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) console.error('If it is right so: node scripts/portability.mjs --update');
  return faults.length === 0;
}

/** Title to what is promised of it, and the rest. */
function rowsOf({ kinds = [], conditions = [] }) {
  return new Map([
    ...kinds.map(({ kind, guaranteed, watch }) => [
      kind,
      guaranteed ? { promised: watch, rest: '' } : { promised: '', rest: watch },
    ]),
    ...conditions.map(({ condition, readable, writable, hints }) => [
      condition,
      { promised: `readable ${readable}, writable ${writable}`, rest: hints },
    ]),
  ]);
}

function makePage() {
  const results = list(committed).map((name) => read(committed, name));
  const sections = {
    conditions: results.filter(({ conditions }) => conditions),
    kinds: results.filter(({ kinds }) => kinds),
  };
  return readFileSync(prose, 'utf8')
    .replace('<!-- conditions -->', () =>
      table(sections.conditions, 'conditions', 'condition', conditionCell),
    )
    .replace('<!-- kinds -->', () => table(sections.kinds, 'kinds', 'kind', kindCell));
}

function table(results, section, title, cell) {
  const titles = [
    ...new Set(results.flatMap((result) => result[section].map((row) => row[title]))),
  ];
  const head = results.map(({ platform, backend }) => `${platform} ${backend}`);
  const lines = [
    `| ${title} | ${head.join(' | ')} |`,
    `|---|${head.map(() => '---|').join('')}`,
    ...titles.map((name) => {
      const cells = results.map((result) =>
        cell(result[section].find((row) => row[title] === name)),
      );
      return `| ${name} | ${cells.join(' | ')} |`;
    }),
  ];
  return lines.join('\n');
}

/** What is promised in plain, what merely happens to be so in italics. */
function conditionCell(row) {
  if (row === undefined) return 'not run';
  const promised = [row.readable && 'readable', row.writable && 'writable'].filter(Boolean);
  const hints = row.hints === '-' ? [] : row.hints.split('|').map((hint) => `*${hint}*`);
  const all = [...promised, ...hints];
  if (all.length > 0) return all.join(', ');
  return row.readable === null && row.writable === null ? '*nothing*' : 'nothing';
}

function kindCell(row) {
  if (row === undefined) return 'not run';
  return row.guaranteed ? row.watch : `*${row.watch}*`;
}
