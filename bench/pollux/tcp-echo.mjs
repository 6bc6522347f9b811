// TCP echo on Pollux.   node tcp-echo.mjs blocking|attached
import { Interest, Reactor } from '@pollux/core';
import { TcpListener, TcpStream } from '@pollux/net';
import { answerOnReactor, say } from '../lib/control.mjs';
import { BACKLOG, LOOPBACK } from '../lib/options.mjs';

const reactor = new Reactor({ mode: process.argv[2] });
let served = 0;
const listener = TcpListener.listen(reactor, { address: LOOPBACK, port: 0, backlog: BACKLOG });

const raw = 'receive' in TcpStream.prototype;
listener.on('connection', (stream) => {
  if (raw) {
    stream.receive((buffer, offset, length, from) => {
      served++;
      from.writeSlice(buffer, offset, length);
    });
  } else {
    stream.on('data', (data) => {
      served++;
      stream.write(data);
    });
  }
  stream.on('error', () => {}); // the load generator ends with a reset
});

answerOnReactor(reactor, Interest.readable, () => served);
say({ port: listener.address().port, raw, driver: reactor.driver, backend: reactor.backend });
if (process.argv[2] === 'blocking') reactor.runSync();
