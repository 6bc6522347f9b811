// Reads stamps from a pipe on a reactor.   node latency.mjs FIFO blocking|uv|thread
import { constants, openSync, readSync } from 'node:fs';
import { Interest, Reactor } from '@pollux/core';
import { say } from '../lib/control.mjs';
import { answer, arrived, STAMP } from '../lib/latency.mjs';

const [, , path, how] = process.argv;
const reactor =
  how === 'blocking'
    ? new Reactor({ mode: 'blocking' })
    : new Reactor({ mode: 'attached', driver: how });

const fifo = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
const stamps = Buffer.alloc(64 * STAMP);
reactor.watch(fifo, Interest.readable, () => arrived(stamps, readSync(fifo, stamps)));

const line = Buffer.alloc(64);
reactor.watch(0, Interest.readable, () => {
  if (readSync(0, line) === 0) process.exit(0);
  answer();
});
say({ ready: true, driver: reactor.driver });
if (how === 'blocking') reactor.runSync();
