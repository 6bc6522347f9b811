// HTTP hello, keep-alive, 50 connections, processor time per request: node:http's Server over the
// Duplex of a Pollux stream, and examples/http-hello, beside the Server on node:net; and an epoll loop
// in C with an answer ready, for what a request costs the kernel.
import { Absent, compile } from '../lib/build.mjs';
import { alternate, compare } from '../lib/measure.mjs';
import { loaded, program, script } from '../lib/servers.mjs';

export const title = 'HTTP hello, keep-alive, 50 connections';
export const variants = ['duplex', 'hello'];

export const groups = [
  {
    title: 'a hello',
    ours: { 'Duplex of Pollux': ['http', 'duplex'], 'examples/http-hello': ['http', 'hello'] },
  },
];

const CONNECTIONS = 50;

async function duplex() {
  const { toDuplex } = await import('@pollux/net');
  if (toDuplex === undefined) throw new Absent('@pollux/net has no Duplex yet');
  return script('pollux/http-duplex.mjs')();
}

export async function* run(context) {
  const generator = compile('load/http.c');
  const ours = { duplex, hello: script('pollux/http-hello.mjs') };
  const wanted = variants.filter(context.wants);
  const results = await alternate(
    {
      ...Object.fromEntries(wanted.map((variant) => [variant, ours[variant]])),
      'node-http': script('peers/node-http.mjs'),
      'c-epoll': program('peers/c-epoll-http.c'),
    },
    context,
    (contestant) =>
      loaded(contestant, generator, (port) => [port, CONNECTIONS, context.warmMs, context.runMs]),
  );
  for (const variant of wanted) {
    yield compare({
      scenario: 'http',
      variant,
      metric: 'cpu_us_per_request',
      key: 'cpu',
      ...results,
      ours: variant,
      peers: ['node-http', 'c-epoll'],
    });
  }
}
