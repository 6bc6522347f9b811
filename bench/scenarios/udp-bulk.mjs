// UDP one way, as fast as it goes: what receiving, or sending, a datagram costs. A sender in C floods
// the receivers with trains; the senders flood a receiver in C. What the flooded side drops costs the
// flooding side. Datagrams count that the server got, or that the system took from it.
import { setTimeout as sleep } from 'node:timers/promises';
import { compile } from '../lib/build.mjs';
import { alternate, compare } from '../lib/measure.mjs';
import { Program, used } from '../lib/process.mjs';
import { program, script } from '../lib/servers.mjs';

export const title = 'UDP one way, GSO and GRO on';
const directions = ['rx', 'tx'];
const sizes = [64, 1200];
export const variants = directions.flatMap((way) => sizes.map((size) => `${way}-${size}`));

export const groups = directions.flatMap((way) =>
  sizes.map((size) => ({
    title: `${way === 'rx' ? 'receiving' : 'sending'} ${size} bytes`,
    ours: { Pollux: ['udp-bulk', `${way}-${size}`] },
  })),
);

const contestants = {
  rx: {
    blocking: script('pollux/udp-receive.mjs', 'blocking'),
    attached: script('pollux/udp-receive.mjs', 'attached'),
    'c-gso': program('peers/c-gso-rx.c'),
    'node-dgram': script('peers/node-dgram-receive.mjs'),
  },
  tx: {
    blocking: script('pollux/udp-send.mjs', 'blocking'),
    attached: script('pollux/udp-send.mjs', 'attached'),
    'c-gso': program('peers/c-gso-tx.c'),
    'node-dgram': script('peers/node-dgram-send.mjs'),
  },
};

function sample(before, after, seconds, raw) {
  const { user, system } = used(before, after);
  const datagrams = after.served - before.served;
  if (datagrams === 0) throw new Error('no datagram came through');
  return {
    cpu: (user + system) / datagrams,
    user: user / datagrams,
    system: system / datagrams,
    perSecond: datagrams / seconds,
    busy: (user + system) / (seconds * 1e6),
    ...(raw !== undefined && { api: raw ? 'raw' : 'comfortable' }),
  };
}

async function receive({ command, args }, size, { warmMs, runMs }) {
  const server = new Program('server', command, args);
  try {
    const { port, raw } = await server.next();
    const load = new Program('load', compile('load/udp-blast.c'), [port, size, warmMs, runMs]);
    try {
      await load.next();
      const before = await server.ask('usage');
      const { messages, seconds } = await load.ask('go');
      const after = await server.ask('usage');
      return { ...sample(before, after, seconds, raw), sentPerSecond: messages / seconds };
    } finally {
      await load.stop();
    }
  } finally {
    await server.stop();
  }
}

async function send({ command, args }, size, { warmMs, runMs }) {
  const sink = new Program('load', compile('peers/c-gso-rx.c'), []);
  try {
    const { port } = await sink.next();
    const server = new Program('server', command, [...args, port, size]);
    try {
      const { raw } = await server.next();
      await server.ask('go');
      await sleep(warmMs);
      const start = process.hrtime.bigint();
      const [before, sinkBefore] = [await server.ask('usage'), await sink.ask('usage')];
      await sleep(runMs);
      const [after, sinkAfter] = [await server.ask('usage'), await sink.ask('usage')];
      const seconds = Number(process.hrtime.bigint() - start) / 1e9;
      const received = (sinkAfter.served - sinkBefore.served) / seconds;
      return { ...sample(before, after, seconds, raw), receivedPerSecond: received };
    } finally {
      await server.stop();
    }
  } finally {
    await sink.stop();
  }
}

export async function* run(context) {
  for (const way of directions) {
    for (const size of sizes) {
      const variant = `${way}-${size}`;
      if (!context.wants(variant)) continue;
      const results = await alternate(contestants[way], context, (contestant) =>
        (way === 'rx' ? receive : send)(contestant, size, context),
      );
      yield compare({
        scenario: 'udp-bulk',
        variant,
        metric: 'cpu_us_per_datagram',
        key: 'cpu',
        ...results,
        ours: 'blocking',
        peers: ['c-gso', 'node-dgram'],
        also: ['attached'],
      });
    }
  }
}
