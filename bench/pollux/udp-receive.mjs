// Receives datagrams on Pollux, with GRO, and counts them.   node udp-receive.mjs blocking|attached
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
  gro: true,
});

const raw = 'receive' in UdpSocket.prototype;
const count = () => {
  served++;
};
if (raw) socket.receive(count);
else socket.on('message', count);

answerOnReactor(reactor, Interest.readable, () => served);
say({ port: socket.address().port, raw, driver: reactor.driver, backend: reactor.backend });
if (process.argv[2] === 'blocking') reactor.runSync();
