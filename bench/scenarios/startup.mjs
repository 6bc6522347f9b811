// How many milliseconds later a program ends that imports @pollux/core and opens a poller, than one
// that is empty. Both are ES modules.
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../../scripts/lib.mjs';
import { benchDirectory } from '../lib/build.mjs';
import { pinned } from '../lib/machine.mjs';
import { alternate, median, medians, round } from '../lib/measure.mjs';

export const title = 'import and open a poller, over an empty program';
export const variants = ['core'];

export const groups = [{ title: 'over an empty program', ours: { Pollux: ['startup', 'core'] } }];

function measure(file, { quick }) {
  const runs = Array.from({ length: quick ? 5 : 20 }, () => {
    const [command, args] = pinned('server', process.execPath, [join(benchDirectory, file)]);
    const start = process.hrtime.bigint();
    const { status } = spawnSync(command, args, { stdio: 'inherit' });
    if (status !== 0) throw new Error(`${file}: ended (${status})`);
    return Number(process.hrtime.bigint() - start) / 1e6;
  });
  return { ms: median(runs) };
}

/** What npm unpacks; the prebuilds are those that were built here. */
function installedBytes(name) {
  const options = { cwd: join(root, 'packages', name), encoding: 'utf8', stdio: 'pipe' };
  const [{ unpackedSize }] = JSON.parse(
    execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], options),
  );
  return unpackedSize;
}

export async function* run(context) {
  const { samples } = await alternate(
    { pollux: () => 'pollux/startup.mjs', node: () => 'peers/nothing.mjs' },
    context,
    (file) => measure(file, context),
  );
  const over = samples.pollux.map(({ ms }, i) => ms - samples.node[i].ms);
  yield {
    scenario: 'startup',
    variant: 'core',
    metric: 'ms_over_node',
    rounds: over.length,
    pollux: round(median(over)),
    peers: {},
    ratios: {},
    detail: {
      pollux: medians(samples.pollux),
      node: medians(samples.node),
      installedBytes: { core: installedBytes('core'), epoll: installedBytes('epoll') },
    },
  };
}
