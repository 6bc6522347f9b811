// Multicast: members of a group hear it, others do not, by IPv4 and IPv6, by every way to name an
// interface; and source-specific membership.
//
// IPv4 on the loopback interface, which needs no route. IPv6 does not go that way, so that is done by
// a child process in a network namespace with an interface of its own.
import { spawnSync } from 'node:child_process';
import { UdpSocket } from '@pollux/net';
import { backends } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { type Bench, onEveryReactor, runChild } from './support.js';

const V4 = '127.0.0.1';
const GROUP = '239.255.41.7';

const setUp =
  'ip link add pollux0 index 77 type veth peer name pollux1 && ip link set pollux1 up && ' +
  'ip link set pollux0 up && ip -6 addr add fd00::1/64 dev pollux0 nodad && ip link set lo up';
const inNamespace = (command: string[]) => [
  'unshare',
  '-rn',
  'sh',
  '-c',
  `${setUp} && exec "$0" "$@"`,
  ...command,
];
const [command = '', ...rest] = inNamespace(['true']);
const available = spawnSync(command, rest).status === 0;

function bind(bench: Bench, options = {}): UdpSocket {
  return bench.track(UdpSocket.bind(bench.reactor, { reuseAddress: true, ...options }));
}

function texts(socket: UdpSocket): string[] {
  const got: string[] = [];
  socket.on('message', (data) => got.push(data.toString()));
  return got;
}

onEveryReactor((bench) => {
  test.each(['lo', 1, V4])('IPv4, the interface as %j', async (name) => {
    const member = bind(bench());
    member.addMembership(GROUP, { interface: name });
    const sender = bind(bench(), { address: V4, multicastInterface: name });
    const got = texts(member);
    const to = { address: GROUP, port: member.address().port };
    sender.send('to the group', to);
    await bench().until(() => got.length === 1, 'the first');
    member.dropMembership(GROUP, { interface: name });
    sender.send('nobody is in it', to);
    sender.send('to one', member.address().port, V4);
    await bench().until(() => got.length === 2, 'the last');
    expect(got).toEqual(['to the group', 'to one']);
  });

  test('a group of IPv4 on a socket of both families', async () => {
    const member = bind(bench(), { address: '::', ipv6Only: false });
    member.addMembership(GROUP, { interface: 'lo' });
    const sender = bind(bench(), { address: V4, multicastInterface: 'lo' });
    const got = texts(member);
    sender.send('mapped', member.address().port, GROUP);
    await bench().until(() => got.length === 1, 'the message');
  });

  test('source-specific: only what that source sends', async () => {
    const member = bind(bench(), { address: '0.0.0.0' });
    member.addMembership(GROUP, { interface: 'lo', source: '127.0.0.2' });
    const wanted = bind(bench(), { address: '127.0.0.2', multicastInterface: 'lo' });
    const other = bind(bench(), { address: '127.0.0.3', multicastInterface: 'lo' });
    const got = texts(member);
    const to = { address: GROUP, port: member.address().port };
    other.send('from another', to);
    wanted.send('from the source', to);
    await bench().until(() => got.length === 1, 'the wanted');
    await bench().idle();
    expect(got).toEqual(['from the source']);
    member.dropMembership(GROUP, { interface: 'lo', source: '127.0.0.2' });
  });

  test('what is refused', () => {
    const socket = bind(bench());
    const code = (value: string) => expect.objectContaining({ code: value });
    expect(() => socket.addMembership('192.0.2.1', { interface: 'lo' })).toThrow(code('EINVAL'));
    expect(() => socket.dropMembership(GROUP, { interface: 'lo' })).toThrow(code('EADDRNOTAVAIL'));
    socket.addMembership(GROUP, { interface: 'lo' });
    expect(() => socket.addMembership(GROUP, { interface: 'lo' })).toThrow(
      expect.objectContaining({ code: 'EADDRINUSE', syscall: 'setsockopt', address: GROUP }),
    );
    for (const name of ['nowhere0', '192.0.2.7', '']) {
      expect(() => socket.addMembership(GROUP, { interface: name })).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
      );
    }
    expect(() => socket.addMembership('group')).toThrow(code('ERR_INVALID_ARG_VALUE'));
    expect(() => socket.addMembership(GROUP, { source: 'here' })).toThrow(
      code('ERR_INVALID_ARG_VALUE'),
    );
    expect(() => socket.addMembership(GROUP, { interface: -1 })).toThrow(code('ERR_OUT_OF_RANGE'));
  });
});

const program = (backend: string, mode: string) => `
  import { Reactor } from '@pollux/core';
  import { UdpSocket } from '@pollux/net';

  const reactor = new Reactor({ backend: '${backend}', mode: '${mode}' });
  const group = 'ff15::41:7';
  const got = [];
  for (const name of ['pollux0', 77, 'fd00::1']) {
    const member = UdpSocket.bind(reactor, { address: '::' });
    member.addMembership(group, { interface: name });
    const sender = UdpSocket.bind(reactor, { address: 'fd00::1', multicastInterface: name });
    const { port } = member.address();
    const before = got.length;
    member.on('message', (data) => got.push(String(data)));
    const until = async (count) => {
      while (got.length < before + count) {
        if (reactor.mode === 'blocking') reactor.turn(10);
        else await new Promise((resolve) => setTimeout(resolve, 1));
      }
    };
    sender.send('group', port, group);
    await until(1);
    member.dropMembership(group, { interface: name });
    sender.send('nobody is in it', port, group);
    sender.send('one', port, 'fd00::1');
    await until(2);
    // Of one source alone.
    member.addMembership('ff35::41:7', { interface: name, source: 'fd00::7' });
    sender.send('from another', port, 'ff35::41:7');
    member.addMembership('ff35::41:8', { interface: name, source: 'fd00::1' });
    sender.send('from the source', port, 'ff35::41:8');
    await until(3);
    member.addMembership(group, { interface: name });
    sender.configure({ multicastLoopback: false }).send('silent', port, group);
    sender.configure({ multicastLoopback: true }).send('loud', port, group);
    await until(4);
    member.close();
    sender.close();
  }
  console.log(JSON.stringify(got));
  reactor.close();
`;

describe.skipIf(!available)('IPv6 (unshare and ip)', () => {
  for (const backend of backends) {
    for (const mode of ['attached', 'blocking']) {
      test(`${backend}, ${mode}: by every way to name an interface`, async () => {
        const { stdout, stderr, code } = await runChild(program(backend, mode), inNamespace);
        expect([stderr, code]).toEqual(['', 0]);
        const each = ['group', 'one', 'from the source', 'loud'];
        expect(JSON.parse(stdout)).toEqual([...each, ...each, ...each]);
      });
    }
  }
});
