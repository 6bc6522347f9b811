// The benchmarks: Pollux beside its peers, in one run, on cores of their own.
//
//   npm run bench                        all
//   npm run bench -- NAME ... [--quick]  some: a scenario, or one of its variants (tcp-echo/50-blocking)
//   npm run bench -- --list              their names
//   --json                               one JSON object per line on standard output, nothing else
//                                        (npm tells its own first: npm run -s bench -- --json)
//   --report                             the results go to docs/benchmarks.md, with charts, in place of
//                                        what was there of the same variants
//   --render                             nothing is run; the page is made anew
//   --rounds N                           5 if left out
//
// --quick is for a look whether it works: two short rounds, whose figures prove little.
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../scripts/lib.mjs';
import { judge } from './lib/bounds.mjs';
import { describeMachine, unpinned } from './lib/machine.mjs';
import { printBounds, printResult } from './lib/print.mjs';
import { Results, writeReport } from './lib/report.mjs';

const names = [
  'tcp-echo',
  'udp-echo',
  'udp-bulk',
  'cascade',
  'latency',
  'timers',
  'idle',
  'http',
  'startup',
];

/** The chart that README shows; docs/benchmarks/main.svg. */
const mainChart = [
  {
    title: 'TCP echo, 64 bytes, 50 connections',
    ours: {
      'Pollux, blocking': ['tcp-echo', '50-blocking'],
      'Pollux, attached': ['tcp-echo', '50-attached'],
    },
  },
  {
    title: 'UDP echo, 64 bytes, 16 flows',
    ours: {
      'Pollux, blocking': ['udp-echo', 'blocking'],
      'Pollux, attached': ['udp-echo', 'attached'],
    },
  },
  { title: 'HTTP hello', ours: { 'Pollux, attached': ['http', 'hello'] } },
];

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    report: { type: 'boolean', default: false },
    render: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    docs: { type: 'string', default: join(root, 'docs') }, // for the test of this script
  },
});

const scenarios = Object.fromEntries(
  await Promise.all(names.map(async (name) => [name, await import(`./scenarios/${name}.mjs`)])),
);
const known = names.flatMap((name) => [
  name,
  ...scenarios[name].variants.map((variant) => `${name}/${variant}`),
]);
if (options.list) {
  for (const name of known) console.log(name);
  process.exit(0);
}
const unknown = positionals.filter((name) => !known.includes(name));
if (unknown.length > 0) fail(`no such benchmark: ${unknown.join(', ')}; --list tells all`);
const rounds = Number(options.rounds ?? (options.quick ? 2 : 5));
if (!Number.isInteger(rounds) || rounds < 1) fail('--rounds: a number above 0');
if (options.report && options.quick)
  fail('--report wants figures that prove something: no --quick');

const log = (line) => {
  if (!process.stderr.isTTY) console.error(`  ${line}`);
  else process.stderr.write(`\r\x1b[K  ${line.slice(0, process.stderr.columns - 4)}`);
};

const machine = describeMachine();
const stored = new Results(join(resolve(options.docs), 'benchmarks'));
const results = [];

if (!options.render) {
  if (unpinned !== undefined) console.error(`not pinned to cores: ${unpinned}`);
  if (!options.json) {
    const { cpu, cores, kernel, node } = machine;
    console.log(`${cpu}, ${cores} cores, ${kernel}, node ${node}`);
  }
  for (const name of names) await runScenario(name);
  if (!options.json) printBounds(results.flatMap(judge));
}
if (options.report) stored.save();
if (options.report || options.render) {
  writeReport(resolve(options.docs), stored, scenarios, mainChart);
}

function fail(message) {
  console.error(message);
  process.exit(2);
}

async function runScenario(name) {
  const asked = positionals.filter((each) => each.split('/')[0] === name);
  if (positionals.length > 0 && asked.length === 0) return;
  const context = {
    quick: options.quick,
    rounds,
    warmMs: options.quick ? 300 : 1000,
    runMs: options.quick ? 500 : 3000,
    log,
    wants: (variant) =>
      asked.length === 0 || asked.includes(name) || asked.includes(`${name}/${variant}`),
  };
  const { run, title } = scenarios[name];
  if (!options.json) console.log(`\n${name}: ${title}`);
  try {
    for await (const result of run(context)) if (context.wants(result.variant)) tell(result);
  } catch (error) {
    console.error(`${name} failed: ${error.stack}`);
    process.exitCode = 1;
  }
}

function tell(result) {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  results.push(result);
  if (options.report) {
    stored.put(result, machine, ['npm run bench --', ...process.argv.slice(2)].join(' '));
  }
  if (options.json) console.log(JSON.stringify(result));
  else printResult(result, judge(result));
}
