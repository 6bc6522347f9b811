// TCP echo on node:net.
import { createServer } from 'node:net';
import { answerOnNode, say } from '../lib/control.mjs';
import { BACKLOG, LOOPBACK } from '../lib/options.mjs';

let served = 0;
const server = createServer({ noDelay: true }, (socket) => {
  socket.on('data', (data) => {
    served++;
    socket.write(data);
  });
  socket.on('error', () => {}); // the load generator ends with a reset
});
server.listen({ port: 0, host: LOOPBACK, backlog: BACKLOG }, () => {
  answerOnNode(() => served);
  say({ port: server.address().port });
});
