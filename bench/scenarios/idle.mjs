// What an event costs among 19,000 watched descriptors, over what it costs among 100.
import { setTimeout as sleep } from 'node:timers/promises';
import { alternate, compare } from '../lib/measure.mjs';
import { Program, used } from '../lib/process.mjs';
import { script, withDescriptors } from '../lib/servers.mjs';

export const title = 'an event among 19,000 descriptors, over one among 100';
export const variants = ['epoll', 'poll', 'select'];

export const groups = variants.map((backend) => ({
  title: `on ${backend}; self: among 100`,
  ours: { 'among 19,000': ['idle', backend] },
}));

const MANY = 19_000;
const FEW = 100;

async function measure({ command, args }, { warmMs, runMs }) {
  const server = new Program('server', command, args);
  try {
    await server.next();
    await sleep(warmMs);
    const before = await server.ask('usage');
    await sleep(runMs);
    const after = await server.ask('usage');
    const { user, system } = used(before, after);
    const events = after.served - before.served;
    return { cpu: (user + system) / events, user: user / events, system: system / events };
  } finally {
    await server.stop();
  }
}

export async function* run(context) {
  for (const backend of variants) {
    if (!context.wants(backend)) continue;
    const results = await alternate(
      {
        many: withDescriptors(MANY, script('pollux/idle.mjs', MANY, backend)),
        self: script('pollux/idle.mjs', FEW, backend),
      },
      context,
      (contestant) => measure(contestant, context),
    );
    yield compare({
      scenario: 'idle',
      variant: backend,
      metric: 'cpu_us_per_event',
      key: 'cpu',
      ...results,
      ours: 'many',
      peers: ['self'],
    });
  }
}
