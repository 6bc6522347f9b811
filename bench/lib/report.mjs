// docs/benchmarks.md, made of docs/benchmarks/: prose.md, what was measured last of each variant
// (results.json), and a chart for each scenario. `{{name}}` in the prose is replaced by the figures of
// the scenario, `{{machine}}` and `{{bounds}}` by what they say.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { judge } from './bounds.mjs';
import { chart } from './chart.mjs';

const unitOf = ({ metric }) =>
  metric
    .replace(/^(cpu|user|wall|p50|ms)_?/, (kind) => names[kind.replace('_', '')])
    .replaceAll('_', ' ');
const names = {
  cpu: 'processor time, ',
  user: 'processor time in user space, ',
  wall: 'wall time, ',
  p50: 'median, ',
  ms: 'ms ',
};

/** What was measured, by `scenario/variant`, each with the machine, the day and the command. */
export class Results {
  #file;
  #entries;

  constructor(directory) {
    this.directory = directory;
    this.#file = join(directory, 'results.json');
    this.#entries = existsSync(this.#file) ? JSON.parse(readFileSync(this.#file, 'utf8')) : {};
  }

  get(scenario, variant) {
    return this.#entries[`${scenario}/${variant}`];
  }

  put(result, machine, command) {
    const date = new Date().toISOString().slice(0, 10);
    this.#entries[`${result.scenario}/${result.variant}`] = { date, command, machine, ...result };
  }

  of(scenario) {
    return Object.values(this.#entries).filter((entry) => entry.scenario === scenario);
  }

  all() {
    return Object.values(this.#entries);
  }

  save() {
    mkdirSync(this.directory, { recursive: true });
    writeFileSync(this.#file, `${JSON.stringify(this.#entries, null, 2)}\n`);
  }
}

/** Writes the charts and the page. `scenarios` maps a name to its module. */
export function writeReport(docs, results, scenarios, mainGroups) {
  const prose = readFileSync(join(results.directory, 'prose.md'), 'utf8');
  const page = prose.replace(/\{\{([\w-]+)\}\}/g, (whole, name) => {
    if (name === 'machine') return machines(results);
    if (name === 'bounds') return missed(results);
    const scenario = scenarios[name];
    if (scenario === undefined) throw new Error(`prose.md: ${whole} is no benchmark`);
    return section(name, scenario, results);
  });
  writeFileSync(join(docs, 'benchmarks.md'), page);
  writeChart(results, 'main', mainGroups);
}

/** Returns whether there was anything to draw. */
function writeChart(results, name, groups) {
  const drawn = groups
    .map(({ title, ours }) => groupOf(results, title, ours))
    .filter((group) => group !== undefined);
  if (drawn.length === 0) return false;
  writeFileSync(join(results.directory, `${name}.svg`), chart(drawn));
  return true;
}

/** One group of bars: ours, by label, and all peers that they were compared with. */
function groupOf(results, title, ours) {
  const bars = [];
  const peers = new Map();
  let unit = '';
  for (const [label, [scenario, variant]] of Object.entries(ours)) {
    const result = results.get(scenario, variant);
    if (result === undefined || result.pollux === null) continue;
    unit = unitOf(result);
    bars.push({ label, value: result.pollux, ours: true });
    for (const [peer, value] of Object.entries(result.peers)) peers.set(peer, value);
  }
  for (const [label, value] of peers) bars.push({ label, value, ours: false });
  return bars.length === 0 ? undefined : { title, unit, bars };
}

function section(name, { title, groups }, results) {
  const entries = results.of(name);
  if (entries.length === 0) return `*${title}: not measured yet.*`;
  const parts = [];
  if (writeChart(results, name, groups)) parts.push(`![${title}](benchmarks/${name}.svg)`);
  for (const metric of new Set(entries.map((entry) => entry.metric))) {
    const rows = entries.filter((entry) => entry.metric === metric);
    parts.push(ratioTable(rows));
  }
  const absent = entries.flatMap(({ variant, detail }) =>
    Object.entries(detail.absent ?? {}).map(([peer, why]) => `- ${variant}: no ${peer}: ${why}`),
  );
  if (absent.length > 0) parts.push(absent.join('\n'));
  parts.push(details(entries));
  return parts.join('\n\n');
}

const row = (cells) => `| ${cells.join(' | ')} |`;
const table = (head, rows) => [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');

function ratioTable(rows) {
  const peers = [...new Set(rows.flatMap((result) => Object.keys(result.peers)))];
  const cell = (result, peer) => {
    const value = result.peers[peer];
    if (value === undefined) return '';
    return `${value}: ${result.ratios[peer] ?? '-'}${verdict(result, peer)}`;
  };
  return table(
    [unitOf(rows[0]), 'Pollux', ...peers],
    rows.map((result) => [
      result.variant,
      `${result.pollux ?? ''}${verdict(result, 'pollux')}`,
      ...peers.map((peer) => cell(result, peer)),
    ]),
  );
}

function verdict(result, of) {
  const bound = judge(result).find((each) => each.of === of);
  if (bound === undefined || bound.met === null) return '';
  return bound.met ? ` (≤ ${bound.limit})` : ` **(> ${bound.limit})**`;
}

/** What of `detail` is not a contestant's figures. */
const elsewhere = new Set(['absent', 'spread', 'systemCallsPerRound']);

/** Everything else that was noted, folded away. */
function details(entries) {
  const rows = [];
  const keys = [];
  for (const { variant, detail } of entries) {
    for (const [name, figures] of Object.entries(detail)) {
      if (elsewhere.has(name) || typeof figures !== 'object') continue;
      rows.push([variant, name, figures]);
      for (const key of Object.keys(figures)) if (!keys.includes(key)) keys.push(key);
    }
  }
  const spreads = entries
    .filter(({ detail }) => Object.keys(detail.spread ?? {}).length > 0)
    .map(({ variant, detail }) => {
      const each = Object.entries(detail.spread).map(([peer, ratios]) => `${peer} ${ratios}`);
      return `- ${variant}: ${each.join(', ')}`;
    });
  const whole = table(
    ['', '', ...keys],
    rows.map(([variant, name, figures]) => [
      variant,
      name,
      ...keys.map((key) => figures[key] ?? ''),
    ]),
  );
  const calls = entries.flatMap(({ variant, detail }) =>
    Object.entries(detail.systemCallsPerRound ?? {}).map(
      ([name, counts]) =>
        `- ${variant}, ${name}: ${Object.entries(counts)
          .map(([call, count]) => `${call} ${count}`)
          .join(', ')}`,
    ),
  );
  const lists = [
    ['Least and greatest ratio of the rounds', spreads],
    ['System calls of a round', calls],
  ]
    .filter(([, lines]) => lines.length > 0)
    .map(([title, lines]) => `\n\n${title}:\n\n${lines.join('\n')}`);
  return `<details><summary>All figures</summary>\n\n${whole}${lists.join('')}\n\n</details>`;
}

function machines(results) {
  const seen = new Map();
  for (const { machine, date, command, rounds } of results.all()) {
    const { cpu, cores, kernel, node, arch, pinned } = machine;
    const on = `${cpu}, ${cores} cores (${arch}), ${kernel}, Node ${node}${pinned === true ? '' : `, not pinned: ${pinned}`}`;
    const line = `- ${date}, \`${command}\`: ${on}`;
    seen.set(line, Math.max(rounds, seen.get(line) ?? 0));
  }
  return [...seen].map(([line, rounds]) => `${line}; ${rounds} rounds`).join('\n');
}

function missed(results) {
  const judged = results
    .all()
    .flatMap((result) => judge(result).map((bound) => ({ ...bound, result })));
  const count = (met) => judged.filter((bound) => bound.met === met).length;
  const rows = judged
    .filter(({ met }) => met === false)
    .map(({ of, limit, value, result }) => [
      `${result.scenario} ${result.variant}`,
      of === 'pollux' ? '' : of,
      limit,
      value,
    ]);
  const sum = `${count(true)} of ${judged.length} bounds are met, ${count(null)} could not be judged.`;
  return rows.length === 0
    ? sum
    : `${sum} Missed:\n\n${table(['', 'beside', 'bound', 'measured'], rows)}`;
}
