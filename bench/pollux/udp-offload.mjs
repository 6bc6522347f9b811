// What UDP_SEGMENT (gso) and UDP_GRO (gro) are worth: datagrams one way over the loopback, from one
// process to another, as fast as the sender can.
//
//   node bench/pollux/udp-offload.mjs [milliseconds per run, default 1000] [rounds, default 3] [bytes, 1200]
//
// Variants take turns within each round; figures are medians over the rounds. Lost ones found the
// receiver's buffer full. Processor time is user and system time of the process.
import { fork } from 'node:child_process';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { Reactor } from '@pollux/core';
import { UdpSocket } from '@pollux/net';

const variants = [
  ['plain', {}, {}],
  ['gro', {}, { gro: true }],
  ['gso', { gso: true }, {}],
  ['gso and gro', { gso: true }, { gro: true }],
];
const BURST = 64;
const address = '127.0.0.1';

if (argv[2] === 'receiver') receive(JSON.parse(argv[3]));
else await compare(Number(argv[2] ?? 1_000), Number(argv[3] ?? 3), Number(argv[4] ?? 1_200));

function receive(options) {
  const reactor = new Reactor();
  const socket = UdpSocket.bind(reactor, { address, receiveBufferSize: 8 << 20, ...options });
  let count = 0;
  let before = process.cpuUsage();
  socket.receive(() => {
    count++;
  });
  process.on('message', () => {
    const { user, system } = process.cpuUsage(before);
    process.send({ count, cpu: user + system });
    count = 0;
    before = process.cpuUsage();
  });
  process.send({ port: socket.address().port });
}

async function measure([, sending, receiving], ms, size) {
  const child = fork(fileURLToPath(import.meta.url), ['receiver', JSON.stringify(receiving)]);
  const answer = () => new Promise((resolve) => child.once('message', resolve));
  const { port } = await answer();
  const reactor = new Reactor({ mode: 'blocking' });
  const socket = UdpSocket.connect(reactor, { address, port, ...sending });
  const data = Buffer.alloc(BURST * size, 'x');
  let sent = 0;
  const sendFor = (end) => {
    while (performance.now() < end) {
      if (socket.sendSegments(data, size)) sent += BURST;
      reactor.turn(0);
    }
  };
  sendFor(performance.now() + ms / 5); // warm-up
  child.send('reset');
  await answer();
  sent = 0;
  const start = performance.now();
  const before = process.cpuUsage();
  sendFor(start + ms);
  const { user, system } = process.cpuUsage(before);
  await new Promise((resolve) => setTimeout(resolve, 50));
  child.send('report');
  const { count, cpu } = await answer();
  const took = (performance.now() - start - 50) / 1_000;
  reactor.close();
  child.kill();
  return {
    perSecond: count / took,
    sender: (user + system) / sent,
    receiver: cpu / count,
    lost: 1 - count / sent,
  };
}

async function compare(ms, rounds, size) {
  const results = variants.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, variant] of variants.entries()) {
      results[i].push(await measure(variant, ms, size));
    }
  }
  const median = (list, name) =>
    list.map((each) => each[name]).toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
  console.log(
    `${rounds} rounds of ${ms} ms, ${size} bytes, node ${process.versions.node}; processor time per datagram`,
  );
  for (const [i, [name]] of variants.entries()) {
    const of = (what) => median(results[i], what);
    console.log(
      `${name.padEnd(12)} ${(of('perSecond') / 1e6).toFixed(2).padStart(6)} million/s   ` +
        `sender ${of('sender').toFixed(2)} us   receiver ${of('receiver').toFixed(2)} us   ` +
        `lost ${(100 * Math.max(0, of('lost'))).toFixed(0)} %`,
    );
  }
}
