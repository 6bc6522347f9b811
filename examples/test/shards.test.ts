// The sharded server under load: every worker serves, and when SIGTERM drains it in the middle of the
// load, every connection that was made and every datagram that was received gets its answer.
import dgram from 'node:dgram';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { backends, commandFor, start } from './support.js';

const WORKERS = 3;
const CHAINS = 30;
const DATAGRAMS = 90;
const host = '127.0.0.1';
const everyone = Array.from({ length: WORKERS }, (_, name) => `${name}`);
const left = new Set<dgram.Socket>();

afterEach(() => {
  for (const socket of left) socket.close();
  left.clear();
});

/** One connection: the name of the worker that answered, or how it failed. */
function askTcp(port: number, question: string): Promise<string> {
  return new Promise((resolve) => {
    let connected = false;
    let answer = '';
    const socket = net.connect({ host, port });
    socket.setEncoding('latin1').on('connect', () => {
      connected = true;
      socket.write(`${question}\n`);
    });
    socket.on('data', (text) => {
      answer += text;
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (!connected && error.code === 'ECONNREFUSED') resolve('refused');
      else resolve(`lost: ${error.code}, ${connected ? 'connected' : 'never connected'}`);
    });
    socket.on('end', () => {
      const [, name, text] = /^(\d+) (.*)\n$/.exec(answer) ?? [];
      resolve(text === question ? (name as string) : `lost: answered '${answer}'`);
    });
  });
}

/** One that goes on talking after its answer, and resolves when it is gone. */
function chatter(port: number): Promise<unknown> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port }, () => socket.write('first\n'));
    socket.on('data', () => socket.write('second\n'));
    socket.on('error', () => {}).on('close', resolve); // it may well be reset
  });
}

/** Clients one after the other, until one is refused. */
class TcpLoad {
  readonly served: string[] = [];
  readonly lost: string[] = [];
  readonly done: Promise<unknown>;
  pauseMs = 0;

  constructor(port: number) {
    this.done = Promise.all(Array.from({ length: CHAINS }, (_, chain) => this.#run(port, chain)));
  }

  async #run(port: number, chain: number): Promise<void> {
    for (let n = 0; ; n++) {
      const outcome = await askTcp(port, `${chain}/${n}`);
      if (outcome === 'refused') return;
      if (outcome.startsWith('lost')) this.lost.push(outcome);
      else this.served.push(outcome);
      await sleep(this.pauseMs);
    }
  }
}

/** Clients that send a datagram each, and note who answered. */
class UdpLoad {
  readonly served: string[] = [];
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  /** Resolves when the kernel has them all. */
  async send(count: number): Promise<void> {
    const sent: Promise<unknown>[] = [];
    for (let n = 0; n < count; n++) {
      const socket = dgram.createSocket('udp4');
      left.add(socket);
      socket.on('message', (data) => this.served.push(`${data}`.split(' ')[0] as string));
      sent.push(new Promise((resolve) => socket.send(`${n}`, this.#port, host, resolve)));
    }
    await Promise.all(sent);
  }

  async answered(count: number): Promise<void> {
    for (let tries = 0; this.served.length < count && tries < 1000; tries++) await sleep(5);
    expect(this.served).toHaveLength(count);
  }
}

const seen = (names: string[]): string[] => [...new Set(names)].sort();

describe.each(backends)('%s', (backend) => {
  test.each([
    ['a listener each', []],
    ['one listener', ['--shared']],
  ])('%s: everybody serves, and the drain loses nothing', async (kind, options) => {
    const server = start(
      commandFor('shards', '--workers', `${WORKERS}`, '--port', '0', ...options),
      { env: { POLLUX_BACKEND: backend } },
    );
    const ready = /^3 workers on tcp 127\.0\.0\.1:(\d+) and udp 127\.0\.0\.1:(\d+), (.*);/;
    const [, tcpPort, udpPort, told] = await server.until(ready);
    expect(told).toBe(kind);

    const udp = new UdpLoad(Number(udpPort));
    await udp.send(DATAGRAMS);
    await udp.answered(DATAGRAMS);
    // The kernel goes by the client's port: that all of 90 go to two of three is no chance.
    expect(seen(udp.served)).toEqual(everyone);

    await chatter(Number(tcpPort));
    const tcp = new TcpLoad(Number(tcpPort));
    while (seen(tcp.served).length < WORKERS) await sleep(5);
    tcp.pauseMs = 3;
    await sleep(100);

    await udp.send(DATAGRAMS);
    server.child.kill('SIGTERM');
    await udp.answered(2 * DATAGRAMS);
    await tcp.done;
    expect(tcp.lost).toEqual([]);

    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(server.output.stderr).toBe('');
    const reports = /worker \d served (\d+) connections, (\d+) datagrams/g;
    const sums = [0, 0];
    for (const [, connections, datagrams] of server.output.stdout.matchAll(reports)) {
      sums[0] = (sums[0] ?? 0) + Number(connections);
      sums[1] = (sums[1] ?? 0) + Number(datagrams);
    }
    expect(sums).toEqual([tcp.served.length + 1, 2 * DATAGRAMS]);
  });
});
