// npm start [-- arguments]: builds what is missing or stale, in silence, then becomes the demo. The
// demo runs in this very process, so that signals and the exit code need no passing on.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root, run } from './lib.mjs';

run(process.execPath, ['scripts/turbo.mjs', '--quiet', 'run', 'build', 'build:native']);

const demo = join(root, 'examples/dist/demo.js');
if (!existsSync(demo)) throw new Error(`${demo} was not built`);
process.argv[1] = demo;
await import(pathToFileURL(demo).href);
