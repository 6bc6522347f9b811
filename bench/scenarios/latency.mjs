// From a write into a pipe, in another process, to the JavaScript callback, on an idle loop.
//
// Here nobody is kept to a core: how long it takes to wake another thread, on another core, is what
// sets a wait thread apart from a loop that waits itself. On one core both look the same.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compile, npmPackage } from '../lib/build.mjs';
import { alternate, compare } from '../lib/measure.mjs';
import { Program } from '../lib/process.mjs';
import { script } from '../lib/servers.mjs';

export const title = 'from a write in another process to the callback, idle loop';
export const variants = ['blocking', 'uv', 'thread'];

export const groups = [
  {
    title: 'from write to callback',
    ours: Object.fromEntries(variants.map((how) => [`Pollux, ${how}`, ['latency', how]])),
  },
];

async function measure({ command, args: [file, ...more] }, { warmMs, runMs }) {
  const directory = mkdtempSync(join(tmpdir(), 'pollux-bench-'));
  const fifo = join(directory, 'fifo');
  execFileSync('mkfifo', [fifo]);
  const reader = new Program('any', command, [file, fifo, ...more]);
  try {
    await reader.next();
    const writer = new Program('any', compile('load/pipe-writer.c'), [fifo, warmMs, runMs]);
    try {
      await writer.next();
      await reader.ask('forget');
      const { messages: written } = await writer.ask('go');
      const { messages, ...latencies } = await reader.ask('tell');
      if (messages !== written) throw new Error(`${written} written, ${messages} read`);
      return { ...latencies, messages };
    } finally {
      await reader.stop();
      await writer.stop();
    }
  } finally {
    await reader.stop();
    rmSync(directory, { recursive: true });
  }
}

export async function* run(context) {
  const wanted = variants.filter(context.wants);
  const results = await alternate(
    {
      ...Object.fromEntries(wanted.map((how) => [how, script('pollux/latency.mjs', how)])),
      'npm-epoll': () => script('peers/npm-epoll-latency.mjs', npmPackage('epoll', '4.0.2'))(),
      'node-net': script('peers/node-net-latency.mjs'),
    },
    context,
    (contestant) => measure(contestant, context),
  );
  for (const variant of wanted) {
    yield compare({
      scenario: 'latency',
      variant,
      metric: 'p50_us',
      key: 'p50',
      ...results,
      ours: variant,
      peers: ['npm-epoll', 'node-net'],
    });
  }
}
