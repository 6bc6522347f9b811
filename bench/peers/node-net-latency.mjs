// Reads stamps from a pipe with net.Socket.   node node-net-latency.mjs FIFO
import { constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { say } from '../lib/control.mjs';
import { answer, arrived } from '../lib/latency.mjs';

const fd = openSync(process.argv[2], constants.O_RDONLY | constants.O_NONBLOCK);
const socket = new Socket({ fd, readable: true, writable: false });
socket.on('data', (chunk) => arrived(chunk, chunk.length));

process.stdin.on('data', answer);
process.stdin.on('end', () => process.exit(0));
say({ ready: true });
