// Receives datagrams on node:dgram, and counts them.
import { createSocket } from 'node:dgram';
import { answerOnNode, say } from '../lib/control.mjs';
import { LOOPBACK, UDP_BUFFER } from '../lib/options.mjs';

let served = 0;
const socket = createSocket({ type: 'udp4', recvBufferSize: UDP_BUFFER });
socket.on('message', () => {
  served++;
});
socket.bind(0, LOOPBACK, () => {
  answerOnNode(() => served);
  say({ port: socket.address().port });
});
