// From a write into a pipe, in another process, to the JavaScript callback, on an idle loop.
//
//   node bench/latency.mjs [samples per run, default 500] [rounds, default 5]
//
// Variants take turns within each round, so that what else the machine does falls on all alike. The
// writer stamps each message with CLOCK_MONOTONIC; the reader subtracts. Microseconds; medians over
// the rounds. The npm package epoll takes part where the working directory has it installed.
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Interest, Reactor } from '@pollux/core';

const samples = Number(process.argv[2] ?? 500);
const rounds = Number(process.argv[3] ?? 5);
const STAMP = 8;

const WRITER = `
const { writeSync } = require('node:fs');
const stamp = Buffer.alloc(${STAMP});
let left = ${samples};
const timer = setInterval(() => {
  stamp.writeBigUInt64LE(process.hrtime.bigint());
  writeSync(3, stamp);
  if (--left === 0) clearInterval(timer);
}, 2);`;

function reactorVariant(backend, driver) {
  const mode = driver === undefined ? 'blocking' : 'attached';
  return (fd, onStamp, done) => {
    const reactor = new Reactor({ backend, mode, ...(driver && { driver }) });
    const buffer = Buffer.alloc(STAMP);
    let left = samples;
    reactor.watch(fd, Interest.readable, () => {
      readSync(fd, buffer);
      onStamp(buffer.readBigUInt64LE());
      if (--left === 0) {
        reactor.close();
        if (mode === 'attached') done();
      }
    });
    if (mode === 'attached') return;
    setImmediate(() => {
      while (!reactor.closed) reactor.turn();
      done();
    });
  };
}

function socketVariant(fd, onStamp, done) {
  const socket = new Socket({ fd, readable: true, writable: false });
  let left = samples;
  socket.on('data', (chunk) => {
    for (let at = 0; at < chunk.length; at += STAMP) {
      onStamp(chunk.readBigUInt64LE(at));
      left--;
    }
    if (left === 0) {
      socket.destroy();
      done();
    }
  });
}

function peerVariant({ Epoll }) {
  return (fd, onStamp, done) => {
    const buffer = Buffer.alloc(STAMP);
    let left = samples;
    const poller = new Epoll(() => {
      readSync(fd, buffer);
      onStamp(buffer.readBigUInt64LE());
      if (--left === 0) {
        poller.remove(fd).close();
        done();
      }
    });
    poller.add(fd, Epoll.EPOLLIN);
  };
}

let peer;
try {
  peer = createRequire(`${process.cwd()}/`)('epoll');
} catch {
  console.log('the npm package epoll is not installed here');
}
const variants = {
  'net.Socket': socketVariant,
  'epoll, blocking': reactorVariant('epoll'),
  'epoll, uv': reactorVariant('epoll', 'uv'),
  'epoll, thread': reactorVariant('epoll', 'thread'),
  'select, blocking': reactorVariant('select'),
  'select, thread': reactorVariant('select', 'thread'),
  ...(peer && { 'npm epoll': peerVariant(peer) }),
};

async function measure(variant) {
  const directory = mkdtempSync(join(tmpdir(), 'pollux-bench-'));
  const path = join(directory, 'fifo');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY);
  const latencies = [];
  const finished = new Promise((done) => {
    variant(
      reader,
      (stamp) => latencies.push(Number(process.hrtime.bigint() - stamp) / 1000),
      done,
    );
  });
  const child = spawn(process.execPath, ['-e', WRITER], {
    stdio: ['ignore', 'inherit', 'inherit', writer],
  });
  closeSync(writer);
  await finished;
  child.kill();
  if (variant !== socketVariant) closeSync(reader);
  rmSync(directory, { recursive: true });
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.floor(share * (latencies.length - 1))];
  return { p50: at(0.5), p99: at(0.99) };
}

const results = new Map(Object.keys(variants).map((name) => [name, []]));
for (let round = 0; round < rounds; round++) {
  for (const [name, variant] of Object.entries(variants)) {
    results.get(name).push(await measure(variant));
  }
}
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
const base = median(results.get('net.Socket').map(({ p50 }) => p50));
console.log(`${rounds} rounds of ${samples} writes, node ${process.versions.node}; microseconds`);
for (const [name, runs] of results) {
  const p50 = median(runs.map((run) => run.p50));
  const p99 = median(runs.map((run) => run.p99));
  console.log(
    `${name.padEnd(18)} p50 ${p50.toFixed(0).padStart(5)}   p99 ${p99.toFixed(0).padStart(5)}   ${(p50 / base).toFixed(2)} x net.Socket`,
  );
}
