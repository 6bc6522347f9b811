// node on.mjs <platforms> <command> [arguments]: runs an npm command of this package on these systems
// (process.platform, separated by commas) and does nothing on others: a primitive of one system is not
// built on another.
import { spawnSync } from 'node:child_process';

const [platforms, command, ...args] = process.argv.slice(2);
if (platforms.split(',').includes(process.platform)) {
  const { status, error } = spawnSync(command, args, {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (error) throw error;
  process.exitCode = status ?? 1;
}
