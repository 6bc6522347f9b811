// Runs one test file in whatever runtime this is, with vitest's own runner: `run-file.mjs <runtime> <file>
// <result> <slow>`, and `all` behind that for what not-here.mjs leaves out too. Writes what became of each
// test as JSON.
//
// What the system lacks is skipped with its name as the reason (LackingHere of the testkit).
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getFn, startTests } from '@vitest/runner';
import { reasonAgainst } from './not-here.mjs';

const [runtime, name, resultFile, slow, all] = process.argv.slice(2);
const stray = [];
for (const event of ['uncaughtException', 'unhandledRejection'])
  process.on(event, (error) => stray.push(`${event}: ${error?.stack ?? error}`));

// A test may wait for what keeps no process alive. Under vitest its channel to the main process does.
setInterval(() => {}, 2 ** 30);
// libuv keeps a descriptor in reserve from the first stream on, which must not be a test's.
void process.stdout.writable;
void process.stderr.writable;

const { RUNTIME_EXEC_PATH } = process.env;
if (RUNTIME_EXEC_PATH !== undefined) process.execPath = RUNTIME_EXEC_PATH;

// Deno opens two sockets of its own half a second after its start, whatever it runs, later on a machine
// that is busy: they are none of a test's.
if (process.versions.deno !== undefined) await settled();

const limit = 20_000 * Number(slow);
const runner = {
  config: {
    root: import.meta.dirname,
    setupFiles: [],
    sequence: { hooks: 'stack', setupFiles: 'parallel', seed: 1 },
    maxConcurrency: 5,
    testTimeout: limit,
    hookTimeout: limit,
    retry: 0,
    tags: [],
  },
  importFile: (path) => import(path),
  // For one that ends the process, or hangs.
  onBeforeRunTask: (test) => writeFileSync(`${resultFile}.now`, test.fullTestName ?? test.name),
  async runTask(test) {
    const known = all === 'all' ? undefined : reasonAgainst(runtime, name, test.name);
    if (known !== undefined) test.context.skip(known);
    try {
      await getFn(test)();
    } catch (error) {
      const reason = error?.lackingHere ?? error?.suppressed?.lackingHere;
      if (reason !== undefined) test.context.skip(reason);
      throw error;
    }
  },
};

const [file] = await startTests([join(import.meta.dirname, name)], runner);
const results = [];
collect(file);
writeFileSync(resultFile, JSON.stringify({ results, stray }));
// Not by itself: what a test has left behind must not keep a file that is through.
process.exit(0);

/** Until no descriptor has come or gone for a second. */
async function settled() {
  const open = () => readdirSync('/proc/self/fd').length;
  let last = open();
  for (let since = performance.now(); performance.now() - since < 1000; ) {
    await new Promise((go) => setTimeout(go, 20));
    if (open() === last) continue;
    last = open();
    since = performance.now();
  }
}

/** Tests, and the errors of suites and of the file itself, which belong to no test. */
function collect(task) {
  const { state, errors = [], note } = task.result ?? {};
  const text = errors.map(({ stack, message, diff }) =>
    [stack?.includes(message) ? stack : `${message}\n${stack}`, diff ?? ''].join('\n'),
  );
  const passedOver = task.mode === 'skip' || task.mode === 'todo' || state === 'skip';
  if (task.type === 'test') {
    const outcome = state === 'pass' ? 'passed' : passedOver ? 'skipped' : 'failed';
    results.push({ name: task.fullTestName ?? task.name, outcome, text, note });
    return;
  }
  if (text.length > 0) results.push({ name: task.name, outcome: 'failed', text });
  for (const each of task.tasks) collect(each);
}
