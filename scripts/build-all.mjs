// npm run build:all [-- --only linux,darwin-arm64]: every addon for every platform, on one Linux machine,
// into packages/*/prebuilds, with a list of them in each package (prebuilds.json), and all of it looked
// at by check-prebuilds.mjs. What is built for what is in prebuild/targets.mjs, how in
// prebuild/compile.mjs. `npm run build:windows` and `npm run build:darwin` are parts of it.
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { root, run } from './lib.mjs';
import { build } from './prebuild/compile.mjs';
import { writeManifests } from './prebuild/manifest.mjs';
import { addonsFor, select } from './prebuild/targets.mjs';
import { ensureTools, queueOf } from './prebuild/tools.mjs';

const { values: options } = parseArgs({ options: { only: { type: 'string' } } });
const targets = select(options.only);
ensureTools(targets);

const started = Date.now();
const queue = queueOf(availableParallelism());
try {
  await Promise.all(targets.map(buildTarget));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
writeManifests(targets);
run(process.execPath, ['scripts/check-prebuilds.mjs', ...targets.map(({ id }) => id)], {
  cwd: root,
});

async function buildTarget(target) {
  const names = addonsFor(target);
  await Promise.all(names.map((addon) => build(addon, target, queue)));
  const seconds = ((Date.now() - started) / 1000).toFixed(0);
  console.log(
    `${seconds.padStart(3)} s  ${target.id}: ${names.map(({ name }) => name).join(', ')}`,
  );
}
