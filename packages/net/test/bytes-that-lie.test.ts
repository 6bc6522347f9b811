// Things that look like bytes and are none, or other than they say: refused where they are given, and
// no neighbour's bytes are touched. What another realm (node:vm) has made is as good as ours.
import { runInNewContext } from 'node:vm';
import { UdpSocket, UnixDatagramSocket } from '@pollux/net';
import { expect, test } from 'vitest';
import { onEveryReactor, record } from './support.js';
import { pairOf } from './unix-support.js';

const none: Record<string, () => unknown> = {
  'an object that inherits': () => Object.create(Uint8Array.prototype),
  'one with a length and a buffer': () =>
    Object.create(Uint8Array.prototype, { length: { value: 10_000 }, buffer: { value: {} } }),
  'a proxy': () => new Proxy(new Uint8Array(10_000), {}),
  'a Uint16Array': () => new Uint16Array(10_000),
  'an ArrayBuffer': () => new ArrayBuffer(10_000),
};

onEveryReactor((bench) => {
  test.each(Object.entries(none))('%s', async (_, make) => {
    const { reactor } = bench();
    const [first, second] = pairOf(bench());
    const [other, receiver] = pairOf(bench());
    const udp = bench().track(UdpSocket.bind(reactor, { address: '127.0.0.1' }));
    const [unix, peer] = UnixDatagramSocket.pair(reactor);
    bench().track(unix);
    bench().track(peer);
    const arrivals = record(second, 'data');
    const messages = [...record(udp, 'message'), ...record(peer, 'message')];
    const bad = make() as Uint8Array;
    const refusal = expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' });
    expect(() => first.write(bad)).toThrow(refusal);
    expect(() => first.writeSlice(bad, 0, 1)).toThrow(refusal);
    expect(() => first.writev(['x', bad])).toThrow(refusal);
    expect(() => first.end(bad)).toThrow(refusal);
    expect(() => first.sendFds(bad, [0])).toThrow(refusal);
    expect(() => udp.send(bad, udp.address())).toThrow(refusal);
    expect(() => udp.sendSlice(bad, 0, 1, udp.address())).toThrow(refusal);
    expect(() => udp.sendSegments(bad, 1, udp.address())).toThrow(refusal);
    expect(() => unix.send(bad)).toThrow(refusal);
    expect(() => unix.sendFds(bad, [0])).toThrow(refusal);
    const got = record(receiver, 'data');
    other.write('y');
    await bench().until(() => got.length === 1, 'the neighbour');
    expect([...arrivals, ...messages]).toEqual([]);
    expect([first.destroyed, other.destroyed]).toEqual([false, false]);
  });

  test('longer than they say: a send that throws sends nothing', async () => {
    const { reactor } = bench();
    const udp = bench().track(UdpSocket.bind(reactor, { address: '127.0.0.1' }));
    const messages = record(udp, 'message');
    const bytes = Buffer.alloc(1_000_000);
    Object.defineProperty(bytes, 'length', { value: 5 });
    expect(() => udp.send(bytes, udp.address())).toThrow(RangeError);
    udp.send('after', udp.address());
    await bench().until(() => messages.length > 0, 'a message');
    await bench().idle();
    expect(messages.map(([, data]) => String(data))).toEqual(['after']);
  });

  test("another realm's are fine", async () => {
    const { reactor } = bench();
    const bytes = runInNewContext('new Uint8Array([104, 105])') as Uint8Array;
    expect(bytes instanceof Uint8Array).toBe(false);
    const [first, second] = pairOf(bench());
    const udp = bench().track(UdpSocket.bind(reactor, { address: '127.0.0.1' }));
    const data = record(second, 'data');
    const messages = record(udp, 'message');
    first.write(bytes);
    udp.send(bytes, udp.address());
    await bench().until(() => data.length + messages.length === 2, 'both');
    expect([...data, ...messages].map(([, each]) => String(each))).toEqual(['hi', 'hi']);
  });
});
