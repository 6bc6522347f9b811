// libevent's own benchmark on a blocking reactor; peers/libevent-cascade.c tells what it is.
// Bytes go by send(2) and recv(2), through an addon, as there.
//
//   node cascade.mjs PAIRS ACTIVE BACKEND
import { readSync } from 'node:fs';
import { Interest, Reactor } from '@pollux/core';
import { recv, send, socketpair } from '@pollux/testkit';
import { say } from '../lib/control.mjs';

const [, , pairsText, activeText, backend] = process.argv;
const pairs = Number(pairsText);
const active = Number(activeText);

const reactor = new Reactor({ mode: 'blocking', backend });
const readers = [];
const writers = [];
for (let i = 0; i < pairs; i++) {
  const [reader, writer] = socketpair();
  readers.push(reader);
  writers.push(writer);
}
const into = new Uint8Array(1);
const byte = Buffer.from('e');
let count = 0;
let fired = 0;
let writes = 0;
let events = 0;
const callbacks = readers.map((reader, i) => {
  const next = writers[(i + 1) % pairs];
  return () => {
    count += recv(reader, into);
    if (writes === 0) return;
    send(next, byte);
    writes--;
    fired++;
  };
});
const watchers = new Array(pairs);

function roundOnce() {
  for (let i = 0; i < pairs; i++) {
    watchers[i]?.close();
    watchers[i] = reactor.watch(readers[i], Interest.readable, callbacks[i]);
  }
  reactor.turn(0);
  count = 0;
  writes = pairs;
  const step = Math.floor(pairs / active);
  for (fired = 0; fired < active; fired++) send(writers[fired * step], byte);
  do {
    reactor.turn(0);
  } while (count !== fired);
  events += fired;
}

function measure(line) {
  const [by, text] = line.split(' ');
  const limit = Number(text);
  const eventsBefore = events;
  const start = performance.now();
  const before = process.cpuUsage();
  let rounds = 0;
  while (by === 'ms' ? performance.now() - start < limit : rounds < limit) {
    roundOnce();
    rounds++;
  }
  const { user, system } = process.cpuUsage(before);
  const wall = Math.round((performance.now() - start) * 1000);
  say({ rounds, events: events - eventsBefore, wall, user, system });
}

say({ ready: true, method: reactor.backend });
const line = Buffer.alloc(64);
for (;;) {
  const got = readSync(0, line);
  if (got === 0) break;
  measure(line.toString('latin1', 0, got));
}
