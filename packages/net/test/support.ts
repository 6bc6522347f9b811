// The table that the tests of this package run over, backend x mode, and what they have in common:
// a reactor that is turned while a test waits, and a look at the descriptors when it is over.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setImmediate as nextLoop, setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createPoller, Reactor } from '@pollux/core';
import { TcpListener, type TcpListenOptions, TcpStream, type TcpStreamOptions } from '@pollux/net';
import { openFds, passOnLacking } from '@pollux/testkit';
import { backends } from '@pollux/testkit/conformance';
import { afterEach, beforeEach, describe, expect } from 'vitest';

const modes = ['attached', 'blocking'] as const;
/** The best of an attached reactor's drivers for each backend. */
function driverOf(backend: string): string {
  using poller = createPoller({ backend, ignoreEnvironment: true });
  return poller.drivers[0]!;
}
const TIMEOUT_MS = 10_000;

/** One test's reactor. */
export class Bench {
  readonly reactor: Reactor;
  readonly #resources: { [Symbol.dispose](): void }[] = [];

  constructor(backend: string, mode: 'attached' | 'blocking') {
    this.reactor = new Reactor({ backend, mode });
    expect(this.reactor.backend).toBe(backend);
    expect(this.reactor.driver).toBe(mode === 'blocking' ? 'blocking' : driverOf(backend));
  }

  /** Closes it when the test is over. */
  track<T extends { [Symbol.dispose](): void }>(resource: T): T {
    this.#resources.push(resource);
    return resource;
  }

  /** A listener on the loopback; it and its streams are closed when the test is over. */
  listen(options: TcpListenOptions = {}): TcpListener {
    const address = '127.0.0.1';
    const listener = this.track(TcpListener.listen(this.reactor, { address, ...options }));
    return listener.on('connection', (stream) => {
      this.track(stream);
    });
  }

  /** Two ends of one connection: ours, and the one that a listener of ours accepted. */
  async pair(
    options: TcpStreamOptions = {},
  ): Promise<{ client: TcpStream; server: TcpStream; listener: TcpListener }> {
    const listener = this.listen(options);
    const { port } = listener.address();
    const client = this.track(
      TcpStream.connect(this.reactor, { address: '127.0.0.1', port, ...options }),
    );
    let server: TcpStream | undefined;
    listener.on('connection', (stream) => {
      server = stream;
    });
    await this.until(() => server !== undefined && !client.connecting, 'connection');
    return { client, server: server as TcpStream, listener };
  }

  /** Turns the reactor, and Node's own loop, until it is so. */
  async until(condition: () => boolean, what: string): Promise<void> {
    const deadline = performance.now() + TIMEOUT_MS;
    while (!condition()) {
      if (performance.now() > deadline) throw new Error(`still waiting for ${what}`);
      await this.turn();
    }
  }

  /** Turns it for a while, and some times however long one turn takes, to see that nothing more happens. */
  async idle(ms = 30): Promise<void> {
    const end = performance.now() + ms;
    for (let turns = 0; turns < 5 || performance.now() < end; turns++) await this.turn();
  }

  /** Turns it until its waits have ended anew, so that what has happened by now is told. */
  async caughtUp(): Promise<void> {
    // The first may end with a wait that was over before, on a thread that stood still.
    for (let waits = 0; waits < 2; waits++) {
      let over = false;
      this.reactor.timer(1, () => {
        over = true;
      });
      await this.until(() => over, 'a timer');
    }
  }

  async turn(): Promise<void> {
    if (this.reactor.mode === 'blocking' && !this.reactor.closed) this.reactor.turn(1);
    else await sleep(1);
    await nextLoop();
  }

  dispose(): void {
    for (const resource of this.#resources) resource[Symbol.dispose]();
    this.reactor.close();
  }
}

/** Runs a suite once for each backend and mode. */
export function onEveryReactor(suite: (bench: () => Bench) => void): void {
  for (const backend of backends) {
    for (const mode of modes) {
      describe(`${backend}, ${mode}`, () => {
        let bench: Bench;
        let before: number[];
        beforeEach(() => {
          before = openFds();
          bench = new Bench(backend, mode);
        });
        afterEach(async () => {
          bench.dispose();
          await settled(before);
        });
        suite(() => bench);
      });
    }
  }
}

/** Waits until no descriptor is open that was not before; sockets of Node's own close a bit later. */
async function settled(before: readonly number[]): Promise<void> {
  const leaked = () => openFds().filter((fd) => !before.includes(fd));
  const deadline = performance.now() + 2_000;
  while (leaked().length > 0 && performance.now() < deadline) await sleep(2);
  expect(leaked()).toEqual([]);
}

/** Every event of the given names, in order, as [name, ...arguments]. */
export function record(
  emitter: { on(event: string, listener: (...args: unknown[]) => void): unknown },
  ...names: string[]
): unknown[][] {
  const events: unknown[][] = [];
  for (const name of names) emitter.on(name, (...args) => events.push([name, ...args]));
  return events;
}

/** Bytes that show where each came from: no two 64 KiB pieces are alike. */
export function pattern(length: number, seed = 0): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = (seed + 1) * 2_654_435_761;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** Takes what nobody caught instead of vitest, until `restore`. */
export function catchUncaught(): { readonly errors: unknown[]; restore(): void } {
  const errors: unknown[] = [];
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => errors.push(error));
  return {
    errors,
    restore() {
      process.removeAllListeners('uncaughtException');
      for (const other of others) process.on('uncaughtException', other);
    },
  };
}

/** Runs a program of its own, an ES module, and tells what it printed and how it ended. */
export async function runChild(
  code: string,
  wrap: (command: string[]) => string[] = (command) => command,
): Promise<{ stdout: string; stderr: string; code: number | null; signal: string | null }> {
  const command = wrap([process.execPath, '--input-type=module', '-e', code]);
  const child = spawn(command[0] as string, command.slice(1), {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 15_000,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  const [ended, signal] = await once(child, 'close').catch((error) => {
    passOnLacking(String(error)); // the tool that was to start it
    throw error;
  });
  passOnLacking(stderr);
  return { stdout, stderr, code: ended, signal };
}
