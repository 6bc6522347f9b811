// Many clients, one thread, one listener that never blocks: an HTTP hello over Pollux.
//
//   node examples/dist/http-hello.js [port]
//   curl http://127.0.0.1:41235/you
import { Reactor } from '@pollux/core';
import { TcpListener } from '@pollux/net';
import { serveHttp } from './http.js';

const reactor = new Reactor(); // runs inside Node's own event loop
const listener = TcpListener.listen(reactor, {
  address: '127.0.0.1',
  port: Number(process.argv[2] ?? 41235),
});
listener.on('connection', (stream) => {
  serveHttp(stream, ({ path }) => `hello ${path.slice(1) || 'world'}\n`);
});
listener.on('error', (error) => console.error(error.message)); // out of descriptors: it tries again

process.once('SIGINT', () => {
  listener.close();
  for (const stream of listener.streams) stream.destroy();
});

const { address, port } = listener.address();
console.log(`listening on http://${address}:${port}/ with ${reactor.backend}; Ctrl-C stops`);
