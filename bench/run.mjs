// The benchmarks: Pollux beside its peers, in one run, on cores of their own.
//
//   npm run bench                        all
//   npm run bench -- NAME ... [--quick]  some: a scenario, or one of its variants (tcp-echo/50-blocking)
//   npm run bench -- --list              their names
//   --json                               one JSON object per line on standard output, nothing else
//
// --quick is for a look whether it works: two short rounds, whose figures prove little.
import { parseArgs } from 'node:util';
import { judge } from './lib/bounds.mjs';
import { describeMachine, unpinned } from './lib/machine.mjs';
import { printBounds, printResult } from './lib/print.mjs';

const names = ['tcp-echo', 'udp-echo', 'udp-bulk', 'cascade', 'idle'];

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    rounds: { type: 'string' },
  },
});

const unknown = positionals.filter((name) => !names.includes(name.split('/')[0]));
if (unknown.length > 0) {
  console.error(`no such benchmark: ${unknown.join(', ')}; there are ${names.join(', ')}`);
  process.exit(2);
}

const log = (line) => {
  if (!process.stderr.isTTY) console.error(`  ${line}`);
  else process.stderr.write(`\r\x1b[K  ${line.slice(0, process.stderr.columns - 4)}`);
};

function contextOf(name) {
  const asked = positionals.filter((each) => each.split('/')[0] === name);
  const all = asked.length === 0 || asked.includes(name);
  return {
    quick: options.quick,
    rounds: Number(options.rounds ?? (options.quick ? 2 : 5)),
    warmMs: options.quick ? 300 : 1000,
    runMs: options.quick ? 500 : 3000,
    log,
    wants: (variant) => all || asked.includes(`${name}/${variant}`),
  };
}

const chosen = names.filter(
  (name) => positionals.length === 0 || positionals.some((each) => each.split('/')[0] === name),
);

if (unpinned !== undefined) console.error(`not pinned to cores: ${unpinned}`);
if (!options.json && !options.list) {
  const { cpu, cores, kernel, node } = describeMachine();
  console.log(`${cpu}, ${cores} cores, ${kernel}, node ${node}`);
}

const results = [];

function tell(result) {
  if (!contextOf(result.scenario).wants(result.variant)) return;
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  results.push(result);
  if (options.json) console.log(JSON.stringify(result));
  else printResult(result, judge(result));
}

for (const name of chosen) {
  const scenario = await import(`./scenarios/${name}.mjs`);
  if (options.list) {
    for (const variant of scenario.variants) console.log(`${name}/${variant}`);
    continue;
  }
  if (!options.json) console.log(`\n${name}: ${scenario.title}`);
  try {
    for await (const result of scenario.run(contextOf(name))) tell(result);
  } catch (error) {
    console.error(`${name} failed: ${error.stack}`);
    process.exitCode = 1;
  }
}
if (!options.json && !options.list) printBounds(results.flatMap(judge));
