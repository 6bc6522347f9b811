// npm run release:pack [-- --out DIRECTORY]: makes the tarballs that are published, after `npm run build`
// and `npm run build:all`, in .release or another directory, with a list of them (release.json).
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from './lib.mjs';
import { packAll } from './packages/pack.mjs';
import { writeRelease } from './packages/release.mjs';

const { values: options } = parseArgs({
  options: { out: { type: 'string', default: join(root, '.release') } },
});
rmSync(options.out, { recursive: true, force: true });
const packages = packAll(root, options.out);
writeRelease(options.out, packages);
for (const { name, version, size, integrity } of packages)
  console.log(`@pollux/${name}@${version}: ${size} bytes, ${integrity}`);
