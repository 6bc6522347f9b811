// node scripts/prebuild/smoke.mjs <backend>...: the least that must hold of native code on the system it
// is for. Core chooses the first that is named. Of each, node-gyp-build finds the binary and that of net by
// itself, a poller waits and wakes, one inside another is told, and an echo comes back on sockets of ours,
// in both ways of waiting. By Node alone, so that any Node can run it. Prints what was loaded.
import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const packages = fileURLToPath(new URL('../../packages', import.meta.url));
const require = createRequire(join(packages, 'core/package.json'));
const { createPoller, Events, explainSelection, Interest, Reactor } = await import(at('core'));
const { TcpListener, TcpStream } = await import(at('net'));

const backends = process.argv.slice(2);
const selection = explainSelection();
assert.equal(selection.chosen, backends[0], JSON.stringify(selection, null, 2));
for (const backend of backends) {
  waits(backend);
  refusal(backend);
  await nested(backend);
  for (const mode of ['attached', 'blocking']) await echo(backend, mode);
  const files = [backend, 'net'].map((name) => {
    const file = require('node-gyp-build').path(join(packages, name));
    // By its end, for a workspace is reached through a link, which Wine does not see through.
    const end = file.replace(join(packages, name), '');
    const loaded = Object.keys(require.cache).some((key) => key.endsWith(end));
    assert.ok(loaded, `${file} is not what was loaded`);
    return relative(packages, file);
  });
  console.log(`${process.platform} ${process.arch}, Node ${process.version}: ${files.join(', ')}`);
}

/** A wait that nothing ends is not early, and a notify ends one. */
function waits(backend) {
  const poller = createPoller({ backend });
  const before = performance.now();
  assert.equal(poller.wait(20), 0);
  assert.ok(performance.now() - before >= 20);
  poller.notify();
  assert.equal(poller.wait(10_000), 0);
  poller.close();
}

/** An error is that of libc, and of this thread. */
function refusal(backend) {
  if (process.platform === 'win32') return;
  const poller = createPoller({ backend });
  const fd = openSync('/dev/null');
  closeSync(fd);
  assert.throws(() => poller.add(fd, Interest.readable, 1), { code: 'EBADF' });
  poller.close();
}

/** A poller that is a descriptor is readable in another when it is notified, by each driver. */
async function nested(backend) {
  const inner = createPoller({ backend });
  for (const driver of inner.fd === undefined ? [] : inner.drivers) {
    const reactor = new Reactor({ backend, driver });
    const told = new Promise((resolve) => {
      reactor.watch(inner.fd, Interest.readable, resolve, { mode: 'oneshot' });
    });
    setTimeout(() => inner.notify(), 5);
    assert.equal(await told, Events.readable);
    reactor.close();
    // The notification is taken, for the next driver is to be told of its own.
    assert.equal(inner.wait(10_000), 0);
  }
  inner.close();
}

async function echo(backend, mode) {
  const reactor = new Reactor({ backend, mode });
  const listener = TcpListener.listen(reactor, { address: '127.0.0.1' });
  listener.on('connection', (stream) => {
    stream.on('data', (data) => stream.write(data));
    stream.on('end', () => stream.end());
  });
  const stream = TcpStream.connect(reactor, listener.address());
  const got = [];
  let closed = false;
  stream.on('connect', () => {
    stream.write('hello');
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
  assert.equal(Buffer.concat(got).toString(), 'hello');
  reactor.close();
}

function at(name) {
  return pathToFileURL(join(packages, name, 'dist/index.js')).href;
}
