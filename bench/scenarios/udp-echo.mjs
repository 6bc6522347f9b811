// UDP echo: 64 bytes, 16 flows, 16 datagrams under way on each.
import { compile } from '../lib/build.mjs';
import { alternate, compare } from '../lib/measure.mjs';
import { loaded, program, script } from '../lib/servers.mjs';

export const title = 'UDP echo, 64 bytes, 16 flows, a window of 16';
const modes = ['attached', 'blocking'];
export const variants = modes.flatMap((mode) => [mode, `${mode}-user`]);

export const groups = ['', '-user'].map((share) => ({
  title: '16 flows',
  ours: {
    'Pollux, blocking': ['udp-echo', `blocking${share}`],
    'Pollux, attached': ['udp-echo', `attached${share}`],
  },
}));

const FLOWS = 16;
const WINDOW = 16;
const SIZE = 64;
const peers = ['c-mmsg', 'c-epoll', 'node-dgram'];

export async function* run(context) {
  const generator = compile('load/udp-echo.c');
  const wanted = modes.filter((mode) => context.wants(mode) || context.wants(`${mode}-user`));
  const results = await alternate(
    {
      ...Object.fromEntries(wanted.map((mode) => [mode, script('pollux/udp-echo.mjs', mode)])),
      'c-mmsg': program('peers/c-mmsg.c'),
      'c-epoll': program('peers/c-epoll-udp.c'),
      'node-dgram': script('peers/node-dgram.mjs'),
    },
    context,
    (contestant) =>
      loaded(contestant, generator, (port) => [
        port,
        FLOWS,
        WINDOW,
        SIZE,
        context.warmMs,
        context.runMs,
      ]),
  );
  for (const mode of wanted) {
    const of = (variant, metric, key) =>
      compare({ scenario: 'udp-echo', variant, metric, key, ...results, ours: mode, peers });
    yield of(mode, 'cpu_us_per_message', 'cpu');
    yield of(`${mode}-user`, 'user_us_per_message', 'user');
  }
}
