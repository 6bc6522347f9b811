// Run by node.exe in the stage, before the suites: `origins.mjs <installed> <absent>`, names with commas
// between. Tells from where the tests get each package, and which binaries are then in this process;
// fails if one is not in the node_modules that npm has filled, or if a package is found that npm has not
// installed: so it would be by a way that leads back to the repository.
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative, sep } from 'node:path';
import { pathToFileURL } from 'node:url';

const [installed, absent] = process.argv.slice(2).map((names) => names.split(','));
const modules = join(process.cwd(), 'node_modules', '@pollux') + sep;
const faults = [];

/** Where a test is, or something that it starts. */
const tests = readdirSync('packages').map((name) => join('packages', name, 'test'));
const askers = [...tests, 'examples/dist', 'node_modules/@pollux/testkit/dist'];
const requires = askers.map((from) => createRequire(join(process.cwd(), from, 'asks.js')));

for (const name of installed) {
  const found = new Set(requires.map((require) => require.resolve(`@pollux/${name}/package.json`)));
  for (const path of found) {
    console.log(`@pollux/${name} is ${path}`);
    if (path !== join(modules, name, 'package.json'))
      faults.push(`${path} is not what npm installed`);
  }
}
for (const name of absent) {
  for (const require of requires) {
    try {
      faults.push(`not installed, but found: ${require.resolve(`@pollux/${name}/package.json`)}`);
    } catch (error) {
      if (error.code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
}

// As a program would, whose own folder this is.
const own = createRequire(pathToFileURL(join(process.cwd(), 'program.js')));
const { Reactor } = own('@pollux/core');
own('@pollux/net');
const reactor = new Reactor();
console.log(`a reactor runs on ${reactor.backend}, with`);
reactor.close();
const loaded = process.report.getReport().sharedObjects.filter((path) => path.endsWith('.node'));
for (const path of loaded) {
  console.log(`  ${relative(process.cwd(), path)}`);
  if (!path.startsWith(modules)) faults.push(`${path} is not what npm installed`);
}
for (const name of [reactor.backend, 'net'])
  if (!loaded.some((path) => path.endsWith(`${sep}${name}.node`)))
    faults.push(`${name}.node is not loaded`);

for (const fault of faults) console.error(fault);
process.exitCode = faults.length === 0 ? 0 : 1;
