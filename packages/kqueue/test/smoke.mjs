// The least that must hold where there is a kqueue: it is what core chooses, it opens, waits, wakes and
// tells, in both ways of waiting. By Node alone: no test runner, nothing of Linux.
//
//   node packages/kqueue/test/smoke.mjs
import assert from 'node:assert/strict';
import { createPoller, Events, explainSelection, Interest, Reactor } from '@pollux/core';
import { TcpListener, TcpStream } from '@pollux/net';

assert.equal(explainSelection().chosen, 'kqueue', JSON.stringify(explainSelection(), null, 2));

// A wait that nothing ends is not early, and a notify ends one.
using(createPoller({ backend: 'kqueue' }), (poller) => {
  const before = performance.now();
  assert.equal(poller.wait(20), 0);
  assert.ok(performance.now() - before >= 20);
  poller.notify();
  assert.equal(poller.wait(10_000), 0);
});

// A kqueue within a kqueue is readable when it is notified, by each driver.
const { drivers } = using(createPoller({ backend: 'kqueue' }), ({ drivers }) => ({ drivers }));
for (const driver of drivers) {
  const inner = createPoller({ backend: 'kqueue' });
  const reactor = new Reactor({ backend: 'kqueue', driver });
  const told = new Promise((resolve) => {
    const watcher = reactor.watch(inner.fd, Interest.readable, (events) => {
      watcher.close();
      resolve(events);
    });
  });
  setTimeout(() => inner.notify(), 5);
  assert.equal(await told, Events.readable);
  reactor.close();
  inner.close();
}

// An echo on sockets of ours, to the end.
for (const mode of ['attached', 'blocking']) {
  const reactor = new Reactor({ backend: 'kqueue', mode });
  const listener = TcpListener.listen(reactor, { address: '127.0.0.1' });
  listener.on('connection', (stream) => {
    stream.on('data', (data) => stream.write(data));
    stream.on('end', () => stream.end());
  });
  const stream = TcpStream.connect(reactor, listener.address());
  const got = [];
  let closed = false;
  stream.on('connect', () => {
    stream.write('hello kqueue');
    stream.end();
  });
  stream.on('data', (data) => got.push(Buffer.from(data)));
  stream.on('close', () => {
    closed = true;
    listener.close();
  });
  while (!closed) {
    if (mode === 'blocking') reactor.turn(1000);
    else await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(Buffer.concat(got).toString(), 'hello kqueue');
  reactor.close();
}
console.log(`kqueue on ${process.platform} ${process.arch}, Node ${process.version}: ok`);

function using(resource, use) {
  try {
    return use(resource);
  } finally {
    resource.close();
  }
}
