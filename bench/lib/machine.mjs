// The machine: which cores the two sides of a benchmark run on, and what to say of it in a report.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release } from 'node:os';

/** The cores this process may use, as Linux tells them: `0-2,5`. */
function allowedCores() {
  try {
    const [, list] = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'));
    return list.split(',').flatMap((span) => {
      const [first, last = first] = span.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });
  } catch {
    return [];
  }
}

const cores = allowedCores();
const taskset = spawnSync('taskset', ['--version']).status === 0;

/** Why processes cannot be kept on cores of their own; undefined if they can. */
export const unpinned =
  cores.length < 2
    ? 'fewer than two cores'
    : taskset
      ? undefined
      : 'no taskset(1), which is in util-linux';

/**
 * A command that keeps to the core of its side, 'server' or 'load'; 'any' is left alone. Interrupts
 * tend to core 0, so servers have the last.
 */
export function pinned(side, command, args) {
  if (unpinned !== undefined || side === 'any') return [command, args];
  const core = side === 'server' ? cores.at(-1) : cores[0];
  return ['taskset', ['-c', String(core), command, ...args]];
}

/** How many descriptors a process may have. */
export function fileLimit() {
  try {
    return Number(
      /^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))[1],
    );
  } catch {
    return Number.POSITIVE_INFINITY; // unlimited, or unknown
  }
}

export function describeMachine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cores.length || cpus().length,
    pinned: unpinned ?? true,
    kernel: `${process.platform} ${release()}`,
    node: process.versions.node,
    arch: process.arch,
  };
}
