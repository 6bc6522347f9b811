// Paths for Unix sockets: in a directory of the process, which is removed with it.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Each call of what it returns makes a path that nobody has used; its `left` tells which files are
 * there.
 */
export function pathMaker(): (() => string) & { left(): string[] } {
  const directory = mkdtempSync(join(tmpdir(), 'pollux-fuzz-'));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  let made = 0;
  return Object.assign(() => join(directory, `${made++}`), { left: () => readdirSync(directory) });
}
