// One UDP and one TCP port, served by several threads, and an end that loses nothing.
//
//   node examples/dist/shards.js [--workers 4] [--port 41236] [--shared]
//   echo hi | nc -N 127.0.0.1 41236
//
// Each worker has a reactor of its own. By default each has sockets of its own too, and the kernel
// spreads clients over them (SO_REUSEPORT). With --shared all watch one listener, and a connection
// wakes a worker that waits (EPOLLEXCLUSIVE).
//
// SIGTERM or SIGINT drains: no connection begins any more, those that the kernel has accepted and the
// datagrams it has received are answered, then each worker ends. A second signal kills.
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import {
  isMainThread,
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  Worker,
  workerData,
} from 'node:worker_threads';
import { Reactor, type Waker, wake } from '@pollux/core';
import { TcpListener, type TcpStream, UdpSocket } from '@pollux/net';

const address = '127.0.0.1';
/** Clients that neither ask nor leave are left alone after so long. */
const MOST_MS = 10_000;

interface Shard {
  readonly name: number;
  readonly shared: boolean;
  readonly tcpPort: number;
  readonly udpPort: number;
  /** The listener to share; undefined for the first, who makes it. */
  readonly fd?: number;
}

interface Ready {
  readonly waker: Waker;
  readonly tcpPort: number;
  readonly udpPort: number;
  readonly fd: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      workers: { type: 'string', default: '4' },
      port: { type: 'string', default: '41236' },
      shared: { type: 'boolean', default: false },
    },
  });
  const { shared } = values;
  const workers: { worker: Worker; waker: Waker }[] = [];

  async function startShard(data: Shard): Promise<Ready> {
    const worker = new Worker(new URL(import.meta.url), { workerData: data });
    const [ready] = (await once(worker, 'message')) as [Ready];
    worker.on('message', (report: string) => console.log(report));
    workers.push({ worker, waker: ready.waker });
    return ready;
  }

  const port = Number(values.port);
  // The first finds the ports, if they are for the system to choose.
  const first = await startShard({ name: 0, shared, tcpPort: port, udpPort: port });
  const { tcpPort, udpPort, fd } = first;
  for (let name = 1; name < Number(values.workers); name++) {
    await startShard({ name, shared, tcpPort, udpPort, ...(shared ? { fd } : {}) });
  }

  const reactor = new Reactor();
  const signals = (['SIGTERM', 'SIGINT'] as const).map((name) => reactor.signal(name, drain));

  function drain(): void {
    for (const signal of signals) signal.close();
    for (const { worker, waker } of workers) {
      worker.postMessage('drain');
      wake(waker); // it waits in its own loop, not in Node's
    }
  }

  console.log(
    `${workers.length} workers on tcp ${address}:${tcpPort} and udp ${address}:${udpPort}, ` +
      `${shared ? 'one listener' : 'a listener each'}; Ctrl-C drains`,
  );
}

function work(port: MessagePort, { name, shared, tcpPort, udpPort, fd }: Shard): void {
  const reactor = new Reactor({ mode: 'blocking' });
  const { exclusive } = reactor.poller.capabilities;
  const listener = TcpListener.listen(reactor, {
    ...(fd === undefined ? { address, port: tcpPort, reusePort: !shared } : { fd }),
    exclusive: shared && exclusive,
  });
  const socket = UdpSocket.bind(reactor, { address, port: udpPort, reusePort: true });
  let connections = 0;
  let datagrams = 0;

  // Both answer with the name of the worker and what was asked.
  socket.on('message', (data, peer) => {
    datagrams++;
    socket.send(`${name} ${data}`, peer);
  });
  listener.on('connection', (stream) => answer(stream));
  listener.on('error', (error) => console.error(error.message));

  function answer(stream: TcpStream): void {
    connections++;
    let asked = '';
    stream.on('data', function hear(data) {
      asked += data.toString('latin1');
      if (!asked.endsWith('\n')) return;
      stream.off('data', hear); // one question each; what still comes is dropped
      stream.end(`${name} ${asked}`);
    });
    stream.on('error', () => {}); // a client that breaks off is no news
  }

  reactor.check(() => {
    if (receiveMessageOnPort(port)?.message !== 'drain') return;
    listener.finish();
    socket.finish();
    reactor.stop(MOST_MS);
  });

  // Not while the module is being evaluated: promises would wait until that is over.
  setImmediate(() => {
    // Returns when the listener, the socket and every stream are closed.
    reactor.runSync();
    reactor.close();
    port.postMessage(`worker ${name} served ${connections} connections, ${datagrams} datagrams`);
  });

  const ready: Ready = {
    waker: reactor.poller.waker,
    tcpPort: listener.address().port,
    udpPort: socket.address().port,
    fd: listener.fd,
  };
  port.postMessage(ready);
}

if (isMainThread) await main();
else if (parentPort !== null) work(parentPort, workerData as Shard);
