// Node's own http.Server, unmodified, on sockets of Pollux: each connection is made a Duplex and
// handed to it. Keep-alive, chunked bodies, timeouts and back-pressure are Node's.
//
//   node examples/dist/http-over-pollux.js [port]
//   curl http://127.0.0.1:41236/you
//   curl --data-binary @file http://127.0.0.1:41236/echo
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Reactor } from '@pollux/core';
import { TcpListener, toDuplex } from '@pollux/net';

const reactor = new Reactor(); // runs inside Node's own event loop
const listener = TcpListener.listen(reactor, {
  address: '127.0.0.1',
  port: Number(process.argv[2] ?? 41236),
  allowHalfOpen: true, // as Node's own server does: http decides when a connection ends
});

const server = createServer((asked, answer) => {
  if (asked.url === '/echo') echo(asked, answer);
  else answer.end(`hello ${asked.url?.slice(1) || 'world'}\n`);
});
listener.on('connection', (stream) => server.emit('connection', toDuplex(stream)));
listener.on('error', (error) => console.error(error.message)); // out of descriptors: it tries again
server.emit('listening'); // begins to look after headersTimeout and requestTimeout

/** Answers with the body, as it comes: a client that does not read is not read either. */
function echo(asked: IncomingMessage, answer: ServerResponse): void {
  asked.on('error', () => console.log(`${asked.socket.remoteAddress} gave up`));
  asked.pipe(answer);
}

process.once('SIGINT', () => {
  listener.close();
  server.closeAllConnections();
  server.close();
});

const { address, port } = listener.address();
console.log(`listening on http://${address}:${port}/ with ${reactor.backend}; Ctrl-C stops`);
