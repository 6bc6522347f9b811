// Ten thousand connections at once, between this process and a server that it starts.
//
//   node --expose-gc examples/dist/connect-many.js [--connections 10000] [--messages 2]
//   POLLUX_BACKEND=select node --expose-gc examples/dist/connect-many.js
//
// All are made, all are held, each has its messages echoed, and one line of JSON sums up: times, and
// what a connection costs on each side (in the process; the kernel's buffers are beside that). With
// --expose-gc the heap is measured without what is garbage.
//
// Three limits meet here. Descriptors: each side needs one for each connection. Node raises its soft
// limit to the hard one by itself, so what `ulimit -n` says then is final; if it is too low, fewer are
// made. Ports: a client has some 28,000 for one server address and port, so the server listens on a
// port for each 5,000. The backlog: the kernel drops what knocks beside it, and the client knocks
// again after a second; so no more are being opened at a time than have room in it.
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Reactor } from '@pollux/core';
import { TcpListener, TcpStream } from '@pollux/net';

const address = '127.0.0.1';
const PER_PORT = 5000;
const BEING_OPENED = 256;
/** What Node and the reactor need themselves. */
const SPARE_DESCRIPTORS = 64;

function footprint() {
  globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, heap: heapUsed + external };
}

type Footprint = ReturnType<typeof footprint>;

function perConnection(before: Footprint, after: Footprint, count: number): Footprint {
  const share = (name: keyof Footprint) => Math.round((after[name] - before[name]) / count);
  return { rss: share('rss'), heap: share('heap') };
}

/** The server: echoes, and tells its parent what it holds. */
function serve(reactor: Reactor, portCount: number): void {
  const streams = new Set<TcpStream>();
  const listeners = Array.from({ length: portCount }, () =>
    TcpListener.listen(reactor, { address }),
  );
  for (const listener of listeners) {
    listener.on('connection', (stream) => {
      streams.add(stream);
      stream.on('data', (data) => stream.write(data) || stream.pause()); // it sends, and does not read
      stream.on('drain', () => stream.resume());
      stream.on('error', () => {}); // the client counts
      stream.on('close', () => streams.delete(stream));
    });
    listener.on('error', (error) => console.error(error.message));
  }
  process.on('message', () => process.send?.({ held: streams.size, ...footprint() }));
  // The parent is done, or gone. Whoever closes first keeps the ports busy for a minute (TIME_WAIT):
  // the server has few.
  process.on('disconnect', () => {
    for (const listener of listeners) listener.close();
    for (const stream of streams) stream.destroy();
  });
  process.send?.(listeners.map((listener) => listener.address().port));
}

const errors: Record<string, number> = {};

/** Resolves when the connection is made, or has failed. */
function open(reactor: Reactor, port: number): Promise<TcpStream> {
  return new Promise((resolve) => {
    const stream = TcpStream.connect(reactor, { address, port });
    stream.on('connect', () => resolve(stream)).on('close', () => resolve(stream));
    stream.on('error', ({ message, code = message }: NodeJS.ErrnoException) => {
      errors[code] = (errors[code] ?? 0) + 1;
    });
  });
}

/** Sends a message, and resolves to whether it came back as it was. */
function echoed(stream: TcpStream, message: string): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = '';
    function done(): void {
      stream.off('data', hear).off('close', done);
      resolve(answer === message);
    }
    function hear(data: Buffer): void {
      answer += data.toString('latin1');
      if (answer.length >= message.length) done();
    }
    stream.on('data', hear).on('close', done);
    if (stream.destroyed) done();
    else stream.write(message);
  });
}

async function ask(server: ChildProcess): Promise<Footprint & { held: number }> {
  server.send('what do you hold?');
  const [answer] = await once(server, 'message');
  return answer;
}

async function connectMany(reactor: Reactor, asked: number, messages: number): Promise<void> {
  const limit = Number(spawnSync('sh', ['-c', 'ulimit -n']).stdout) || Infinity; // 'unlimited', or no sh
  const wanted = Math.min(asked, limit - SPARE_DESCRIPTORS);
  const reason = wanted < asked ? `ulimit -n is ${limit}` : undefined;
  if (reason !== undefined) console.error(`${wanted} connections, not ${asked}: ${reason}`);

  const portCount = Math.ceil(wanted / PER_PORT);
  const server = fork(fileURLToPath(import.meta.url), ['--serve', `${portCount}`]);
  const [ports] = (await once(server, 'message')) as [number[]];
  const before = { client: footprint(), server: await ask(server) };

  const streams: TcpStream[] = [];
  let begun = 0;
  async function openSome(): Promise<void> {
    while (begun < wanted) streams.push(await open(reactor, ports[begun++ % portCount] as number));
  }
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: BEING_OPENED }, openSome));
  const openedAt = performance.now();

  let echoes = 0;
  for (let n = 0; n < messages; n++) {
    const outcomes = streams.map((stream, i) => echoed(stream, `message ${n} of connection ${i}`));
    for (const outcome of await Promise.all(outcomes)) echoes += Number(outcome);
  }
  const answeredAt = performance.now();

  const after = { client: footprint(), server: await ask(server) };
  const held = streams.filter((stream) => !stream.destroyed).length;
  const summary = {
    backend: reactor.backend,
    asked,
    reason,
    held: { client: held, server: after.server.held },
    echoes,
    errors,
    ms: { connect: Math.round(openedAt - startedAt), echo: Math.round(answeredAt - openedAt) },
    bytesPerConnection: {
      client: perConnection(before.client, after.client, held),
      server: perConnection(before.server, after.server, after.server.held),
    },
  };
  console.log(JSON.stringify(summary));
  const complete = held === wanted && after.server.held === wanted && echoes === wanted * messages;
  process.exitCode = complete ? 0 : 1;
  server.disconnect(); // it closes, and so our streams end, and the process
}

const { values } = parseArgs({
  options: {
    connections: { type: 'string', default: '10000' },
    messages: { type: 'string', default: '2' },
    serve: { type: 'string' },
  },
});
const reactor = new Reactor();
if (values.serve !== undefined) serve(reactor, Number(values.serve));
else await connectMany(reactor, Number(values.connections), Number(values.messages));
