// UDP echo on node:dgram.
import { createSocket } from 'node:dgram';
import { answerOnNode, say } from '../lib/control.mjs';
import { LOOPBACK, UDP_BUFFER } from '../lib/options.mjs';

let served = 0;
const socket = createSocket({
  type: 'udp4',
  recvBufferSize: UDP_BUFFER,
  sendBufferSize: UDP_BUFFER,
});
socket.on('message', (data, { port, address }) => {
  served++;
  socket.send(data, port, address);
});
socket.bind(0, LOOPBACK, () => {
  answerOnNode(() => served);
  say({ port: socket.address().port });
});
