// HTTP hello on node:http's Server, over the Duplex of a Pollux stream.
import { createServer } from 'node:http';
import { Interest, Reactor } from '@pollux/core';
import * as net from '@pollux/net';
import { answerOnReactor, say } from '../lib/control.mjs';
import { hello } from '../lib/hello.mjs';
import { BACKLOG, LOOPBACK } from '../lib/options.mjs';

const reactor = new Reactor();
const server = createServer({ noDelay: true }, hello);
const listener = net.TcpListener.listen(reactor, {
  address: LOOPBACK,
  port: 0,
  backlog: BACKLOG,
});
listener.on('connection', (stream) => server.emit('connection', net.toDuplex(stream)));

answerOnReactor(reactor, Interest.readable, () => 0);
say({ port: listener.address().port });
