// What .github/workflows/release.yml has to do: whether changesets wait to become versions (`pending`), and
// whether the version that main has is one to publish (`release`): one that has no tag yet and no
// changesets waiting. Printed as lines for GITHUB_OUTPUT. It needs git's tags, and nothing that is
// installed.
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './lib.mjs';
import { manifestsOf } from './packages/published.mjs';

const { version } = manifestsOf(root).get('core');
const changesets = readdirSync(join(root, '.changeset'));
const pending = changesets.some((file) => file.endsWith('.md') && file !== 'README.md');
const tags = execFileSync('git', ['tag', '--list', `v${version}`], { cwd: root, encoding: 'utf8' });
const release = !pending && version !== '0.0.0' && tags.trim() === '';
console.log(`pending=${pending}\nrelease=${release}\nversion=${version}`);
