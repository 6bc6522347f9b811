// Compiles consumer/ against the unpacked tarballs with one TypeScript, strictly and with every
// declaration looked at (skipLibCheck: false), as the kinds of project that there are would.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../lib.mjs';
import { unpack } from './pack.mjs';

const projects = {
  // `using` is not in the library here: what is declared Disposable must do without.
  node: { target: 'ES2022', lib: ['ES2022'], module: 'NodeNext' },
  newest: { target: 'ESNext', module: 'NodeNext', exactOptionalPropertyTypes: true },
  bundler: { target: 'ES2023', module: 'ESNext', moduleResolution: 'Bundler', noEmit: true },
};

/**
 * What the compiler whose package is in the directory `compiler` says of each kind of project, or of
 * those in `only`; it works in `place`.
 */
export async function typeFaults(packages, compiler, place, only = Object.keys(projects)) {
  const modules = join(place, 'node_modules');
  mkdirSync(join(modules, '@types'), { recursive: true });
  for (const { name, path } of packages) unpack(path, join(modules, '@pollux', name));
  symlinkSync(join(root, 'node_modules/@types/node'), join(modules, '@types/node'));
  const consumer = join(root, 'scripts/packages/consumer');
  for (const file of readdirSync(consumer)) cpSync(join(consumer, file), join(place, file));
  writeFileSync(join(place, 'package.json'), '{ "type": "module" }\n');

  // Every package, also those that main.ts does not name.
  const all = packages.map(({ name }, at) => `export * as all${at} from '@pollux/${name}';\n`);
  writeFileSync(join(place, 'all.ts'), all.join(''));

  const faults = [];
  for (const name of only) {
    const special = projects[name];
    const options = {
      strict: true,
      skipLibCheck: false,
      types: ['node'],
      outDir: name,
      ...special,
    };
    // A bundler's resolution knows no `import x = require()`.
    const files = ['main.ts', 'all.ts', ...(name === 'bundler' ? [] : ['required.cts'])];
    const path = join(place, `tsconfig.${name}.json`);
    writeFileSync(path, JSON.stringify({ compilerOptions: options, files }));
    try {
      execFileSync(process.execPath, [join(compiler, 'bin/tsc'), '-p', path], {
        cwd: place,
        encoding: 'utf8',
        stdio: 'pipe',
      });
    } catch (error) {
      faults.push(`${name}: ${error.stdout}${error.stderr}`);
    }
  }
  return faults;
}
