// Nothing that JavaScript can pass to the addon may crash the process: junk in every place of every
// export, in a process of its own.
import { expect, test } from 'vitest';
import { runChild } from './support.js';

const prelude = `
  import { createRequire } from 'node:module';
  import { dirname } from 'node:path';
  const require = createRequire(process.cwd() + '/x.js');
  const addon = require('node-gyp-build')(dirname(require.resolve('@pollux/net/package.json')));
  const EINVAL = -22;
  const detached = () => {
    const array = new Uint8Array(64);
    structuredClone(array.buffer, { transfer: [array.buffer] });
    return array;
  };
  const detachedWords = () => {
    const array = new Int32Array(16);
    structuredClone(array.buffer, { transfer: [array.buffer] });
    return array;
  };
`;

test('junk as every argument of every export', async () => {
  const { stdout, stderr, code, signal } = await runChild(`${prelude}
    const revoked = Proxy.revocable([], {});
    revoked.revoke();
    const throwing = [];
    Object.defineProperty(throwing, 0, { get() { throw new Error('getter'); } });
    throwing.length = 3;
    const junk = [
      undefined, null, true, NaN, Infinity, -Infinity, -1, -0, 0.5, 0, 1, 2, 4, 6, 128, 2 ** 31,
      2 ** 32, 2 ** 53, 1e308, '', 'x', '127.0.0.1', '::1%nowhere', '\\0', 'x'.repeat(1e6), Symbol('s'), 1n,
      {}, [], [1], [[]], [new Uint8Array(8)], Array(300).fill(new Uint8Array(1)), Array(5), throwing,
      () => {}, new Date(), /x/, new Map(), new ArrayBuffer(8), new SharedArrayBuffer(8),
      new DataView(new ArrayBuffer(8)), new Float64Array(4), new Uint32Array(4), new Uint8Array(0),
      new Uint8Array(1), new Uint8Array(127), new Uint8Array(4096), Buffer.alloc(300, 255),
      new Uint8Array(new SharedArrayBuffer(256)), new Int32Array(0), new Int32Array(1),
      new Int32Array(64), new Int32Array(64).fill(-1), new Int32Array(64).fill(2147483647),
      new Int32Array(new SharedArrayBuffer(256)), detached(), detachedWords(), new Proxy([], {}),
      revoked.proxy, new Proxy(new Uint8Array(8), {}), process, globalThis,
    ];
    let seed = 42;
    const random = (n) => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 8) % n;
    };
    let calls = 0;
    const names = Object.keys(addon);
    for (const name of names) {
      for (let i = 0; i < 3000; i++) {
        const args = Array.from({ length: random(9) }, () => junk[random(junk.length)]);
        const result = addon[name](...args);
        if (!Number.isInteger(result)) throw new Error(name + ' returned ' + String(result));
        calls++;
      }
      for (const each of junk) addon[name](each, each, each, each, each, each, each, each);
      addon[name].call(null);
      new addon[name]();
    }
    console.log(names.length, calls);
  `);
  expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
  expect(stdout).toBe('38 114000\n');
});

test('plausible calls with one thing wrong', async () => {
  const { stdout, stderr, code, signal } = await runChild(`${prelude}
    import assert from 'node:assert';
    const fd = addon.open(4, 2);
    const tcp = addon.open(4, 1);
    const slots = new Uint8Array(256);
    const equal = (actual, expected) => assert.strictEqual(actual, expected);
    equal(addon.encodeAddress('127.0.0.1', 0, slots, 0), 4);
    equal(addon.bind(fd, slots, 0), 0);

    // Addresses: a slot beyond the array, none in it, a length that lies.
    for (const offset of [-1, 129, 256, 2 ** 31 - 1]) {
      equal(addon.encodeAddress('127.0.0.1', 0, slots, offset), EINVAL);
      equal(addon.bind(fd, slots, offset), EINVAL);
      equal(addon.localAddress(fd, slots, offset), EINVAL);
      equal(addon.formatAddress(slots, offset, new Uint8Array(64), new Int32Array(2)), EINVAL);
    }
    const lying = new Uint8Array(128).fill(255);
    equal(addon.connect(fd, lying, 0), EINVAL);
    equal(addon.formatAddress(lying, 0, new Uint8Array(64), new Int32Array(2)), 0);
    equal(addon.formatAddress(slots, 0, new Uint8Array(2), new Int32Array(2)), -28);
    equal(addon.encodeAddress('127.0.0.1', 65536, slots, 0), EINVAL);
    equal(addon.encodeAddress('127.0.0.1\\0', 1, slots, 0), EINVAL);

    // Arrays too short for the count.
    const fds = Int32Array.of(fd);
    const words = new Int32Array(8);
    equal(addon.receive(fds, 2, 1, slots, 16, words, slots, slots), EINVAL);
    equal(addon.receive(fds, -1, 1, slots, 16, words, slots, slots), EINVAL);
    equal(addon.receive(fds, 1, 0, slots, 16, words, slots, slots), EINVAL);
    equal(addon.receive(fds, 1, 1, slots, 0, words, slots, slots), EINVAL);
    equal(addon.receive(fds, 1, 9, slots, 300, words, slots, slots), 0);
    equal(addon.receive(fds, 1, 9, detached(), 16, words, slots, slots), 0);
    equal(addon.receive(fds, 1, 9, slots, 16, words, detached(), slots), 0);
    equal(addon.receive(fds, 1, 9, slots, 16, words, slots, detached()), 0);
    equal(addon.accept(fds, 2, 1, words, slots), EINVAL);
    equal(addon.read(fds, 2, 9, slots, words), EINVAL);
    equal(addon.read(fds, 1, 9, slots, new Int32Array(1)), EINVAL);
    equal(addon.write(words, 3, [slots], new Int32Array(3)), EINVAL);
    equal(addon.write(words, 2, [slots], new Int32Array(1)), EINVAL);
    equal(addon.send(words, 0, 2, slots, slots, new Int32Array(3)), EINVAL);
    equal(addon.send(words, -1, 1, slots, slots, new Int32Array(3)), EINVAL);
    equal(addon.send(words, 2, 1, slots, slots, new Int32Array(3)), EINVAL);
    equal(addon.send(new Int32Array(12), 0, 2, slots, slots, new Int32Array(1)), EINVAL);

    // A slab that is full, and one that was taken away: nothing now, not the end of the stream.
    equal(addon.read(Int32Array.of(tcp), 1, 9, detached(), words), 1);
    equal(words[1], -11);

    // Jobs: each fault is that job's own.
    equal(addon.localAddress(fd, slots, 0), 0);
    const jobs = Int32Array.of(
      fd, 0, 4, 0, 0, -1,    fd, -1, 4, 0, 0, -1,   fd, 0, 257, 0, 0, -1,   fd, 250, 7, 0, 0, -1,
      fd, 2147483647, 2147483647, 0, 0, -1,         fd, 0, 4, 2, 0, -1,     fd, 0, 4, -2, 0, -1,
      fd, 0, 4, 1, 0, -1,    99999, 0, 4, 0, 0, -1, fd, 0, 4, 0, 0, 2,      fd, 0, 4, 0, 0, -2,
      fd, 0, 4, 0, 0, 1,     fd, 0, 0, 0, 0, -1,     fd, 0, 4, 0, -1, -1,
    );
    const results = new Int32Array(14);
    equal(addon.send(jobs, 0, 14, slots, slots, results), 14);
    assert.deepStrictEqual(
      [...results], [4, -22, -22, -22, -22, -22, -22, -22, -9, -22, -22, -22, 0, -22]);

    // Trains: a fault is that job's own; those behind one that the system refuses are left.
    const trains = Int32Array.of(
      fd, 0, 4, 0, 2, -1,    fd, 0, 257, 0, 4, -1,  fd, 0, 10, 0, 4, -1,    fd, 0, 4, 0, 8, -1,
      fd, 0, 4, 0, 65536, -1, fd, 0, 200, 0, 1, -1, fd, 0, 3, 0, 0, -1,
    );
    const sink = new Uint8Array(8192);
    const UDP_SEGMENT = 17;
    if (addon.setOption(fd, UDP_SEGMENT, 0) === 0) {
      equal(addon.send(trains, 0, 7, slots, slots, results), 6);
      assert.deepStrictEqual([...results.subarray(0, 6)], [4, -22, 10, 4, -22, -22]);
      equal(addon.send(trains, 6, 7, slots, slots, results), 7);
      equal(results[6], 3);
      equal(addon.receive(fds, 1, 9, sink, 64, new Int32Array(54), sink, sink.slice()), 9);
    } else {
      // Where there are no trains, each is refused at once.
      equal(addon.send(trains, 0, 7, slots, slots, results), 1);
      equal(addon.send(trains, 6, 7, slots, slots, results), 7);
      assert.deepStrictEqual([results[0] < 0, results[6]], [true, 3]);
    }
    // A thousand to one peer in one call, from one place.
    const many = new Int32Array(6000);
    for (let i = 0; i < 1000; i++) many.set([fd, i % 7, 2, 0, 0, -1], 6 * i);
    const lengths = new Int32Array(1000);
    equal(addon.send(many, 0, 1000, slots, slots, lengths), 1000);
    equal(lengths.every((length) => length === 2), true);
    while (addon.receive(fds, 1, 64, sink, 64, new Int32Array(384), new Uint8Array(8192), new Uint8Array(8192)) > 0);
    addon.send(jobs, 0, 1, slots, slots, results);
    addon.send(jobs.subarray(72), 0, 1, slots, slots, results);

    // Groups, options, descriptors.
    const group = new Uint8Array(384);
    equal(addon.encodeAddress('239.255.1.2', 0, group, 0), 4);
    equal(addon.encodeAddress('127.0.0.1', 0, group, 128), 4);
    for (const [place, source] of [[-1, -1], [257, -1], [256, -1], [0, 256], [0, 257], [0, -2]]) {
      equal(addon.membership(fd, 1, 1, group, place, source), EINVAL);
    }
    equal(addon.membership(fd, 1, -1, group, 0, -1), EINVAL);
    equal(addon.membership(99999, 1, 1, group, 0, -1), -9);
    equal(addon.multicastInterface(fd, -1), EINVAL);
    equal(addon.multicastInterface(99999, 1), -9);
    for (const option of [-1, 1000, 2 ** 31 - 1]) {
      equal(addon.getOption(fd, option), EINVAL);
      equal(addon.setOption(fd, option, 1), EINVAL);
    }
    equal(addon.getOption(99999, 5), -9);
    equal(addon.disconnect(99999), -9);
    equal(addon.interfaceIndex('nowhere0'), -19);
    equal(addon.interfaceIndex('300.1.1.1'), -19);
    equal(addon.interfaceIndex('x'.repeat(256)), EINVAL);
    equal(addon.adoptUdp(tcp), EINVAL);
    equal(addon.adoptUdp(99999), -9);
    equal(addon.adoptUdp(-1), -9);

    // Datagrams that do not fit are cut, and said to be.
    const records = new Int32Array(60);
    const room = new Uint8Array(2048);
    equal(addon.receive(fds, 1, 9, slots.subarray(0, 16), 2, records, room, room.slice()), 2);
    assert.deepStrictEqual([...records.subarray(0, 12)], [0, 0, 2, 1, 0, 0, 0, 2, 0, 0, 0, 0]);

    // Segments: chunks that are no chunks, offsets that are none.
    const segments = (...rest) => Int32Array.of(tcp, ...rest);
    const one = (segment, chunks) => {
      const out = new Int32Array(1);
      const answer = addon.write(segment, 1, chunks, out);
      return answer === 1 ? out[0] : answer;
    };
    for (const bad of [[1, 0, 1], [-1, 0, 1], [0, -1, 1], [0, 0, 9], [0, 8, 1], [0, 0, -1]]) {
      equal(one(segments(...bad), [new Uint8Array(8)]), EINVAL);
    }
    equal(one(segments(0, 0, 1), ['x']), EINVAL);
    equal(one(segments(0, 0, 1), [new Int32Array(8)]), EINVAL);
    equal(one(segments(0, 0, 1), Array(257).fill(slots)), EINVAL);
    equal(one(segments(0, 0, 1), [detached()]), EINVAL);

    // A getter that takes the memory of its neighbours away.
    const victim = new Uint8Array(8);
    const thief = [victim, null];
    Object.defineProperty(thief, 1, { get() {
      structuredClone(victim.buffer, { transfer: [victim.buffer] });
      return new Uint8Array(8);
    } });
    equal(one(segments(0, 0, 8), thief), EINVAL);

    equal(addon.close(fd), 0);
    equal(addon.close(fd), -9);
    console.log('fine');
  `);
  expect({ code, signal, stderr }).toEqual({ code: 0, signal: null, stderr: '' });
  expect(stdout).toBe('fine\n');
});
