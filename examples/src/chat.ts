// A chat room: what one says, everybody else hears. Many clients, one thread, here on select.
//
//   node examples/dist/chat.js [port] [patience in ms]
//   nc 127.0.0.1 41237        your name first, then talk; /who tells who is there
//
// Runs on select, which every system has, unless POLLUX_BACKEND names another backend.
//
// A client that does not read what it is sent would make the server keep it all. Here it cannot: once
// 64 KiB wait for anybody (write() returns false), whoever talks is not read any further, until all
// have caught up ('drain'); and who has not within 5 s is dropped. So nothing is lost for those who
// read, a slow one slows the talk down, and one that has stopped holds it up once.
import { Reactor, type Timer } from '@pollux/core';
import { TcpListener, type TcpStream } from '@pollux/net';
import { onLines } from './lines.js';

const MAX_LINE = 1000;
const MAX_QUEUED = 65_536;
const NAME = /^[\p{L}\p{N}_-]{1,20}$/u;
/** They could do things to the terminals of others. */
const CONTROL = /\p{Cc}/gu;

interface Client {
  readonly stream: TcpStream;
  /** Undefined until it has said it. */
  name?: string;
}

const [port = 41237, patienceMs = 5000] = process.argv.slice(2).map(Number);
const reactor = new Reactor({ backend: process.env.POLLUX_BACKEND || 'select' });
const listener = TcpListener.listen(reactor, {
  address: '127.0.0.1',
  port,
  highWaterMark: MAX_QUEUED,
});
const clients = new Set<Client>();
const room = new Map<string, Client>();
/** Those for whom too much waits, and when we lose patience with them. */
const behind = new Map<Client, Timer>();

listener.on('connection', (stream) => {
  const client: Client = { stream };
  clients.add(client);
  tell(client, 'Your name?\n');
  onLines(stream, MAX_LINE, (lines) => hear(client, lines));
  stream.on('drain', () => caughtUp(client));
  stream.on('error', () => {}); // who breaks off is gone, which 'close' tells
  stream.on('close', () => leave(client));
});
listener.on('error', (error) => console.error(error.message)); // out of descriptors: it tries again

/** All lines of one read, with one answer at most: questions must not cost more than they weigh. */
function hear(client: Client, lines: string[]): void {
  if (client.name === undefined && !enter(client, lines.shift() ?? '')) return;
  let said = '';
  for (const line of lines) {
    const text = line.replace(CONTROL, '');
    if (text !== '' && !text.startsWith('/')) said += `${client.name}: ${text}\n`;
  }
  if (said !== '') broadcast(said, client);
  if (lines.includes('/who')) tell(client, `* here: ${[...room.keys()].join(', ')}\n`);
  if (behind.size > 0) client.stream.pause();
}

/** Takes a name and enters the room; whether it did. */
function enter(client: Client, name: string): boolean {
  if (!NAME.test(name) || room.has(name)) {
    const why = room.has(name) ? 'is taken' : 'is no name: 1 to 20 letters and digits';
    tell(client, `* ${name.slice(0, 20).replace(CONTROL, '')} ${why}\n`);
    if (behind.has(client)) client.stream.pause();
    return false;
  }
  client.name = name;
  room.set(name, client);
  tell(client, `* welcome, ${name}; ${room.size} here\n`);
  broadcast(`* ${name} is here\n`, client);
  return true;
}

function broadcast(text: string, from: Client): void {
  const data = Buffer.from(text); // one for all: a stream keeps it, and does not copy it
  for (const client of room.values()) if (client !== from) tell(client, data);
}

function tell(client: Client, data: string | Buffer): void {
  const { stream, name = stream.remoteAddress } = client;
  if (stream.destroyed) return; // its 'close' is still to come
  if (stream.write(data) || behind.has(client)) return;
  const patience = reactor.timer(patienceMs, () => {
    console.log(`dropped ${name}: ${stream.queuedBytes} bytes behind`);
    stream.destroy();
  });
  behind.set(client, patience);
}

function leave(client: Client): void {
  if (!clients.delete(client)) return;
  caughtUp(client);
  if (client.name === undefined) return;
  room.delete(client.name);
  broadcast(`* ${client.name} has left\n`, client);
}

/** The last one who was behind lets the others talk again. */
function caughtUp(client: Client): void {
  behind.get(client)?.close();
  if (!behind.delete(client) || behind.size > 0) return;
  for (const { stream } of clients) if (stream.isPaused()) stream.resume();
}

process.once('SIGINT', () => {
  listener.close();
  for (const { stream } of clients) stream.destroy();
});

const { address, port: chosen } = listener.address();
console.log(`chat on tcp ${address}:${chosen} with ${reactor.backend}; Ctrl-C stops`);
