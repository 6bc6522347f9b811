// Run where @pollux/net was installed: a TCP server on the best backend there is, one client of Node's own,
// and one answer. Prints the backend and the answer.
import { connect } from 'node:net';
import { Reactor } from '@pollux/core';
import { TcpListener } from '@pollux/net';

const reactor = new Reactor();
const listener = TcpListener.listen(reactor, { address: '127.0.0.1', port: 0 });
listener.on('connection', (stream) => {
  stream.on('data', (data) => stream.end(`heard ${data}`));
});

const client = connect(listener.address().port, '127.0.0.1').setEncoding('utf8');
client.write('hello');
let answer = '';
for await (const text of client) answer += text;
console.log(JSON.stringify({ backend: reactor.backend, answer }));
listener.close();
reactor.close();
