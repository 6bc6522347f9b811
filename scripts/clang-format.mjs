// Formats our C++ (--write), or names what is not formatted and fails (--check). clang-format comes
// from npm as WebAssembly, so that every machine has the same version.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from '@wasm-fmt/clang-format';
import { projectFiles, root } from './lib.mjs';

const write = process.argv.includes('--write');
const style = readFileSync(join(root, '.clang-format'), 'utf8');
let bad = 0;
for (const file of projectFiles('.c', '.cc', '.h')) {
  const path = join(root, file);
  const before = readFileSync(path, 'utf8');
  const after = format(before, file, style);
  if (after === before) continue;
  if (write) {
    writeFileSync(path, after);
    console.log(`formatted ${file}`);
  } else {
    console.error(`not formatted: ${file} (npm run format)`);
    bad += 1;
  }
}
process.exitCode = bad === 0 ? 0 : 1;
