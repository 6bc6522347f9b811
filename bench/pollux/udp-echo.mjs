// UDP echo on Pollux.   node udp-echo.mjs blocking|attached
import { Interest, Reactor } from '@pollux/core';
import { UdpSocket } from '@pollux/net';
import { answerOnReactor, say } from '../lib/control.mjs';
import { LOOPBACK, UDP_BUFFER } from '../lib/options.mjs';

const reactor = new Reactor({ mode: process.argv[2] });
let served = 0;
const socket = UdpSocket.bind(reactor, {
  address: LOOPBACK,
  port: 0,
  receiveBufferSize: UDP_BUFFER,
  sendBufferSize: UDP_BUFFER,
});

const raw = 'receive' in UdpSocket.prototype;
if (raw) {
  socket.receive((buffer, offset, length, peer) => {
    served++;
    socket.sendSlice(buffer, offset, length, peer);
  });
} else {
  socket.on('message', (data, peer) => {
    served++;
    socket.send(data, peer);
  });
}

answerOnReactor(reactor, Interest.readable, () => served);
say({ port: socket.address().port, raw, driver: reactor.driver, backend: reactor.backend });
if (process.argv[2] === 'blocking') reactor.runSync();
