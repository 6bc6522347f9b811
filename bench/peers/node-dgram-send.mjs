// Sends datagrams on node:dgram as fast as it can, from the first line on standard input: 64 at a
// time, the next when the callbacks of these have come.
//
//   node node-dgram-send.mjs PORT SIZE
import { createSocket } from 'node:dgram';
import { answerOnNode, say } from '../lib/control.mjs';
import { LOOPBACK, UDP_BUFFER } from '../lib/options.mjs';

const [, , port, size] = process.argv;
const UNDER_WAY = 64;
const data = Buffer.alloc(Number(size));
let served = 0;
let started = false;
let left = 0;
const socket = createSocket({ type: 'udp4', sendBufferSize: UDP_BUFFER });
socket.on('error', () => {}); // the sink may end first

function sent(error) {
  if (!error) served++;
  if (--left === 0) setImmediate(burst);
}
function burst() {
  left = UNDER_WAY;
  for (let i = 0; i < UNDER_WAY; i++) socket.send(data, sent);
}

socket.connect(Number(port), LOOPBACK, () => {
  answerOnNode(
    () => served,
    () => {
      if (!started) burst();
      started = true;
    },
  );
  say({ port: socket.address().port });
});
