// A worker that blocks in its reactor, and hears what the main thread tells it all the same: a message
// in its port, and a waker that ends the wait.
//
//   node examples/dist/worker-messages.js
//
// The worker greets by UDP; the main thread tells it how. A blocking reactor owns its thread, so the
// port's 'message' events, which need Node's loop, never come: a check hook looks into the port after
// each wait instead. Looking costs a tenth of a microsecond.
import { once } from 'node:events';
import { isMainThread, parentPort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { Reactor, type Waker, wake } from '@pollux/core';
import { UdpSocket } from '@pollux/net';

/** What the worker is told. */
type Order = { greeting: string } | 'stop';
/** What it answers when it is ready. */
interface Ready {
  waker: Waker;
  port: number;
}

async function main(): Promise<void> {
  const worker = new Worker(new URL(import.meta.url));
  const [{ waker, port }] = (await once(worker, 'message')) as [Ready];

  function tell(order: Order): void {
    worker.postMessage(order);
    wake(waker); // in this order: the worker looks when it is woken
  }

  const client = UdpSocket.connect(new Reactor(), { address: '127.0.0.1', port });
  async function ask(name: string): Promise<void> {
    client.send(name);
    const [answer] = await once(client, 'message');
    console.log(`${answer}`);
  }

  await ask('Castor');
  tell({ greeting: 'good night' });
  await once(worker, 'message'); // it has heard
  await ask('Castor');
  client.close();

  tell('stop');
  await once(worker, 'exit');
  console.log('the worker is gone');
}

function work(port: NonNullable<typeof parentPort>): void {
  const reactor = new Reactor({ mode: 'blocking' });
  const socket = UdpSocket.bind(reactor, { address: '127.0.0.1' });
  let greeting = 'hello';
  socket.on('message', (name, peer) => socket.send(`${greeting}, ${name}`, peer));

  function obey(order: Order): void {
    if (order === 'stop') {
      socket.close(); // nothing is left to wait for: runSync returns
      return;
    }
    greeting = order.greeting;
    port.postMessage('heard');
  }

  reactor.check(() => {
    for (;;) {
      const found = receiveMessageOnPort(port);
      if (found === undefined) return;
      obey(found.message as Order);
    }
  });

  const ready: Ready = { waker: reactor.poller.waker, port: socket.address().port };
  port.postMessage(ready);
  // Not while the module is being evaluated: promises would wait until that is over.
  setImmediate(() => {
    reactor.runSync();
    reactor.close();
  });
}

if (isMainThread) await main();
else if (parentPort !== null) work(parentPort);
