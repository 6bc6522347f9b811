// An old kernel, or a sandbox that forbids what is new: the older calls take over, and nobody
// notices. In a process of its own, for a denied call stays denied.
import { expect, test } from 'vitest';
import { runChild } from './support.js';

const program = (errno: string) => `
  import { Reactor } from '@pollux/core';
  import { TcpListener, TcpStream, UdpSocket } from '@pollux/net';
  import { denySyscall, isCloexec, isNonblocking, openFds } from '@pollux/testkit';

  for (const name of ['accept4', 'recvmmsg', 'sendmmsg']) denySyscall(name, '${errno}');
  const reactor = new Reactor();
  const address = '127.0.0.1';
  const before = openFds();

  const server = UdpSocket.bind(reactor, { address });
  server.on('message', (data, peer) => server.send(data, peer));
  const client = UdpSocket.bind(reactor, { address });
  let udp = '';
  await new Promise((resolve) => {
    client.on('message', (data) => {
      udp += data;
      if (udp.length === 100) resolve();
    });
    for (let i = 0; i < 100; i++) client.send(String(i % 10), server.address());
  });

  const listener = TcpListener.listen(reactor, { address });
  listener.on('connection', (stream) => stream.on('data', (data) => stream.write(data)));
  const stream = TcpStream.connect(reactor, listener.address());
  let tcp = '';
  await new Promise((resolve) => {
    stream.on('data', (data) => {
      tcp += data;
      resolve();
    });
    stream.write('hello');
  });
  const ours = openFds().filter((fd) => !before.includes(fd));
  const careless = ours.filter((fd) => !isCloexec(fd) || !isNonblocking(fd));
  console.log(JSON.stringify({ udp: udp === '0123456789'.repeat(10), tcp, careless }));
  process.exit();
`;

test.each(['ENOSYS', 'EPERM'])('accept4, recvmmsg and sendmmsg answer %s', async (errno) => {
  const { stdout, stderr, code } = await runChild(program(errno));
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  expect(JSON.parse(stdout)).toEqual({ udp: true, tcp: 'hello', careless: [] });
});
