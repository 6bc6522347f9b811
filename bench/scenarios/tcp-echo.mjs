// TCP echo: 64 bytes, one message under way on each of 50 or 1000 connections.
import { compile } from '../lib/build.mjs';
import { alternate, compare } from '../lib/measure.mjs';
import { loaded, program, script } from '../lib/servers.mjs';

export const title = 'TCP echo, 64 bytes, one message under way per connection';
export const variants = [50, 1000].flatMap((connections) =>
  ['blocking', 'attached'].flatMap((mode) => [
    `${connections}-${mode}`,
    `${connections}-${mode}-user`,
  ]),
);

export const groups = ['', '-user'].flatMap((share) =>
  [50, 1000].map((connections) => ({
    title: `${connections} connections`,
    ours: {
      'Pollux, blocking': ['tcp-echo', `${connections}-blocking${share}`],
      'Pollux, attached': ['tcp-echo', `${connections}-attached${share}`],
    },
  })),
);

const SIZE = 64;
const peers = ['c-epoll', 'libevent', 'libuv', 'node-net'];

export async function* run(context) {
  const generator = compile('load/tcp-echo.c');
  for (const connections of [50, 1000]) {
    const modes = ['blocking', 'attached'].filter(
      (mode) =>
        context.wants(`${connections}-${mode}`) || context.wants(`${connections}-${mode}-user`),
    );
    if (modes.length === 0) continue;
    const results = await alternate(
      {
        ...Object.fromEntries(modes.map((mode) => [mode, script('pollux/tcp-echo.mjs', mode)])),
        'c-epoll': program('peers/c-epoll-tcp.c'),
        libevent: program('peers/libevent-tcp.c', { library: 'libevent' }),
        libuv: program('peers/libuv-tcp.c', { library: 'libuv' }),
        'node-net': script('peers/node-net.mjs'),
      },
      context,
      (contestant) =>
        loaded(contestant, generator, (port) => [
          port,
          connections,
          SIZE,
          context.warmMs,
          context.runMs,
        ]),
    );
    for (const mode of modes) {
      const of = (variant, metric, key) =>
        compare({
          scenario: 'tcp-echo',
          variant,
          metric,
          key,
          ...results,
          ours: mode,
          peers,
        });
      yield of(`${connections}-${mode}`, 'cpu_us_per_message', 'cpu');
      yield of(`${connections}-${mode}-user`, 'user_us_per_message', 'user');
    }
  }
}
