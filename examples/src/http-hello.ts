// Many clients, one thread, one listener that never blocks: an HTTP hello over Pollux.
//
//   node examples/dist/http-hello.js [port]
//   curl http://127.0.0.1:41235/you
import { Reactor } from '@pollux/core';
import { TcpListener, type TcpStream } from '@pollux/net';
import { serveHttp } from './http.js';

const reactor = new Reactor(); // runs inside Node's own event loop
const listener = TcpListener.listen(reactor, {
  address: '127.0.0.1',
  port: Number(process.argv[2] ?? 41235),
});
const clients = new Set<TcpStream>();

listener.on('connection', (stream) => {
  clients.add(stream);
  stream.on('close', () => clients.delete(stream));
  serveHttp(stream, ({ path }) => `hello ${path.slice(1) || 'world'}\n`);
});
listener.on('error', (error) => console.error(error.message)); // out of descriptors: it tries again

process.once('SIGINT', () => {
  listener.close();
  for (const stream of clients) stream.destroy();
});

const { address, port } = listener.address();
console.log(`listening on http://${address}:${port}/ with ${reactor.backend}; Ctrl-C stops`);
