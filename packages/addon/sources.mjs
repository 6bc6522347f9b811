// Prints the C++ sources of a directory for binding.gyp, which has no glob of its own. A file named
// for a family of systems (x_posix.cc, x_windows.cc, x_linux.cc) is for that family only. The system is
// this one, or the one named after the directory, for cross-building.
import { readdirSync } from 'node:fs';

const [dir, platform = process.platform] = process.argv.slice(2);
const families = {
  posix: platform !== 'win32',
  windows: platform === 'win32',
  linux: platform === 'linux',
  darwin: platform === 'darwin',
};
for (const name of readdirSync(dir).sort()) {
  if (!name.endsWith('.cc')) continue;
  const family = /_([a-z]+)\.cc$/.exec(name)?.[1];
  if (families[family] === false) continue;
  console.log(dir === '.' ? name : `${dir}/${name}`);
}
