// What keeps the process alive: a socket that waits for something, unless it was told not to. A
// program that has closed everything just ends.
import { expect, test } from 'vitest';
import { runChild } from './support.js';

const prelude = `
  import { Reactor } from '@pollux/core';
  import { TcpListener, TcpStream, UdpSocket } from '@pollux/net';
  const reactor = new Reactor();
  const address = '127.0.0.1';
  // 300 ms of its own: a time in which the machine held it up is one tick.
  let ticks = 0;
  const tick = () => { if (++ticks === 30) { console.log('kept alive'); process.exit(); } };
  const alive = setInterval(tick, 10).unref();
`;

const rows: [string, string, string][] = [
  ['an idle UDP socket', 'UdpSocket.bind(reactor)', 'kept alive\n'],
  ["an unref'd UDP socket", 'UdpSocket.bind(reactor).unref()', ''],
  ['a listener', 'TcpListener.listen(reactor)', 'kept alive\n'],
  ["an unref'd listener", 'TcpListener.listen(reactor).unref()', ''],
  ["a socket that was ref'd again", 'UdpSocket.bind(reactor).unref().ref()', 'kept alive\n'],
  ['a closed socket', 'UdpSocket.bind(reactor).close()', ''],
  [
    'a receiver, until it closes itself',
    `const to = UdpSocket.bind(reactor, { address });
     to.on('message', (data) => { console.log(String(data)); to.close(); });
     UdpSocket.bind(reactor, { address }).unref().send('got it', to.address());`,
    'got it\n',
  ],
  [
    'a conversation, until both ends have closed',
    `const listener = TcpListener.listen(reactor, { address }).unref();
     listener.on('connection', (stream) => stream.on('data', (data) => stream.end(data)));
     const stream = TcpStream.connect(reactor, listener.address());
     stream.on('data', (data) => console.log(String(data)));
     stream.on('close', () => console.log('closed'));
     stream.write('hello');`,
    'hello\nclosed\n',
  ],
];

test.each(rows)('%s', async (_, code, stdout) => {
  // A wait of the thread driver may hold up the end for a moment; no more than that.
  expect(await runChild(prelude + code)).toEqual({ stdout, stderr: '', code: 0, signal: null });
});
