// Makes docs/portability.md from docs/portability/: prose.md and one JSON file per run.
//
//   node scripts/portability.mjs            writes the page from the committed JSON files
//   node scripts/portability.mjs --update   takes over what the last test run saw, then the same
//   node scripts/portability.mjs --check    fails if the last test run saw a guaranteed row otherwise
//                                           than it is committed, or if the page is not up to date
//
// The conformance suite writes what it sees to packages/testkit/.results/. Only guaranteed rows are
// binding; other differences (another kernel, fewer rights) are merely mentioned.
// `--results <directory>` and `--docs <directory>` are for the test of this script.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './lib.mjs';

const { values: options } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    update: { type: 'boolean', default: false },
    results: { type: 'string', default: join(root, 'packages/testkit/.results') },
    docs: { type: 'string', default: join(root, 'docs') },
  },
});
const resultsDirectory = resolve(options.results);
const dataDirectory = resolve(options.docs, 'portability');
const pageFile = resolve(options.docs, 'portability.md');
const template = readFileSync(join(root, 'docs/portability/prose.md'), 'utf8');

/** Where Pollux is meant to run; what has no file yet is labelled so. */
const targets = [
  'linux-epoll',
  'linux-poll',
  'linux-select',
  'model-kqueue',
  'darwin-kqueue',
  'freebsd-kqueue',
  'win32-iocp',
  'win32-select',
];
const platformNames = {
  linux: 'Linux',
  android: 'Android',
  model: 'model',
  darwin: 'macOS',
  freebsd: 'FreeBSD',
  win32: 'Windows under Wine',
};
const sections = { kinds: 'kind', conditions: 'condition' };

if (options.check) {
  const fresh = readRuns(resultsDirectory);
  const committed = readRuns(dataDirectory);
  const { failures, notices } = compare(committed, fresh);
  if (readIfThere(pageFile) !== makePage(committed)) {
    failures.push(`${relative(root, pageFile)} is not what its JSON files make`);
  }
  for (const notice of notices) console.log(`notice: ${notice}`);
  for (const failure of failures) console.error(`portability: ${failure}`);
  if (failures.length > 0) {
    console.error('portability: after a change that was meant: npm test, then');
    console.error('  node scripts/portability.mjs --update');
    process.exitCode = 1;
  }
} else {
  if (options.update) update();
  const page = makePage(readRuns(dataDirectory));
  if (readIfThere(pageFile) !== page) writeFileSync(pageFile, page);
}

// --- the runs -------------------------------------------------------------------------------------

function readIfThere(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** All runs of a directory by name; the files of one run's sections are put together. */
function readRuns(directory) {
  const runs = new Map();
  let files = [];
  try {
    files = readdirSync(directory).filter((file) => file.endsWith('.json'));
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  for (const file of files.sort()) {
    const part = JSON.parse(readFileSync(join(directory, file), 'utf8'));
    const name = `${part.platform}-${part.backend}`;
    runs.set(name, { ...runs.get(name), ...part });
  }
  // As in `targets`, what is not there at the end.
  const place = (name) => (targets.includes(name) ? targets.indexOf(name) : targets.length);
  return new Map([...runs].sort(([a], [b]) => place(a) - place(b) || (a < b ? -1 : 1)));
}

/** The part of a row that is binding, as text; undefined if none is. */
function binding(section, row) {
  if (section === 'kinds') return row.guaranteed ? row.watch : undefined;
  const parts = ['readable', 'writable'].filter((bit) => row[bit] !== null);
  return parts.map((bit) => `${row[bit] ? '' : 'not '}${bit}`).join(', ') || undefined;
}

function mere(section, row) {
  return section === 'kinds' ? row.watch : row.hints;
}

function compare(committed, fresh) {
  const failures = [];
  const notices = [];
  for (const [name, { platform }] of committed) {
    if (platform === process.platform && !fresh.has(name))
      failures.push(`${name}: no results of a run (npm test writes them)`);
  }
  for (const [name, seen] of fresh) {
    const known = committed.get(name);
    if (known === undefined) {
      failures.push(`${name}: not in ${relative(root, dataDirectory)}`);
      continue;
    }
    if (JSON.stringify(known.capabilities) !== JSON.stringify(seen.capabilities))
      failures.push(`${name}: capabilities differ`);
    for (const [section, title] of Object.entries(sections)) {
      if (seen[section] === undefined) {
        failures.push(`${name}: the run saw no ${section}, or not all of them`);
        continue;
      }
      compareRows(section, title, known[section] ?? [], seen[section], (sort, text) =>
        (sort === 'binding' ? failures : notices).push(`${name}: ${text}`),
      );
    }
  }
  return { failures, notices };
}

function compareRows(section, title, known, seen, report) {
  const before = new Map(known.map((row) => [row[title], row]));
  const now = new Map(seen.map((row) => [row[title], row]));
  for (const name of new Set([...before.keys(), ...now.keys()])) {
    const [was, is] = [before.get(name), now.get(name)];
    const told = (row) => (row && binding(section, row)) ?? undefined;
    if (told(was) !== told(is)) {
      report('binding', `"${name}" is ${told(is) ?? 'not guaranteed'}, was ${told(was) ?? 'not'}`);
    } else if (was === undefined || is === undefined) {
      report('mere', `"${name}" is ${is ? 'new' : 'not to be had here'}`);
    } else if (mere(section, was) !== mere(section, is)) {
      report('mere', `"${name}": ${mere(section, is)}, was ${mere(section, was)}`);
    }
  }
}

function update() {
  const fresh = readRuns(resultsDirectory);
  if (fresh.size === 0) throw new Error(`nothing in ${resultsDirectory}: npm test writes it`);
  const committed = readRuns(dataDirectory);
  mkdirSync(dataDirectory, { recursive: true });
  for (const [name, seen] of fresh) {
    for (const section of Object.keys(sections))
      if (seen[section] === undefined) throw new Error(`${name}: the run saw not all ${section}`);
    const { platform, backend, capabilities } = seen;
    const run = { platform, backend, capabilities };
    for (const [section, title] of Object.entries(sections)) {
      run[section] = keepUnseen(
        section,
        title,
        committed.get(name)?.[section] ?? [],
        seen[section],
      );
    }
    writeFileSync(join(dataDirectory, `${name}.json`), `${JSON.stringify(run, null, 2)}\n`);
  }
}

/** The rows just seen, and those that are not binding and could not be had this time. */
function keepUnseen(section, title, known, seen) {
  const rows = [...seen];
  for (const [i, row] of known.entries()) {
    if (binding(section, row) !== undefined) continue;
    if (rows.some((other) => other[title] === row[title])) continue;
    const before = rows.findIndex((other) => other[title] === known[i - 1]?.[title]);
    rows.splice(before === -1 ? rows.length : before + 1, 0, row);
  }
  return rows;
}

// --- the page -------------------------------------------------------------------------------------

function makePage(runs) {
  const tables = {
    capabilities: capabilityTable(runs),
    conditions: rowTable(runs, 'conditions', 'Condition', conditionCell),
    kinds: rowTable(runs, 'kinds', 'Descriptor', kindCell),
  };
  return template.replace(/<!-- table: (\w+) -->/g, (_, name) => tables[name]);
}

/** The columns: one for each run, and one for all that has not been run yet. */
function columns(runs) {
  const heads = [...runs.values()].map(
    ({ platform, backend }) => `${backend}, ${platformNames[platform] ?? platform}`,
  );
  const rest = new Map();
  for (const name of targets.filter((name) => !runs.has(name))) {
    const [platform, backend] = name.split('-');
    rest.set(backend, [...(rest.get(backend) ?? []), platformNames[platform]]);
  }
  const groups = [...rest].map(([backend, platforms]) => `${backend}, ${platforms.join(' and ')}`);
  return { heads, rest: groups.join('; ') };
}

function makeTable(runs, first, titles, cell) {
  const { heads, rest } = columns(runs);
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const head = [first, ...heads, ...(rest ? [rest] : [])];
  const lines = titles.map((title) =>
    line([
      title,
      ...[...runs.values()].map((run) => cell(run, title)),
      ...(rest ? ['not run'] : []),
    ]),
  );
  return [line(head), line(head.map(() => '---')), ...lines].join('\n');
}

function capabilityTable(runs) {
  const names = [...new Set([...runs.values()].flatMap((run) => Object.keys(run.capabilities)))];
  return makeTable(runs, 'Capability', names, (run, name) =>
    run.capabilities[name] ? 'yes' : '–',
  );
}

function rowTable(runs, section, first, cell) {
  const title = sections[section];
  const titles = [
    ...new Set([...runs.values()].flatMap((run) => run[section].map((row) => row[title]))),
  ];
  return makeTable(runs, first, titles, (run, name) => {
    const row = run[section].find((other) => other[title] === name);
    return row === undefined ? '*not to be had*' : cell(row);
  });
}

function kindCell({ guaranteed, watch }) {
  const answer = watch === 'yes' ? 'yes' : `no (${watch})`;
  return guaranteed ? answer : `*${answer}*`;
}

function conditionCell(row) {
  const plain = ['readable', 'writable'].filter((bit) => row[bit]);
  const hints = row.hints === '-' ? [] : row.hints.split('|');
  const all = [...plain, ...hints.map((hint) => `*${hint}*`)];
  if (all.length > 0) return all.join(', ');
  return binding('conditions', row) === undefined ? '*–*' : '–';
}
