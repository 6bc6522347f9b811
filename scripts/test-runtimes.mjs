// npm run test:runtimes [-- --runtime node22,bun] [--filter poller-] [--all]: runs the suites of core,
// net and the testkit on other runtimes, on the packages as they would be published: installed from
// their tarballs into an empty folder.
//
// Node 20, 22, 24 and 26 and Bun and Deno for x64, and Node for arm64 under qemu's user mode, all from
// npm (runtimes/versions.mjs). Each test file is a process of its own, so that what ends one ends no
// other. What a runtime cannot do is named in runtimes/not-here.mjs; --all runs that too. With --ci, what
// CI has time for.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root, run } from './lib.mjs';
import { checkPackage } from './prebuild/check-package.mjs';
import { published, select, targetsOf } from './prebuild/targets.mjs';
import { queueOf } from './prebuild/tools.mjs';
import { reasonAgainst } from './runtimes/not-here.mjs';
import { makeStage } from './runtimes/stage.mjs';
import { fetchRuntime, home, runtimes } from './runtimes/versions.mjs';

const longestFileMs = 240_000;
const longestText = 25;

const { values: options } = parseArgs({
  options: {
    runtime: { type: 'string' },
    filter: { type: 'string', default: '' },
    jobs: { type: 'string', default: '2' },
    all: { type: 'boolean', default: false },
    ci: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});
/** Under four minutes on two cores; Node 20 and everything is the job of `npm test`. */
const ci = {
  runtimes: ['node22', 'node24', 'node26', 'bun', 'deno'],
  filters: [
    ...['poller-arguments', 'poller-conditions', 'poller-errors', 'poller-modes'],
    ...['poller-notify', 'poller-timeouts', 'reactor-batch.', 'reactor-close.', 'reactor-exit'],
    ...['reactor-draining', 'reactor-hooks'],
    ...['reactor-modes', 'reactor-timers', 'reactor-watchers', 'core/test/installation'],
    ...['net/test/tcp-echo', 'net/test/udp-echo', 'net/test/unix-echo'],
  ],
};
const names =
  options.runtime?.split(',') ?? (options.ci ? ci.runtimes : runtimes.map(({ name }) => name));
for (const name of names)
  if (!runtimes.some((each) => each.name === name))
    throw new Error(`no such runtime: ${name}; there are ${runtimes.map((each) => each.name)}`);
const chosen = runtimes.filter(({ name }) => names.includes(name));

if (process.platform !== 'linux' || process.arch !== 'x64') {
  console.error('test:runtimes is for Linux on x64');
  process.exit(1);
}
buildMissing();
mkdirSync(home, { recursive: true });
const commands = new Map(chosen.map((runtime) => [runtime.name, fetchRuntime(runtime)]));
const { place, stage, tests } = await makeStage();
const filters = options.ci ? ci.filters : options.filter.split(',');
const files = tests.filter((file) => filters.some((part) => file.includes(part)));
let failed = files.length === 0;
try {
  for (const runtime of chosen) await runOn(runtime);
} finally {
  if (options.keep) console.log(`kept: ${place}`);
  else rmSync(place, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;

/** The very binaries that would be published, unless they are there; and the testkit's. */
function buildMissing() {
  run(process.execPath, ['scripts/turbo.mjs', '--quiet', 'run', 'build']);
  const arches = [...new Set(chosen.map(({ arch }) => arch))];
  const targets = arches.flatMap((arch) => select(`linux-${arch}-glibc`));
  const stale = targets.filter((target) =>
    published
      .filter((name) => targetsOf(name).includes(target))
      .some((name) => checkPackage(name, join(root, 'packages', name), [target]).faults.length > 0),
  );
  const missing = targets.filter(
    ({ arch }) =>
      !existsSync(join(root, `packages/testkit/prebuilds/linux-${arch}/testkit.glibc.node`)),
  );
  const only = [...new Set([...stale, ...missing])].map(({ id }) => id);
  if (only.length > 0) run('npm', ['run', '--silent', 'build:all', '--', '--only', only.join()]);
  if (missing.some(({ arch }) => arch === 'x64'))
    run('npm', ['run', '--silent', 'build:native', '-w', '@pollux/testkit']);
}

async function runOn(runtime) {
  console.log(`\n=== ${runtime.title}`);
  const started = Date.now();
  const count = { passed: 0, failed: 0, skipped: 0 };
  const reasons = new Map();
  const queue = queueOf(Number(options.jobs));
  const skip = (reason) => {
    count.skipped++;
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  };
  await Promise.all(
    files.map(async (file) => {
      const whole = options.all ? undefined : reasonAgainst(runtime.name, file, '');
      if (whole !== undefined) {
        skip(`all of ${file}: ${whole}`);
        return;
      }
      for (const { name, outcome, text, note } of await queue(() => runFile(runtime, file))) {
        if (outcome === 'skipped') skip(note ?? `for all of this system: ${file}`);
        else count[outcome]++;
        if (outcome === 'failed')
          console.log(`\nFAILED ${file}: ${name}\n${shorten(text.join('\n'))}`);
      }
    }),
  );
  const lines = [...reasons]
    .sort(([, one], [, other]) => other - one)
    .map(([reason, times]) => `${String(times).padStart(5)}  ${reason}`);
  if (lines.length > 0) console.log(`Skipped, and why:\n${lines.join('\n')}`);
  const seconds = ((Date.now() - started) / 1000).toFixed(0);
  console.log(`${runtime.title}: ${files.length} files in ${seconds} s`);
  console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
  if (count.failed > 0) failed = true;
}

/** One file in a process of its own: what became of its tests. An end without an answer is a failure. */
async function runFile(runtime, file) {
  const [command, args, env] = commands.get(runtime.name);
  const resultFile = join(stage, `${file.replaceAll('/', '_')}.json`);
  const program = ['run-file.mjs', runtime.name, file, resultFile, String(runtime.slow)];
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(NODE_OPTIONS|npm_.*|POLLUX_.*)$/i.test(name) || name === 'POLLUX_BACKEND',
  );
  const child = spawn(command, [...args, ...program, ...(options.all ? ['all'] : [])], {
    cwd: stage,
    env: { ...Object.fromEntries(inherited), NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => {
      said += text;
    });
  let hung = false;
  const clock = setTimeout(() => {
    hung = true;
    process.kill(-child.pid, 'SIGKILL');
  }, longestFileMs * runtime.slow);
  const [code, signal] = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (...end) => resolve(end));
  });
  clearTimeout(clock);
  const answered = existsSync(resultFile);
  const at = existsSync(`${resultFile}.now`) ? readFileSync(`${resultFile}.now`, 'utf8') : 'begin';
  const end = `${hung ? 'it hung, and was killed' : `it ended with ${signal ?? code}`}, at: ${at}`;
  if (!answered || code !== 0)
    return [{ name: `the file: ${end}`, outcome: 'failed', text: [said.slice(-4000)] }];
  const { results, stray } = JSON.parse(readFileSync(resultFile, 'utf8'));
  rmSync(resultFile);
  return [...results, ...stray.map((text) => ({ name: 'stray', outcome: 'failed', text: [text] }))];
}

function shorten(text) {
  const lines = text.split('\n').filter((line) => !line.includes('/@vitest/runner/'));
  return lines.slice(0, longestText).join('\n');
}
