// HTTP hello on node:http: what examples/http-hello answers.
import { createServer } from 'node:http';
import { answerOnNode, say } from '../lib/control.mjs';
import { hello } from '../lib/hello.mjs';
import { BACKLOG, LOOPBACK } from '../lib/options.mjs';

const server = createServer({ noDelay: true }, hello);
server.listen({ port: 0, host: LOOPBACK, backlog: BACKLOG }, () => {
  answerOnNode(() => 0);
  say({ port: server.address().port });
});
