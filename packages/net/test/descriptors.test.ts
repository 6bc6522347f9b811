// Descriptors: close-on-exec and nonblocking, ours alone to use, and closed with their environment.
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { TcpListener, TcpStream, UdpSocket } from '@pollux/net';
import { isCloexec, isNonblocking, openFds } from '@pollux/testkit';
import { describe, expect, test } from 'vitest';
import { native } from '../dist/native.js';
import { onEveryReactor } from './support.js';

interface Addon {
  close(fd: number): number;
  shutdownWrite(fd: number): number;
  read(fds: Int32Array, count: number, most: number, slab: Uint8Array, out: Int32Array): number;
}

const addon = native as Addon;

onEveryReactor((bench) => {
  test('all are close-on-exec and nonblocking', async () => {
    const before = openFds();
    const { reactor } = bench();
    await bench().pair();
    const udp = bench().track(UdpSocket.bind(reactor, { address: '::1' }));
    const { port } = udp.address();
    bench().track(UdpSocket.connect(reactor, { address: '::1', port }));
    // Attached, a reactor's thread may have opened something of its own by now.
    const ours = openFds().filter((fd) => !before.includes(fd));
    expect(ours.length).toBeGreaterThanOrEqual(5);
    expect(ours.filter((fd) => !isCloexec(fd))).toEqual([]);
    expect(ours.filter((fd) => !isNonblocking(fd))).toEqual([]);
  });

  test('refused binds, connects and options leave none open', async () => {
    const { reactor } = bench();
    const { address, port } = bench().listen().address();
    const before = openFds();
    for (let i = 0; i < 20; i++) {
      expect(() => TcpListener.listen(reactor, { address, port })).toThrow();
      expect(() => UdpSocket.bind(reactor, { address: '203.0.113.1' })).toThrow();
      expect(() =>
        UdpSocket.connect(reactor, { address: '127.0.0.1', port, localAddress: '203.0.113.1' }),
      ).toThrow();
      const closed = TcpStream.connect(reactor, { address: '127.0.0.1', port: 1 });
      closed.on('error', () => {});
      await bench().until(() => closed.destroyed, 'the refusal');
    }
    expect(openFds()).toEqual(before);
  });
});

describe('the set of owned descriptors', () => {
  test('a descriptor of somebody else is refused, whatever the verb', () => {
    const EBADF = -9;
    for (const fd of [0, 1, 2, ...openFds(), 1_000_000, -1]) {
      expect(addon.close(fd)).toBe(EBADF);
      expect(addon.shutdownWrite(fd)).toBe(EBADF);
      const out = new Int32Array(2);
      expect(addon.read(Int32Array.of(fd), 1, 10, new Uint8Array(10), out)).toBe(1);
      expect(out[1]).toBe(EBADF);
    }
  });

  for (const end of ['by itself', 'by process.exit', 'by terminate'] as const) {
    test(`a worker that ends ${end} leaves none open`, async () => {
      const code = `
        const { parentPort } = require('node:worker_threads');
        (async () => {
          const { Reactor } = await import('@pollux/core');
          const { TcpListener, TcpStream, UdpSocket } = await import('@pollux/net');
          const reactor = new Reactor({ mode: ${end === 'by terminate'} ? 'blocking' : 'attached' });
          const address = '127.0.0.1';
          for (let i = 0; i < 40; i++) {
            const udp = UdpSocket.bind(reactor, { address });
            if (${end === 'by itself'}) udp.unref();
          }
          const listener = TcpListener.listen(reactor, { address });
          const stream = TcpStream.connect(reactor, listener.address());
          listener.on('connection', () => {
            parentPort.postMessage('ready');
            if (${end === 'by process.exit'}) process.exit(0);
            if (${end === 'by itself'}) { listener.unref(); stream.unref(); }
          });
          if (reactor.mode === 'blocking') for (;;) reactor.turn();
        })();
      `;
      // The first worker also opens what Node opens only once.
      let before: number[] = [];
      for (let round = 0; round < 3; round++) {
        if (round === 1) before = openFds();
        const file = new URL('worker.cjs', import.meta.url);
        const worker = new Worker(code, { eval: true, name: fileURLToPath(file) });
        const ended = new Promise((resolve, reject) => {
          worker.on('exit', resolve);
          worker.on('error', reject);
        });
        if (end === 'by terminate') {
          await new Promise((resolve) => worker.once('message', resolve));
          await worker.terminate();
        }
        await ended;
      }
      expect(openFds()).toEqual(before);
    });
  }
});
