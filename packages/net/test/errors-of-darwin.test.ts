// Errors by which only Darwin says what others say otherwise: its sendmsg(2) is given them by force,
// in a process of its own, for a denied call stays denied.
import { expect, test } from 'vitest';
import { runChild } from './support.js';

const reply = async (program: string) => {
  const { stdout, stderr, code } = await runChild(program);
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  return JSON.parse(stdout);
};

test('EPROTOTYPE of a write: the connection was being torn down, ECONNRESET', async () => {
  const error = await reply(`
    import { Reactor } from '@pollux/core';
    import { TcpListener, TcpStream } from '@pollux/net';
    import { denySyscall } from '@pollux/testkit';

    const reactor = new Reactor();
    const listener = TcpListener.listen(reactor, { address: '127.0.0.1' });
    const stream = TcpStream.connect(reactor, listener.address());
    await new Promise((resolve) => stream.on('connect', resolve));
    denySyscall('sendmsg', 'EPROTOTYPE');
    stream.on('error', ({ code, syscall }) => {
      console.log(JSON.stringify([code, syscall]));
      process.exit();
    });
    stream.write('hello');
  `);
  expect(error).toEqual(['ECONNRESET', 'sendmsg']);
});

test('EMSGSIZE of a stream with descriptors: no room for them now, so they wait', async () => {
  const seen = await reply(`
    import { Reactor } from '@pollux/core';
    import { UnixStream } from '@pollux/net';
    import { denySyscall } from '@pollux/testkit';

    const reactor = new Reactor();
    const [near] = UnixStream.pair(reactor);
    const errors = [];
    near.on('error', (error) => errors.push(error.code));
    denySyscall('sendmsg', 'EMSGSIZE');
    near.sendFds('with a descriptor', [1]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    console.log(JSON.stringify({ errors, queued: near.queuedBytes, writable: near.writable }));
    process.exit();
  `);
  expect(seen).toEqual({ errors: [], queued: 'with a descriptor'.length, writable: true });
});
