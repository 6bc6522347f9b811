// A stream to which nobody listens is not in the poller. It is closed with its reactor all the same.
import { TcpStream, UnixStream } from '@pollux/net';
import { openFds } from '@pollux/testkit';
import { expect, test } from 'vitest';
import { onEveryReactor } from './support.js';

onEveryReactor((bench) => {
  test('streams that nobody reads are closed with the reactor', async () => {
    const { reactor } = bench();
    const before = openFds();
    const pair = UnixStream.pair(reactor);
    const { client, server } = await bench().pair();
    const adopted = TcpStream.adopt(reactor, client.fd);
    reactor.close();
    const all = [...pair, client, server, adopted];
    expect(all.map(({ destroyed, fd }) => [destroyed, fd])).toEqual(all.map(() => [true, -1]));
    const ours = openFds().filter((fd) => !before.includes(fd));
    expect(ours).toEqual([]);
  });
});
