// Reads stamps from a pipe with the npm package epoll.   node npm-epoll-latency.mjs FIFO PACKAGE
import { constants, openSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { say } from '../lib/control.mjs';
import { answer, arrived, STAMP } from '../lib/latency.mjs';

const [, , path, installed] = process.argv;
const { Epoll } = createRequire(import.meta.url)(installed);
const fifo = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
const stamps = Buffer.alloc(64 * STAMP);
const poller = new Epoll(() => arrived(stamps, readSync(fifo, stamps)));
poller.add(fifo, Epoll.EPOLLIN);

process.stdin.on('data', answer);
process.stdin.on('end', () => process.exit(0));
say({ ready: true });
