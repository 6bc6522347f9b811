// libevent's classic benchmark: N socketpairs, 100 active, N writes, and every watcher deleted and
// added anew in each round. strace, where there is one, counts the system calls of a round.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Absent } from '../lib/build.mjs';
import { alternate, compare } from '../lib/measure.mjs';
import { Program } from '../lib/process.mjs';
import { program, script, withDescriptors } from '../lib/servers.mjs';

export const title = "libevent's benchmark, 100 active of N socketpairs, N writes";
const sizes = [100, 1000, 9000];
export const variants = [...sizes.map(String), '9000-poll', '9000-select'];

export const groups = variants.map((variant) => ({
  title: variant.replace('-', ' socketpairs, on '),
  ours: { Pollux: ['cascade', variant] },
}));

const ACTIVE = 100;
const TRACED_ROUNDS = 10;
const strace = spawnSync('strace', ['--version']).status === 0;

function contestants(pairs, backend) {
  // libevent has them in this order.
  const methods = ['epoll', 'poll', 'select'];
  const avoided = methods.slice(0, methods.indexOf(backend));
  const peer = program('peers/libevent-cascade.c', {
    library: 'libevent',
    args: [pairs, ACTIVE, ...avoided],
  });
  return {
    pollux: withDescriptors(2 * pairs, script('pollux/cascade.mjs', pairs, ACTIVE, backend)),
    libevent: withDescriptors(2 * pairs, () => ({ ...peer(), libevent: backend === 'select' })),
  };
}

async function measure({ command, args, libevent }, { warmMs, runMs }) {
  const server = new Program('server', command, args);
  try {
    await server.next();
    await server.ask(`ms ${warmMs}`).catch((error) => {
      // Debian's libevent aborts where select(2) would be given a descriptor above FD_SETSIZE.
      throw libevent ? new Absent(error.message.replace(/^.*: /, 'libevent on select ')) : error;
    });
    const { rounds, events, wall, user, system } = await server.ask(`ms ${runMs}`);
    return {
      cpu: (user + system) / rounds,
      user: user / rounds,
      system: system / rounds,
      wall: wall / rounds,
      eventsPerRound: events / rounds,
    };
  } finally {
    await server.stop();
  }
}

/** System calls of one round, by name: those of some rounds more, over these. */
async function systemCalls(contestant) {
  const few = await traced(contestant, 2);
  const many = await traced(contestant, 2 + TRACED_ROUNDS);
  const calls = {};
  for (const [name, count] of Object.entries(many)) {
    const each = (count - (few[name] ?? 0)) / TRACED_ROUNDS;
    if (each >= 1) calls[name] = Math.round(each);
  }
  return calls;
}

async function traced({ command, args }, rounds) {
  const directory = mkdtempSync(join(tmpdir(), 'pollux-bench-'));
  const file = join(directory, 'strace');
  const server = new Program('server', 'strace', ['-f', '-c', '-o', file, command, ...args]);
  try {
    await server.next();
    await server.ask(`rounds ${rounds}`);
  } finally {
    await server.stop();
  }
  const table = readFileSync(file, 'utf8').matchAll(
    /^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$/gm,
  );
  rmSync(directory, { recursive: true });
  return Object.fromEntries(
    [...table].filter(([, , name]) => name !== 'total').map(([, count, name]) => [name, +count]),
  );
}

export async function* run(context) {
  for (const variant of variants) {
    if (!context.wants(variant)) continue;
    const [pairs, backend = 'epoll'] = variant.split('-');
    const all = contestants(Number(pairs), backend);
    const results = await alternate(all, context, (contestant) => measure(contestant, context));
    const systemCallsPerRound = {};
    if (strace) {
      for (const name of Object.keys(results.samples)) {
        systemCallsPerRound[name] = await systemCalls(all[name]());
      }
    }
    yield compare({
      scenario: 'cascade',
      variant,
      metric: 'cpu_us_per_round',
      key: 'cpu',
      ...results,
      ours: 'pollux',
      peers: ['libevent'],
      detail: strace ? { systemCallsPerRound } : { systemCalls: 'no strace' },
    });
  }
}
