// Ten socketpairs that play ping-pong, among many descriptors that are watched and silent.
//
//   node idle.mjs DESCRIPTORS BACKEND
import { readSync, writeSync } from 'node:fs';
import { Interest, Reactor } from '@pollux/core';
import { socketpair } from '@pollux/testkit';
import { answerOnReactor, say } from '../lib/control.mjs';

const [, , descriptors, backend] = process.argv;
const ACTIVE = 10;
const reactor = new Reactor({ mode: 'blocking', backend });
let served = 0;
const into = new Uint8Array(1);
const byte = Buffer.from('e');

const pairs = Array.from({ length: Number(descriptors) / 2 }, () => socketpair());
for (const fd of pairs.flat()) {
  reactor.watch(fd, Interest.readable, () => {
    readSync(fd, into, 0, 1, null);
    writeSync(fd, byte, 0, 1, null); // the other end's turn
    served++;
  });
}
// Spread over the descriptors' numbers.
const step = Math.floor(pairs.length / ACTIVE);
for (let i = 0; i < ACTIVE; i++) writeSync(pairs[i * step][0], byte);

answerOnReactor(reactor, Interest.readable, () => served);
say({ ready: true, backend: reactor.backend });
reactor.runSync();
