// A shortage of descriptors that lasts: clients are turned away instead of left hanging, without
// spinning. And an error that does not pass is no reason to finish for ever. In a process of its own,
// with a low limit.
import { shutdown } from '@pollux/testkit';
import { backends } from '@pollux/testkit/conformance';
import { expect, test } from 'vitest';
import { onEveryReactor, record, runChild } from './support.js';

const program = (backend: string) => `
  import { openSync, closeSync } from 'node:fs';
  import { setTimeout as sleep } from 'node:timers/promises';
  import { Reactor } from '@pollux/core';
  import { TcpListener, TcpStream } from '@pollux/net';

  const reactor = new Reactor({ backend: '${backend}' });
  const listener = TcpListener.listen(reactor, { address: '127.0.0.1' });
  let accepted = 0;
  listener.on('connection', (stream) => {
    accepted++;
    stream.end('served');
    stream.resume();
  });
  const errors = [];
  listener.on('error', (error) => errors.push(error.code));
  // Clients whose ends are made, and then no descriptor is left for ours.
  const clients = Array.from({ length: 3 }, () => TcpStream.connect(reactor, listener.address()));
  const told = [];
  for (const client of clients) {
    client.resume();
    client.on('end', () => told.push('end'));
    client.on('error', (error) => told.push(error.code));
  }
  const taken = [];
  try {
    for (;;) taken.push(openSync('/dev/null'));
  } catch {}
  const before = process.cpuUsage();
  await sleep(1200);
  const patient = { accepted, told: told.length };
  await sleep(1400);
  const { user, system } = process.cpuUsage(before);
  const short = { accepted, told: told.length };
  for (const fd of taken) closeSync(fd);
  await sleep(250);
  let text = '';
  const late = TcpStream.connect(reactor, listener.address());
  late.on('data', (data) => { text += data; });
  while (!late.destroyed) await sleep(5);
  // The descriptor that was kept is there again.
  const again = [];
  try {
    for (;;) again.push(openSync('/dev/null'));
  } catch {}
  console.log(JSON.stringify({ patient, short, errors, text, busyMs: (user + system) / 1000 }));
  process.exit();
`;

for (const backend of backends) {
  test(`${backend}: after two seconds of EMFILE clients are turned away`, async () => {
    const { stdout, stderr, code } = await runChild(program(backend), (command) => [
      'sh',
      '-c',
      'ulimit -n 64 && exec "$0" "$@"',
      ...command,
    ]);
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    const { busyMs, ...rest } = JSON.parse(stdout);
    expect(rest).toEqual({
      patient: { accepted: 0, told: 0 },
      short: { accepted: 0, told: 3 },
      errors: ['EMFILE'],
      text: 'served',
    });
    expect(busyMs).toBeLessThan(600);
  });
}

onEveryReactor((bench) => {
  test('a listener that can accept nothing any more is finished', async () => {
    const listener = bench().listen();
    const events = record(listener, 'error', 'close');
    // Linux: it listens no more, and accept(2) answers EINVAL.
    shutdown(listener.fd, 'both');
    listener.finish(0);
    await bench().until(() => events.some(([name]) => name === 'close'), 'the end');
    expect(bench().reactor.stats().timers).toBe(0);
  });

  test('without finish it is told once, and tried now and then', async () => {
    const listener = bench().listen();
    const events = record(listener, 'error', 'close');
    shutdown(listener.fd, 'both');
    await bench().until(() => events.length > 0, 'the error');
    const { events: before } = bench().reactor.stats();
    await bench().idle(150);
    expect(events).toEqual([['error', expect.objectContaining({ code: 'EINVAL' })]]);
    expect(bench().reactor.stats().events - before).toBeLessThan(4);
  });
});
