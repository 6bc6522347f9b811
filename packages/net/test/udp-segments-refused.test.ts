// UDP_SEGMENT where the system refuses it: the datagrams go one by one then, all of them, in order, and
// the socket learns. In child processes, with what it takes to be refused: a path whose packets are
// smaller than the segments, and a socket that sends no checksums.
import { spawnSync } from 'node:child_process';
import { backends } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { runChild } from './support.js';

const inNamespace = (command: string[]) => [
  'unshare',
  '-rn',
  'sh',
  '-c',
  'ip link set lo mtu 1400 up && exec "$0" "$@"',
  ...command,
];
const withoutChecksums = (command: string[]) => [
  'python3',
  '-c',
  `
import os, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 11, 1)  # SO_NO_CHECK
s.bind(('127.0.0.1', 0))
s.set_inheritable(True)
os.environ['UDP_FD'] = str(s.fileno())
os.execvp(sys.argv[1], sys.argv[1:])`,
  ...command,
];

function works(wrap: (command: string[]) => string[]): boolean {
  const [command = '', ...rest] = wrap(['true']);
  return spawnSync(command, rest).status === 0;
}

/** Sends `rounds` times segments of each size; prints what came, and what the socket learned. */
const program = (backend: string, mode: string, sizes: number[]) => `
  import { Reactor } from '@pollux/core';
  import { UdpSocket } from '@pollux/net';

  const reactor = new Reactor({ backend: '${backend}', mode: '${mode}' });
  const address = '127.0.0.1';
  const server = UdpSocket.bind(reactor, { address, receiveBufferSize: 4 << 20 });
  const client = process.env.UDP_FD
    ? UdpSocket.adopt(reactor, Number(process.env.UDP_FD), { gso: true })
    : UdpSocket.bind(reactor, { address, gso: true });
  const got = [];
  server.on('message', (data) => got.push(data));
  const turn = async () => {
    if (reactor.mode === 'blocking') reactor.turn(10);
    else await new Promise((resolve) => setTimeout(resolve, 1));
  };
  const result = { before: client.gso, errors: 0, intact: [], gso: [] };
  client.on('error', () => result.errors++);
  for (const size of ${JSON.stringify(sizes)}) {
    got.length = 0;
    const data = Buffer.alloc(20 * size - 1);
    for (let i = 0; i < data.length; i++) data[i] = (i * 7 + (i >> 8)) & 255;
    client.sendSegments(data, size, server.address());
    while (got.length < 20) await turn();
    result.intact.push(Buffer.concat(got).equals(data) && got.every((each) => each.length <= size));
    result.gso.push(client.gso);
  }
  console.log(JSON.stringify(result));
  reactor.close();
`;

const rows = backends.flatMap((backend) =>
  ['attached', 'blocking'].map((mode) => [backend, mode] as const),
);

describe.skipIf(!works(inNamespace))('longer than the path takes (unshare and ip)', () => {
  test.each(rows)('%s, %s: one by one; shorter ones still together', async (backend, mode) => {
    const { stdout, stderr, code } = await runChild(
      program(backend, mode, [1_000, 2_000, 3_000, 1_000]),
      inNamespace,
    );
    expect([stderr, code]).toEqual(['', 0]);
    const yes = [true, true, true, true];
    expect(JSON.parse(stdout)).toEqual({ before: true, errors: 0, intact: yes, gso: yes });
  });
});

describe.skipIf(!works(withoutChecksums))('a socket without checksums (python3)', () => {
  test.each(rows)('%s, %s: one by one, nothing is lost', async (backend, mode) => {
    const { stdout, stderr, code } = await runChild(
      program(backend, mode, [1_000, 10]),
      withoutChecksums,
    );
    expect([stderr, code]).toEqual(['', 0]);
    // Whether that is EINVAL (of this length) or EIO (of all) is the kernel's choice.
    const result = { before: true, errors: 0, intact: [true, true] };
    expect(JSON.parse(stdout)).toMatchObject(result);
  });
});
