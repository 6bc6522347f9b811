// What one echoed message costs a server, in its own processor time: Pollux beside node:dgram and
// node:net.
//
//   node bench/echo.mjs [messages per run, default 60000] [rounds, default 5]
//
// Server and client are processes of their own. The client is the same for all: a C-free Node client
// that keeps a window of 64-byte messages under way. Variants take turns within each round; the
// figure is the server's user and system time over the number of messages it echoed, in microseconds,
// the median over the rounds. Processor time is steadier than wall time on a shared machine.
import { fork } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { Reactor } from '@pollux/core';
import { TcpListener, UdpSocket } from '@pollux/net';

const SIZE = 64;
const CONNECTIONS = 50;
const WINDOW = 64;

const servers = {
  'udp node:dgram': (ready) => {
    const socket = createSocket('udp4');
    socket.on('message', (data, { port, address }) => socket.send(data, port, address));
    socket.bind(0, '127.0.0.1', () => ready(socket.address().port));
  },
  'udp @pollux/net': (ready, backend) => {
    const socket = UdpSocket.bind(new Reactor({ backend }), { address: '127.0.0.1', port: 0 });
    socket.on('message', (data, peer) => socket.send(data, peer));
    ready(socket.address().port);
  },
  'tcp node:net': (ready) => {
    const server = createServer((socket) => {
      socket.setNoDelay(true);
      socket.on('data', (data) => socket.write(data));
      socket.on('error', () => {});
    });
    server.listen(0, '127.0.0.1', () => ready(server.address().port));
  },
  'tcp @pollux/net': (ready, backend) => {
    const listener = TcpListener.listen(new Reactor({ backend }), {
      address: '127.0.0.1',
      port: 0,
    });
    listener.on('connection', (stream) => {
      stream.on('data', (data) => stream.write(data));
      stream.on('error', () => {});
    });
    ready(listener.address().port);
  },
};

const variants = [
  ['udp node:dgram', undefined],
  ['udp @pollux/net', 'epoll'],
  ['udp @pollux/net', 'select'],
  ['tcp node:net', undefined],
  ['tcp @pollux/net', 'epoll'],
  ['tcp @pollux/net', 'select'],
];

if (argv[2] === 'server') {
  servers[argv[3]]((port) => process.send({ port }), argv[4] || undefined);
  let before;
  process.on('message', (message) => {
    if (message === 'start') before = process.cpuUsage();
    if (message === 'stop') {
      const { user, system } = process.cpuUsage(before);
      process.send({ microseconds: user + system }, () => process.exit(0));
    }
  });
} else {
  await compare(Number(argv[2] ?? 60_000), Number(argv[3] ?? 5));
}

function udpClient(port, messages) {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const data = Buffer.alloc(SIZE, 'x');
    let sent = 0;
    let got = 0;
    let quiet;
    const finish = () => {
      clearTimeout(quiet);
      socket.close();
      resolve(got);
    };
    const send = () => {
      sent++;
      socket.send(data);
    };
    socket.on('message', () => {
      got++;
      clearTimeout(quiet);
      quiet = setTimeout(finish, 200); // what was lost on the way is not waited for
      if (sent < messages) send();
    });
    socket.connect(port, '127.0.0.1', () => {
      for (let i = 0; i < WINDOW; i++) send();
    });
  });
}

function tcpClient(port, messages) {
  const data = Buffer.alloc(SIZE, 'x');
  const each = Math.floor(messages / CONNECTIONS);
  const one = () =>
    new Promise((resolve) => {
      let bytes = 0;
      let sent = 1;
      const socket = connect(port, '127.0.0.1', () => socket.write(data));
      socket.setNoDelay(true);
      socket.on('data', (chunk) => {
        bytes += chunk.length;
        if (bytes < sent * SIZE) return;
        if (sent === each) {
          socket.destroy();
          resolve(each);
        } else {
          sent++;
          socket.write(data);
        }
      });
    });
  return Promise.all(Array.from({ length: CONNECTIONS }, one)).then((counts) =>
    counts.reduce((sum, count) => sum + count, 0),
  );
}

async function measure(name, backend, messages) {
  const child = fork(fileURLToPath(import.meta.url), ['server', name, backend ?? '']);
  const next = () => new Promise((resolve) => child.once('message', resolve));
  const { port } = await next();
  const client = name.startsWith('udp') ? udpClient : tcpClient;
  await client(port, Math.floor(messages / 10)); // warm-up
  child.send('start');
  const echoed = await client(port, messages);
  child.send('stop');
  const { microseconds } = await next();
  return microseconds / echoed;
}

async function compare(messages, rounds) {
  const results = variants.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, [name, backend]] of variants.entries()) {
      results[i].push(await measure(name, backend, messages));
    }
  }
  const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
  console.log(
    `${rounds} rounds of ${messages} messages of ${SIZE} bytes, node ${process.versions.node}; server processor time per message`,
  );
  let base = 1;
  for (const [i, [name, backend]] of variants.entries()) {
    const cost = median(results[i]);
    if (backend === undefined) base = cost;
    const label = backend === undefined ? name : `${name}, ${backend}`;
    console.log(
      `${label.padEnd(26)} ${cost.toFixed(1).padStart(6)} us   ${(cost / base).toFixed(2)} x node`,
    );
  }
}
