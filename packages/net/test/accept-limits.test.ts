// A listener that runs out of descriptors pauses instead of spinning, says so once, and goes on when
// there are some again. In a process of its own, with a low limit.
import { backends } from '@pollux/testkit/conformance';
import { expect, test } from 'vitest';
import { runChild } from './support.js';

const program = (backend: string) => `
  import net from 'node:net';
  import { openSync, closeSync } from 'node:fs';
  import { Reactor } from '@pollux/core';
  import { TcpListener, TcpStream } from '@pollux/net';

  const reactor = new Reactor({ backend: '${backend}' });
  const listener = TcpListener.listen(reactor, { address: '127.0.0.1' });
  const events = [];
  const accepted = [];
  listener.on('connection', (stream) => {
    accepted.push(stream);
    stream.resume().on('error', () => {});
  });
  listener.on('error', (error) => events.push([error.code, error.syscall, typeof error.port]));
  const { port } = listener.address();
  const clients = Array.from({ length: 4 }, () => net.connect(port, '127.0.0.1'));
  await Promise.all(clients.map((client) => new Promise((resolve) => client.on('connect', resolve))));
  while (accepted.length < 4) await new Promise((resolve) => setTimeout(resolve, 5));

  // A client's end is made at once; then there is no descriptor left for ours.
  const late = TcpStream.connect(reactor, { address: '127.0.0.1', port });
  const taken = [];
  try {
    for (;;) taken.push(openSync('/dev/null'));
  } catch {}
  while (events.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const before = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const { user, system } = process.cpuUsage(before);
  const starving = { accepted: accepted.length, events: [...events], busyMs: (user + system) / 1000 };
  // From here on two try: the pause's end, and finish. Neither leaves timers behind.
  listener.finish(0);
  await new Promise((resolve) => setTimeout(resolve, 600));
  starving.timers = reactor.stats().timers;
  for (const fd of taken) closeSync(fd);
  while (!listener.closed) await new Promise((resolve) => setTimeout(resolve, 5));
  console.log(JSON.stringify({ backend: reactor.backend, ...starving, finally: accepted.length }));
  for (const client of [...clients, late]) client.destroy();
  for (const stream of accepted) stream.destroy();
`;

for (const backend of backends) {
  test(`${backend}: EMFILE is told once, and accepting goes on, also to finish`, async () => {
    const { stdout, stderr, code } = await runChild(program(backend), (command) => [
      'sh',
      '-c',
      'ulimit -n 64 && exec "$0" "$@"',
      ...command,
    ]);
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    const { busyMs, timers, ...rest } = JSON.parse(stdout);
    expect(rest).toEqual({
      backend,
      accepted: 4,
      events: [['EMFILE', 'accept4', 'number']],
      finally: 5,
    });
    expect(busyMs).toBeLessThan(550);
    expect(timers).toBeLessThanOrEqual(2);
  });
}
