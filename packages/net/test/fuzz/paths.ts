// Paths for Unix sockets: in a directory of the process, which is removed with it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Each call of what it returns makes a path that nobody has used. */
export function pathMaker(): () => string {
  const directory = mkdtempSync(join(tmpdir(), 'pollux-fuzz-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  let made = 0;
  return () => join(directory, `${made++}`);
}
