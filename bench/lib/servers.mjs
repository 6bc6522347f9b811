// Contestants: for each, a function that prepares it and returns the command that starts it.
import { join } from 'node:path';
import { Absent, benchDirectory, compile } from './build.mjs';
import { fileLimit } from './machine.mjs';
import { Program, used } from './process.mjs';

/** A script of ours or of a peer, run by this Node. */
export function script(path, ...args) {
  return () => ({ command: process.execPath, args: [join(benchDirectory, path), ...args] });
}

/** The contestant, if a process may have so many descriptors, and some of its own. */
export function withDescriptors(count, contestant) {
  return () => {
    if (fileLimit() < count + 50) {
      throw new Absent(
        `${count} descriptors are wanted, and ${fileLimit()} are allowed (ulimit -Hn)`,
      );
    }
    return contestant();
  };
}

/** A peer in C, compiled first. */
export function program(source, { library, args = [] } = {}) {
  return () => ({ command: compile(source, library), args });
}

/**
 * Starts the server, loads it with a generator of bench/load, and returns what it has used for each
 * message: microseconds of processor time, all, in user space and in the system.
 */
export async function loaded(contestant, generator, makeArgs) {
  const server = new Program('server', contestant.command, contestant.args);
  try {
    const { port, raw } = await server.next();
    const load = new Program('load', generator, makeArgs(port));
    try {
      await load.next();
      const before = await server.ask('usage');
      const { messages, seconds, ...more } = await load.ask('go');
      const after = await server.ask('usage');
      const { user, system } = used(before, after);
      return {
        cpu: (user + system) / messages,
        user: user / messages,
        system: system / messages,
        perSecond: messages / seconds,
        busy: (user + system) / (seconds * 1e6),
        ...more,
        ...(raw !== undefined && { api: raw ? 'raw' : 'comfortable' }),
      };
    } finally {
      await load.stop();
    }
  } finally {
    await server.stop();
  }
}
