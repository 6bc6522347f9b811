// One process accepts TCP connections and hands each to a worker process, which answers it. What
// travels is the socket itself, over a Unix socket (SCM_RIGHTS): no byte of the connection passes
// through the first process, and it may end without the connection noticing.
//
//   node examples/dist/fd-passing.js [--port 41240] [--workers 2]
//   curl http://127.0.0.1:41240/
//
// A worker whose process ends gets no more; the others go on. SIGTERM or SIGINT lets no connection
// begin any more, has those that there are answered, and ends.
import { spawn } from 'node:child_process';
import http from 'node:http';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Reactor } from '@pollux/core';
import { type OwnedFd, TcpListener, type TcpStream, UnixStream } from '@pollux/net';

const address = '127.0.0.1';
/** What the worker finds its end of the Unix socket at, beside the three that everybody has. */
const CHANNEL = 3;
/** More than so many connections are not kept for a worker that is busy. */
const MOST_WAITING = 64;

function accept(port: number, workers: number): void {
  const reactor = new Reactor();
  const channels = new Set<UnixStream>();

  for (let i = 0; i < workers; i++) {
    const [ours, theirs] = UnixStream.pair(reactor);
    const child = spawn(process.execPath, [fileURLToPath(import.meta.url), '--worker'], {
      stdio: ['ignore', 'inherit', 'inherit', theirs.fd],
    });
    theirs.destroy(); // the child has its own
    channels.add(ours);
    ours.resume(); // it says nothing, but its end is heard
    ours.on('error', () => {}); // 'close' follows
    ours.on('close', () => {
      channels.delete(ours);
      console.log(`worker ${child.pid} has gone, ${channels.size} left`);
    });
  }

  const listener = TcpListener.listen(reactor, { address, port });
  // Nobody listens for the stream's data, so none of it is read here.
  listener.on('connection', (stream) => handOver(stream));
  listener.on('error', (error) => console.error(error.message));

  function handOver(stream: TcpStream): void {
    let idlest: UnixStream | undefined;
    for (const channel of channels) {
      if (idlest === undefined || channel.queuedFds < idlest.queuedFds) idlest = channel;
    }
    if (idlest !== undefined && idlest.queuedFds < MOST_WAITING) {
      idlest.sendFds('c', [stream]); // a byte, for it to travel with
      // In turn.
      channels.delete(idlest);
      channels.add(idlest);
    }
    stream.destroy(); // our descriptor; the connection lives on in the one that was sent
  }

  listener.on('close', () => {
    for (const channel of channels) channel.end();
  });
  const signals = (['SIGTERM', 'SIGINT'] as const).map((name) => reactor.signal(name, stop));
  function stop(): void {
    for (const signal of signals) signal.close();
    listener.finish();
  }

  console.log(
    `tcp ${address}:${listener.address().port}, ${workers} workers; Ctrl-C ends when all is answered`,
  );
}

function work(): void {
  const reactor = new Reactor();
  const server = http.createServer((_request, response) => {
    response.end(`worker ${process.pid}\n`);
  });
  const channel = UnixStream.adopt(reactor, CHANNEL);
  channel.on('fds', (fds: OwnedFd[]) => {
    for (const fd of fds) {
      // Node's own socket takes it from here.
      server.emit(
        'connection',
        new net.Socket({ fd: fd.release(), readable: true, writable: true }),
      );
    }
  });
  channel.resume();
  channel.on('close', () => server.closeIdleConnections());
  process.on('SIGINT', () => {}); // Ctrl-C is told to both; the first process says when to end
}

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '41240' },
    workers: { type: 'string', default: '2' },
    worker: { type: 'boolean', default: false },
  },
});
if (values.worker) work();
else accept(Number(values.port), Number(values.workers));
