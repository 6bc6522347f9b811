// npm run release:publish [-- --from DIRECTORY]: publishes the tarballs of `npm run release:pack`, the
// backends first and core last but for what needs it. It may be run again after it broke off: what is
// there with the same integrity is skipped. If a version is there with another, nothing is published.
//
// On GitHub it needs no secret: npm proves to the registry which workflow of which repository it runs in
// (trusted publishing), and says so in a statement of provenance.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root, run } from './lib.mjs';
import { readRelease } from './packages/release.mjs';

const { values: options } = parseArgs({
  options: { from: { type: 'string', default: join(root, '.release') } },
});
const identified = process.env.ACTIONS_ID_TOKEN_REQUEST_URL !== undefined;
if (identified) requireTrustedPublishing();

const missing = [];
const faults = [];
for (const each of readRelease(options.from)) {
  const label = `@pollux/${each.name}@${each.version}`;
  const there = integrityThere(label);
  if (there === undefined) missing.push({ ...each, label });
  else if (there === each.integrity) console.log(`${label}: there already`);
  else faults.push(`${label} is there with other bytes: ${there}, not ${each.integrity}`);
}
if (faults.length > 0) {
  console.error(faults.join('\n'));
  process.exit(1);
}
for (const { label, path, version } of missing) {
  const tag = version.includes('-') ? 'next' : 'latest';
  const provenance = identified ? ['--provenance'] : [];
  run('npm', ['publish', path, '--access', 'public', '--tag', tag, ...provenance], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  console.log(`${label}: published as ${tag}`);
}

/** The integrity of a version in the registry; undefined if it is not there. Whatever else is fatal. */
function integrityThere(label) {
  const asking = ['view', label, 'dist.integrity', '--json', '--prefer-online'];
  const { status, stdout, error } = spawnSync('npm', asking, { cwd: root, encoding: 'utf8' });
  if (error) throw error;
  // A package without that version is an empty answer, an unknown package E404.
  const answer = stdout.trim() === '' ? undefined : JSON.parse(stdout);
  if (status === 0) return Array.isArray(answer) ? answer[0] : answer;
  if (answer?.error?.code === 'E404') return undefined;
  throw new Error(`npm view ${label}: ${stdout}`);
}

function requireTrustedPublishing() {
  const version = spawnSync('npm', ['--version'], { encoding: 'utf8' }).stdout.trim();
  const [major, minor, patch] = version.split('.').map(Number);
  if (major * 1e6 + minor * 1e3 + patch >= 11_005_001) return;
  console.error(`npm ${version} does not know trusted publishing: 11.5.1 does`);
  process.exit(1);
}
