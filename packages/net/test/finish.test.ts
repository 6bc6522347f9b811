// `finish`: a listener or a socket closes when it has taken what the system had for it, and nothing
// that was accepted on its behalf is lost. And listeners on a socket that somebody else has opened.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TcpListener, TcpStream, UdpSocket } from '@pollux/net';
import { close as closeFd, isCloexec, pipe, tcpSocket, unixListener } from '@pollux/testkit';
import { expect, test, vi } from 'vitest';
import { native } from '../dist/native.js';
import { catchUncaught, onEveryReactor, record } from './support.js';

const address = '127.0.0.1';

function thrownBy(action: () => unknown): Error & { code?: string; syscall?: string } {
  try {
    action();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

onEveryReactor((bench) => {
  /** Connections that the kernel has made; the reactor has not been turned since the first. */
  function connected(port: number, count: number): { answers: string[]; errors: unknown[] } {
    const seen = { answers: [] as string[], errors: [] as unknown[] };
    for (let n = 0; n < count; n++) {
      const stream = TcpStream.connect(bench().reactor, { address, port });
      bench().track(stream);
      stream.on('data', (data) => seen.answers.push(`${data}`));
      stream.on('error', (error) => seen.errors.push(error));
      stream.write(`${n}`);
    }
    return seen;
  }

  const numbers = (count: number) => Array.from({ length: count }, (_, n) => `${n}`);
  const sorted = (texts: string[]) => [...texts].sort((a, b) => Number(a) - Number(b));

  test('TCP: all that wait to be accepted are handed out, then it closes', async () => {
    // More than one callback accepts.
    const count = 300;
    const listener = bench().listen({ backlog: 1024 });
    const events = record(listener, 'close', 'error');
    listener.on('connection', (stream) => {
      expect(listener.closed).toBe(false);
      stream.on('data', (data) => stream.end(data));
    });
    const { answers, errors } = connected(listener.address().port, count);
    listener.finish(0);
    listener.finish();
    await bench().until(() => listener.closed && answers.length === count, 'answers');
    await bench().idle(5);
    expect([sorted(answers), errors, events]).toEqual([numbers(count), [], [['close']]]);
  });

  test('TCP: from then on no connection begins, here or refused after a while', async () => {
    const listener = bench().listen();
    let accepted = 0;
    listener.on('connection', () => accepted++);
    listener.finish(50);
    const { port } = listener.address();
    const late = bench().track(TcpStream.connect(bench().reactor, { address, port }));
    const events = record(late, 'connect', 'error', 'close');
    await bench().until(() => listener.closed, 'close');
    expect([late.connecting, events]).toEqual([true, []]);
    // The kernel tries again a second later.
    await bench().until(() => late.destroyed, 'refusal');
    await bench().idle(5);
    expect(events).toMatchObject([
      ['error', { code: 'ECONNREFUSED' }],
      ['close', true],
    ]);
    expect(accepted).toBe(0);
  });

  test('TCP: without socket filters, what comes while another is handed out is taken too', async () => {
    const noFilters = vi.spyOn(native, 'stopInput').mockReturnValue(-1);
    try {
      const listener = bench().listen();
      const { port } = listener.address();
      const seen = [connected(port, 1)];
      listener.on('connection', (stream) => {
        stream.on('data', (data) => stream.end(data));
        if (seen.length < 4) seen.push(connected(port, 1)); // made at once, on the loopback
      });
      listener.finish(0.5);
      await bench().until(() => listener.closed, 'close');
      await bench().until(() => seen.every(({ answers }) => answers.length === 1), 'answers');
      expect(seen.flatMap(({ errors }) => errors)).toEqual([]);
      expect(noFilters).toHaveBeenCalledOnce();
    } finally {
      noFilters.mockRestore();
    }
  });

  test('TCP: a listener of connections that throws costs the others nothing', async () => {
    const uncaught = catchUncaught();
    try {
      const listener = bench().listen();
      listener.on('connection', (stream) => {
        stream.on('data', (data) => stream.end(data));
        throw new Error('thrown');
      });
      const { answers } = connected(listener.address().port, 40);
      listener.finish(0);
      await bench().until(() => listener.closed && answers.length === 40, 'answers');
      expect(uncaught.errors).toHaveLength(40);
    } finally {
      uncaught.restore();
    }
  });

  test('TCP: close() in the middle ends it, and it holds the reactor unless unref’d', async () => {
    const { reactor } = bench();
    const listener = bench().listen();
    listener.unref();
    listener.finish(60_000);
    expect(reactor.alive).toBe(false);
    listener.ref();
    expect(reactor.alive).toBe(true);
    listener.close();
    listener.finish();
    await bench().until(() => !reactor.alive, 'the last deferred call');
  });

  test('UDP: all that was received is answered, then it closes', async () => {
    const server = bench().track(UdpSocket.bind(bench().reactor, { address }));
    const client = bench().track(UdpSocket.connect(bench().reactor, server.address()));
    const events = record(server, 'close', 'error');
    const answers: string[] = [];
    client.on('message', (data) => answers.push(`${data}`));
    let held = 0;
    server.on('message', (data, peer) => {
      if (++held === 1) server.finish();
      // After a promise, as a server that looks something up.
      Promise.resolve().then(() => server.send(data, peer));
    });
    // More than one batch, less than the system's buffer.
    for (let n = 0; n < 150; n++) client.send(`${n}`);
    await bench().until(() => server.closed, 'close');
    await bench().until(() => answers.length === 150, 'answers');
    await bench().idle(5);
    expect([sorted(answers), events]).toEqual([numbers(150), [['close']]]);
    server.finish();
  });

  test('UDP: a listener that throws costs no other datagram', async () => {
    const uncaught = catchUncaught();
    try {
      const server = bench().track(UdpSocket.bind(bench().reactor, { address }));
      const client = bench().track(UdpSocket.connect(bench().reactor, server.address()));
      const answers: string[] = [];
      client.on('message', (data) => answers.push(`${data}`));
      server.on('message', (data, peer) => {
        server.send(data, peer);
        throw new Error('thrown');
      });
      for (let n = 0; n < 50; n++) client.send(`${n}`);
      server.finish();
      await bench().until(() => server.closed && answers.length === 50, 'answers');
      expect(uncaught.errors).toHaveLength(50);
    } finally {
      uncaught.restore();
    }
  });

  test('UDP: a flood does not keep it', async () => {
    const server = bench().track(UdpSocket.bind(bench().reactor, { address }));
    const own = server.address();
    let messages = 0;
    server.on('message', (data) => {
      messages++;
      server.send(data, own);
    });
    for (let n = 0; n < 150; n++) server.send('round and round', own);
    server.finish();
    await bench().until(() => server.closed, 'close');
    expect(messages).toBeGreaterThan(150);
  });

  test('a socket of somebody else’s: each listener closes its own descriptor', async () => {
    const first = bench().listen();
    const { port } = first.address();
    const second = bench().track(TcpListener.listen(bench().reactor, { fd: first.fd }));
    expect(second.fd).not.toBe(first.fd);
    expect([second.address(), isCloexec(second.fd)]).toEqual([first.address(), true]);
    const accepted: TcpListener[] = [];
    for (const listener of [first, second]) {
      listener.on('connection', (stream) => {
        accepted.push(listener);
        bench()
          .track(stream)
          .on('data', (data) => stream.end(data));
      });
    }
    const before = connected(port, 5);
    await bench().until(() => before.answers.length === 5, 'answers');
    first.close();
    accepted.length = 0;
    const after = connected(port, 5);
    await bench().until(() => after.answers.length === 5, 'answers');
    expect(accepted).toEqual(Array(5).fill(second));
    expect([...before.errors, ...after.errors]).toEqual([]);
    second.finish(0);
    await bench().until(() => second.closed, 'close');
  });

  test('exclusive: for backends that have it', async () => {
    const { reactor } = bench();
    const listen = () => TcpListener.listen(reactor, { address, exclusive: true });
    if (reactor.poller.capabilities.exclusive) {
      const listener = bench().track(listen());
      let accepted = 0;
      listener.on('connection', (stream) => {
        accepted++;
        stream.destroy();
      });
      connected(listener.address().port, 3);
      await bench().until(() => accepted === 3, 'connections');
    } else {
      expect(thrownBy(listen).code).toBe('ERR_POLLUX_UNSUPPORTED');
    }
  });

  test('refused', () => {
    const { reactor } = bench();
    const listener = bench().listen();
    const [reader] = pipe().map((fd) => bench().track(closing(fd)).fd);
    const unbound = bench().track(closing(tcpSocket())).fd;
    const directory = mkdtempSync(join(tmpdir(), 'finish-'));
    const unix = bench().track(closing(unixListener(join(directory, 'socket')))).fd;
    rmSync(directory, { recursive: true });
    const listen = (options: object) =>
      thrownBy(() => TcpListener.listen(reactor, options as never));
    expect(listen({ fd: 999_999 })).toMatchObject({ code: 'EBADF', fd: 999_999 });
    expect(listen({ fd: reader })).toMatchObject({
      code: 'ENOTSOCK',
      syscall: 'getsockopt',
      fd: reader,
    });
    for (const fd of [unbound, unix]) expect(listen({ fd }).code).toBe('ERR_INVALID_ARG_VALUE');
    expect(listen({ fd: -1 }).code).toBe('ERR_OUT_OF_RANGE');
    expect(listen({ fd: '1' }).code).toBe('ERR_INVALID_ARG_TYPE');
    for (const beside of ['address', 'port', 'backlog', 'reusePort', 'ipv6Only']) {
      const error = listen({ fd: listener.fd, [beside]: 1 });
      expect(error.message).toContain(`"options.${beside}"`);
    }
    expect(listen({ address, exclusive: 1 }).code).toBe('ERR_INVALID_ARG_TYPE');
    expect(thrownBy(() => listener.finish(-1)).code).toBe('ERR_OUT_OF_RANGE');
    expect(thrownBy(() => listener.finish(Number.NaN)).code).toBe('ERR_OUT_OF_RANGE');
    expect(thrownBy(() => listener.finish('1' as never)).code).toBe('ERR_INVALID_ARG_TYPE');
    listener.close();
    expect(listener.fd).toBe(-1);
  });
});

function closing(fd: number): { fd: number; [Symbol.dispose](): void } {
  return { fd, [Symbol.dispose]: () => closeFd(fd) };
}
