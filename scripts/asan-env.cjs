// Preloaded by scripts/asan.mjs: points node-gyp-build at the instrumented addons in .asan/. It is
// done here and not in the environment, because sh drops variables with names such as these.
const { existsSync, readdirSync } = require('node:fs');
const { join } = require('node:path');

const shadow = join(__dirname, '..', '.asan', 'packages');
for (const addon of readdirSync(shadow)) {
  const native = join(shadow, addon, 'native');
  if (existsSync(native)) process.env[`@POLLUX/${addon.toUpperCase()}_PREBUILD`] ??= native;
}

// Run as a program, with names of addons: are those the ones that load, and instrumented?
if (require.main === module) {
  const { readFileSync } = require('node:fs');
  const load = require('node-gyp-build');
  for (const addon of process.argv.slice(2)) {
    const directory = join(__dirname, '..', 'packages', addon);
    const file = load.resolve(directory);
    if (!file.startsWith(shadow)) throw new Error(`${addon} would load from ${file}`);
    if (!readFileSync(file).includes('__asan_init')) throw new Error(`no ASan in ${file}`);
    load(directory);
  }
}
