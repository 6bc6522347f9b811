// A socket that the system finds full: datagrams wait in order, within a bound; beyond it send says
// no; and when there is room, everything that was accepted goes out.
//
// The loopback never holds a sender up, so this needs a network namespace whose loopback is slowed
// down (tc), and runs in a child process in there.
import { spawnSync } from 'node:child_process';
import { backends } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { runChild } from './support.js';

const slowLoopback =
  'ip link set lo up && tc qdisc replace dev lo root tbf rate 4mbit burst 8kb latency 60s';
const probe = spawnSync('sh', ['-c', `unshare -rn sh -c '${slowLoopback}'`]);
const available = probe.status === 0;

const program = (backend: string, mode: string) => `
  import { Reactor } from '@pollux/core';
  import { UdpSocket } from '@pollux/net';

  const TOTAL = 500;
  const LIMIT = 100_000;
  const reactor = new Reactor({ backend: '${backend}', mode: '${mode}' });
  const address = '127.0.0.1';
  const to = UdpSocket.bind(reactor, { address, receiveBufferSize: 4 << 20 });
  const from = UdpSocket.bind(reactor, { address, sendBufferSize: 4608, maxQueuedBytes: LIMIT });
  const result = { backend: reactor.backend, got: 0, disorder: 0, refusals: 0, drains: 0, most: 0 };
  let sent = 0;

  function fill() {
    while (sent < TOTAL) {
      const datagram = Buffer.alloc(1000);
      datagram.writeInt32LE(sent);
      if (!from.send(datagram, to.address())) {
        result.refusals++;
        return;
      }
      sent++;
      result.most = Math.max(result.most, from.queuedBytes);
    }
  }
  to.on('message', (data) => {
    if (data.readInt32LE(0) !== result.got++) result.disorder++;
    if (result.got < TOTAL) return;
    to.close();
    from.close();
    console.log(JSON.stringify(result));
  });
  from.on('drain', () => {
    result.drains++;
    fill();
  });
  fill();
  while (reactor.mode === 'blocking' && reactor.alive) reactor.turn();
`;

describe.skipIf(!available)('with a slow loopback (unshare and tc)', () => {
  for (const backend of backends) {
    for (const mode of ['attached', 'blocking']) {
      test(`${backend}, ${mode}: waits, refuses, goes on, in order and without loss`, async () => {
        const { stdout, stderr, code } = await runChild(program(backend, mode), (command) => [
          'unshare',
          '-rn',
          'sh',
          '-c',
          `${slowLoopback} && exec "$0" "$@"`,
          ...command,
        ]);
        expect({ code, stderr, stdout }).toMatchObject({ code: 0, stderr: '' });
        const result = JSON.parse(stdout);
        expect(result).toMatchObject({ backend, got: 500, disorder: 0 });
        expect(result.refusals).toBeGreaterThan(0);
        expect(result.drains).toBe(result.refusals);
        // The bound, and the one batch in which the socket turned out to be full.
        expect(result.most).toBeLessThan(100_000 + 256 * 1_064);
      });
    }
  }
});
