// Sends datagrams on Pollux as fast as it can, with GSO, from the first line on standard input.
//
//   node udp-send.mjs blocking|attached PORT SIZE
import { Interest, Reactor } from '@pollux/core';
import { UdpSocket } from '@pollux/net';
import { answerOnReactor, say } from '../lib/control.mjs';
import { LOOPBACK, UDP_BUFFER } from '../lib/options.mjs';

const [, , mode, port, sizeText] = process.argv;
const size = Number(sizeText);
const PER_TURN = 1024;

const reactor = new Reactor({ mode });
let served = 0;
let started = false;
const socket = UdpSocket.connect(reactor, {
  address: LOOPBACK,
  port: Number(port),
  sendBufferSize: UDP_BUFFER,
  gso: true,
});
const data = Buffer.alloc(size);
const raw = 'sendSlice' in UdpSocket.prototype;
const send = raw ? () => socket.sendSlice(data, 0, size) : () => socket.send(data);

function burst() {
  for (let i = 0; i < PER_TURN; i++) {
    if (!send()) return; // 'drain' goes on
    served++;
  }
  reactor.defer(burst);
}
socket.on('drain', burst);
socket.on('error', () => {}); // the sink may end first

answerOnReactor(
  reactor,
  Interest.readable,
  () => served,
  () => {
    if (!started) reactor.defer(burst);
    started = true;
  },
);
say({ port: socket.address().port, raw, driver: reactor.driver, backend: reactor.backend });
if (mode === 'blocking') reactor.runSync();
