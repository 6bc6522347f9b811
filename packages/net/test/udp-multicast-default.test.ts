// Membership without an interface: the system chooses one by its routes. The BSDs have no interface 0
// in the calls of RFC 3678, so the older calls of each family do it.
//
// In a child process in a network namespace with an interface of its own, to which the routes lead.
import { spawnSync } from 'node:child_process';
import { backends } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { runChild } from './support.js';

const setUp = [
  'ip link set lo up',
  'ip link add pollux0 type veth peer name pollux1',
  'ip link set pollux1 up',
  'ip link set pollux0 up',
  'ip addr add 10.41.7.1/24 dev pollux0',
  'ip -6 addr add fd00::1/64 dev pollux0 nodad',
  'ip route add 239.0.0.0/8 dev pollux0',
].join(' && ');
const inNamespace = (command: string[]) =>
  ['unshare', '-rn', 'sh', '-c', `${setUp} && exec "$0" "$@"`].concat(command);
const [command = '', ...rest] = inNamespace(['true']);
const available = spawnSync(command, rest).status === 0;

const families = [
  { name: 'IPv4', any: '0.0.0.0', own: '10.41.7.1', other: '10.41.7.9', group: '239.41.7.1' },
  { name: 'IPv6', any: '::', own: 'fd00::1', other: 'fd00::9', group: 'ff15::41:7' },
];

const program = (backend: string, { any, own, other, group }: (typeof families)[0]) => `
  import { Reactor } from '@pollux/core';
  import { UdpSocket } from '@pollux/net';

  const reactor = new Reactor({ backend: '${backend}' });
  const sender = UdpSocket.bind(reactor, { address: '${own}', multicastInterface: 'pollux0' });
  const got = [];
  const hear = (options) => {
    const member = UdpSocket.bind(reactor, { address: '${any}' });
    member.addMembership('${group}', options);
    member.on('message', (data) => got.push(String(data)));
    return member;
  };
  const until = async (count) => {
    while (got.length < count) await new Promise((resolve) => setTimeout(resolve, 1));
  };

  const member = hear();
  const { port } = member.address();
  sender.send('to the group', port, '${group}');
  await until(1);
  try {
    member.addMembership('${group}');
  } catch (error) {
    got.push(error.code);
  }
  member.dropMembership('${group}');
  sender.send('nobody is in it', port, '${group}');
  sender.send('to one', port, '${own}');
  await until(3);
  member.close();

  const from = hear({ source: '${own}' });
  const apart = hear({ source: '${other}' });
  sender.send('of no source of its own', apart.address().port, '${group}');
  sender.send('of the source', from.address().port, '${group}');
  await until(4);
  from.dropMembership('${group}', { source: '${own}' });
  apart.send('the last', from.address().port, '${own}');
  await until(5);
  console.log(JSON.stringify(got));
  reactor.close();
`;

describe.skipIf(!available)('unshare and ip', () => {
  for (const backend of backends) {
    test.each(families)(`${backend}, $name: a group, and of one source`, async (family) => {
      const { stdout, stderr, code } = await runChild(program(backend, family), inNamespace);
      expect([stderr, code]).toEqual(['', 0]);
      const told = ['to the group', 'EADDRINUSE', 'to one', 'of the source', 'the last'];
      expect(JSON.parse(stdout)).toEqual(told);
    });
  }
});
