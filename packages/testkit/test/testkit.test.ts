// Each helper does on the real system what its line of documentation says: the suites above are only
// as good as this.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import * as kit from '@pollux/testkit';
import { expectOpenFds } from '@pollux/testkit/conformance';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

let fds: kit.FdScope;
let directory: string;
const path = (name: string): string => join(directory, name);
const poll = (fd: number, timeoutMs = 0): readonly kit.PollName[] =>
  kit.kernelPoll([fd], ['in', 'out', 'pri', 'rdhup'], timeoutMs)[0]!;
const text = (fd: number): string | undefined => kit.read(fd)?.toString();
const failure = (code: string, syscall: string): unknown =>
  expect.objectContaining({ code, syscall, errno: expect.any(Number) });

/** Makes what may be forbidden here; the test ends quietly then, but for any other reason fails. */
function allowed(make: () => number, ...codes: string[]): number | undefined {
  try {
    return fds.track(make());
  } catch (error) {
    expect(codes).toContain((error as NodeJS.ErrnoException).code);
    return undefined;
  }
}

let before: number[];
beforeEach(() => {
  before = kit.openFds();
  fds = new kit.FdScope();
  directory = mkdtempSync(join(tmpdir(), 'testkit-'));
});
afterEach(() => {
  fds.closeAll();
  rmSync(directory, { recursive: true });
  expectOpenFds(before);
});

describe('descriptors', () => {
  test('all are close-on-exec and nonblocking', () => {
    const { master, slave } = kit.pty();
    const { reader, writer } = kit.fifo(path('fifo'));
    const made = [
      ...[kit.pipe(), kit.socketpair(), kit.tcpPair(), [master, slave, reader, writer]].flat(),
      ...[kit.tcpListener(), kit.udpSocket()].map(({ fd }) => fd),
      ...[kit.tcpSocket(), kit.refusedConnect(), kit.eventfd(), kit.timerfd(0), kit.devNull()],
      ...[kit.inotify(directory), kit.netlinkSocket(), kit.unixListener(path('unix'))],
      ...[kit.unixDgram(), kit.unixDgram(path('dgram')), kit.unixConnect(path('unix'))],
    ];
    fds.trackAll(made);
    fds.trackAll([kit.memfd(), kit.nestedEpoll(), kit.pidfd(process.pid)]);
    expect(made.filter((fd) => !kit.isNonblocking(fd))).toEqual([]);
    const own = kit.openFds().filter((fd) => !before.includes(fd));
    expect(own).toHaveLength(made.length + 3);
    expect(own.filter((fd) => !kit.isCloexec(fd))).toEqual([]);
    kit.setNonblocking(made[0]!, false);
    expect(kit.isNonblocking(made[0]!)).toBe(false);
  });

  test('read tells nothing yet from end of file, write and fill tell a full pipe', () => {
    const [reader, writer] = fds.trackAll(kit.pipe());
    expect(kit.read(reader)).toBeNull();
    expect(kit.write(writer, 'hello')).toBe(5);
    expect(kit.read(reader, 2)?.toString()).toBe('he');
    expect(text(reader)).toBe('llo');
    const full = kit.fill(writer);
    expect(full).toBe(65_536);
    expect(() => kit.write(writer, 'x')).toThrow(failure('EAGAIN', 'write'));
    expect(kit.drain(reader)).toBe(full);
    kit.close(writer);
    expect(kit.read(reader)).toHaveLength(0);
  });

  test('fill and drain end on every kind', () => {
    const [client, server] = fds.trackAll(kit.tcpPair());
    const [near, far] = fds.trackAll(kit.socketpair('dgram'));
    kit.fill(client);
    kit.fill(near);
    expect(poll(client)).not.toContain('out');
    expect(poll(near)).not.toContain('out');
    expect(kit.drain(server)).toBeGreaterThan(0);
    expect(kit.drain(far)).toBeGreaterThan(0);
    expect(() => kit.fill(fds.track(kit.eventfd()))).toThrow(failure('EINVAL', 'write'));
    expect(() => kit.fill(fds.track(kit.devNull()))).toThrow(failure('EFBIG', 'write'));
    kit.setNonblocking(client, false);
    expect(() => kit.fill(client)).toThrow(failure('EINVAL', 'write'));
  });

  test('dup, dupTo and dup2 share the open file', () => {
    const [reader, writer] = fds.trackAll(kit.pipe());
    const high = fds.track(kit.dupTo(writer, 500));
    expect(high).toBeGreaterThanOrEqual(500);
    const other = fds.track(kit.eventfd());
    expect(kit.dup2(writer, other)).toBe(other);
    const copies = [high, other, fds.track(kit.dup(writer))];
    for (const fd of copies) kit.write(fd, 'x');
    expect(text(reader)).toBe('xxx');
    expect(copies.every(kit.isCloexec)).toBe(true);
  });

  test('openFile, openTty and devNull open, and errors carry code, errno and syscall', () => {
    writeFileSync(path('file'), 'content');
    expect(text(fds.track(kit.openFile(path('file'))))).toBe('content');
    const made = fds.track(kit.openFile(path('new'), constants.O_CREAT | constants.O_WRONLY));
    expect(kit.write(made, 'x')).toBe(1);
    expect(kit.read(fds.track(kit.devNull()))).toHaveLength(0);
    expect(() => kit.openFile(path('none'))).toThrow(failure('ENOENT', 'open'));
    expect(() => kit.mkfifo(path('file'))).toThrow(failure('EEXIST', 'mkfifo'));
    expect(() => kit.close(9999)).toThrow(failure('EBADF', 'close'));
  });

  test('fifo opens both ends of a named pipe', () => {
    const { reader, writer } = kit.fifo(path('fifo'));
    fds.trackAll([reader, writer]);
    kit.write(writer, 'x');
    expect(text(reader)).toBe('x');
  });

  test('kernelPoll names what poll(2) says', () => {
    const [reader, writer] = fds.trackAll(kit.pipe());
    expect(kit.kernelPoll([reader, writer, 9999], ['in', 'out'])).toEqual([[], ['out'], ['nval']]);
    kit.close(writer);
    expect(poll(reader)).toEqual(['hup']);
  });

  test('junk is refused before any system call', () => {
    for (const junk of [NaN, 1.5, 2 ** 32, 'x', undefined, null, {}]) {
      expect(() => kit.close(junk as number)).toThrow(failure('EINVAL', 'close'));
    }
    expect(() => kit.openFile('a\0b')).toThrow(failure('EINVAL', 'open'));
    expect(() => kit.openFile('x'.repeat(5000))).toThrow(failure('EINVAL', 'open'));
    expect(() => kit.write(0, new Uint16Array(1) as never)).toThrow(failure('EINVAL', 'write'));
  });
});

describe('openFds', () => {
  test('does not count a file that another thread has open for a moment', async () => {
    const code = `
      const { closeSync, openSync } = require('node:fs');
      const { parentPort } = require('node:worker_threads');
      const still = new Int32Array(new SharedArrayBuffer(4));
      for (;;) {
        const fd = openSync(process.execPath);
        parentPort.postMessage(fd);
        Atomics.wait(still, 0, 0, 10);
        closeSync(fd);
        Atomics.wait(still, 0, 0, 20);
      }`;
    const worker = new Worker(code, { eval: true });
    try {
      for (let n = 0; n < 20; n++) {
        const [fd] = await once(worker, 'message');
        expect(kit.openFds()).not.toContain(fd);
      }
    } finally {
      await worker.terminate();
    }
  });

  test('counts one that stays', () => {
    const fd = fds.track(openSync(process.execPath, 'r'));
    expect(kit.openFds()).toContain(fd);
  });
});

describe('FdScope', () => {
  test('closes what is left, once, and forgets what was closed by hand', () => {
    const scope = new kit.FdScope();
    const [reader, writer] = scope.trackAll(kit.pipe());
    kit.close(reader);
    const reused = fds.track(kit.eventfd());
    expect(reused).toBe(reader);
    scope.closeAll();
    scope.closeAll();
    expect(kit.openFds()).toContain(reused);
    expect(kit.openFds()).not.toContain(writer);
  });

  test('closes at the end of a block', () => {
    let fd: number;
    {
      using scope = new kit.FdScope();
      fd = scope.trackFd(kit.udpSocket()).fd;
      expect(kit.openFds()).toContain(fd);
    }
    expect(kit.openFds()).not.toContain(fd);
  });
});

describe('sockets', () => {
  test('socketpair makes each type', () => {
    for (const type of ['stream', 'dgram', 'seqpacket'] as const) {
      const [near, far] = fds.trackAll(kit.socketpair(type));
      kit.write(near, 'ab');
      kit.write(near, 'c');
      expect(text(far)).toBe(type === 'stream' ? 'abc' : 'ab');
    }
    expect(() => kit.socketpair('raw' as 'dgram')).toThrow(failure('EINVAL', 'socketpair'));
  });

  test('tcpPair is connected, and shutdown closes one direction', () => {
    const [client, server] = fds.trackAll(kit.tcpPair());
    expect(poll(client)).toEqual(['out']);
    kit.write(client, 'ping');
    expect(poll(server, 1000)).toEqual(['in', 'out']);
    expect(text(server)).toBe('ping');
    kit.shutdown(client, 'write');
    expect(kit.kernelPoll([server], ['rdhup'], 1000)).toEqual([['rdhup']]);
    kit.shutdown(server, 'both');
    expect(kit.kernelPoll([client], [], 1000)).toEqual([['hup']]);
  });

  test('connectNarrow makes a connection that is soon full', () => {
    const { fd, port } = fds.trackFd(kit.tcpListener());
    fds.track(kit.connectNarrow(port));
    expect(poll(fd, 1000)).toEqual(['in']);
    const narrow = fds.track(kit.accept(fd) as number);
    const [wide] = fds.trackAll(kit.tcpPair());
    expect(kit.fill(narrow)).toBeLessThan(kit.fill(wide) / 4);
  });

  test('tcpListener, connectNonblocking and accept make a connection', () => {
    const { fd, port } = fds.trackFd(kit.tcpListener());
    expect(kit.accept(fd)).toBeNull();
    const client = fds.track(kit.connectNonblocking(port));
    expect(poll(fd, 1000)).toEqual(['in']);
    const server = fds.track(kit.accept(fd)!);
    kit.write(server, 'hi');
    expect(poll(client, 1000)).toContain('in');
    expect(text(client)).toBe('hi');
  });

  test('refusedConnect has failed, tcpSocket was never connected', () => {
    const refused = fds.track(kit.refusedConnect());
    expect(poll(refused, 1000)).toEqual(['in', 'out', 'err', 'hup', 'rdhup']);
    expect(kit.socketError(refused)).toBe('ECONNREFUSED');
    expect(kit.socketError(refused)).toBeNull();
    expect(poll(fds.track(kit.tcpSocket()))).toEqual(['out', 'hup']);
  });

  test('resetOnClose makes close a reset', () => {
    const [client, server] = fds.trackAll(kit.tcpPair());
    kit.resetOnClose(client);
    kit.close(client);
    expect(kit.kernelPoll([server], [], 1000)).toEqual([['err', 'hup']]);
    expect(() => kit.read(server)).toThrow(failure('ECONNRESET', 'read'));
  });

  test('an urgent byte is out of band', () => {
    const [client, server] = fds.trackAll(kit.tcpPair());
    expect(() => kit.recvUrgent(server)).toThrow(failure('EINVAL', 'recv'));
    kit.sendUrgent(client, 33);
    expect(kit.kernelPoll([server], ['pri'], 1000)).toEqual([['pri']]);
    expect(kit.recvUrgent(server)).toBe(33);
  });

  test('udp sends with and without connecting, and learns of a refusal', () => {
    const near = fds.trackFd(kit.udpSocket());
    const far = fds.trackFd(kit.udpSocket());
    expect(kit.udpSendTo(near.fd, far.port, 'one')).toBe(3);
    kit.udpConnect(near.fd, far.port);
    kit.write(near.fd, 'two');
    expect(poll(far.fd, 1000)).toContain('in');
    expect([text(far.fd), text(far.fd), text(far.fd)]).toEqual(['one', 'two', undefined]);
    kit.close(far.fd);
    kit.write(near.fd, 'nobody');
    expect(kit.kernelPoll([near.fd], [], 1000)).toEqual([['err']]);
    expect(kit.socketError(near.fd)).toBe('ECONNREFUSED');
  });

  test('unix sockets meet at a path', () => {
    for (const type of ['stream', 'seqpacket'] as const) {
      const listener = fds.track(kit.unixListener(path(type), type));
      const client = fds.track(kit.unixConnect(path(type), type));
      const server = fds.track(kit.accept(listener)!);
      kit.write(client, type);
      expect(text(server)).toBe(type);
    }
    const bound = fds.track(kit.unixDgram(path('dgram')));
    kit.write(fds.track(kit.unixConnect(path('dgram'), 'dgram')), 'datagram');
    expect(text(bound)).toBe('datagram');
    expect(poll(fds.track(kit.unixDgram()))).toEqual(['out']);
    expect(() => kit.unixConnect(path('none'))).toThrow(failure('ENOENT', 'connect'));
    expect(() => kit.unixListener('x'.repeat(108))).toThrow(failure('EINVAL', 'bind'));
  });
});

describe('kinds', () => {
  test('pty passes raw bytes both ways, or echoes whole lines', () => {
    const raw = kit.pty();
    fds.trackAll([raw.master, raw.slave]);
    kit.write(raw.master, 'no line');
    expect(text(raw.slave)).toBe('no line');
    expect(text(raw.master)).toBeUndefined();
    kit.write(fds.track(kit.openTty(raw.name)), 'back');
    expect(poll(raw.master, 1000)).toContain('in');
    expect(text(raw.master)).toBe('back');

    const cooked = kit.pty('cooked');
    fds.trackAll([cooked.master, cooked.slave]);
    kit.write(cooked.master, 'li');
    expect(text(cooked.slave)).toBeUndefined();
    kit.write(cooked.master, 'ne\n');
    expect(poll(cooked.slave, 1000)).toContain('in');
    expect(text(cooked.slave)).toBe('line\n');
    expect(text(cooked.master)).toBe('line\r\n');
  });

  test('eventfd counts', () => {
    expect(poll(fds.track(kit.eventfd()))).toEqual(['out']);
    const fd = fds.track(kit.eventfd(7));
    expect(poll(fd)).toEqual(['in', 'out']);
    expect(new BigUint64Array(Uint8Array.from(kit.read(fd, 8)!).buffer)).toEqual(
      BigUint64Array.of(7n),
    );
    kit.write(fd, new Uint8Array(BigUint64Array.of(2n ** 64n - 2n).buffer));
    expect(poll(fd)).toEqual(['in']);
  });

  test('timerfd fires once, never early, and not at all for 0', () => {
    const start = kit.monotonicNs();
    const fd = fds.track(kit.timerfd(1.5));
    const never = fds.track(kit.timerfd(0));
    expect(kit.kernelPoll([fd, never], ['in'], 1000)).toEqual([['in'], []]);
    expect(kit.monotonicNs() - start).toBeGreaterThanOrEqual(1_500_000n);
  });

  test('signalfd takes a signal of this thread', () => {
    const fd = fds.track(kit.signalfd('SIGUSR2'));
    kit.raiseSignal('SIGUSR2');
    expect(poll(fd)).toEqual(['in']);
    expect(kit.read(fd)).toHaveLength(128);
    kit.unblockSignal('SIGUSR2');
  });

  test('inotify sees a change', () => {
    const fd = fds.track(kit.inotify(directory));
    expect(poll(fd)).toEqual([]);
    writeFileSync(path('file'), 'x');
    expect(poll(fd)).toEqual(['in']);
    expect(() => kit.inotify(path('none'))).toThrow(failure('ENOENT', 'inotify_add_watch'));
  });

  test('pidfd sees a process end', async () => {
    const child = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] });
    const fd = fds.track(kit.pidfd(child.pid!));
    expect(poll(fd)).toEqual([]);
    child.stdin.end();
    await once(child, 'close');
    expect(poll(fd)).toContain('in');
  });

  test('memfd is a file', () => {
    const fd = fds.track(kit.memfd());
    kit.write(fd, 'x');
    expect(poll(fd)).toEqual(['in', 'out']);
    expect(kit.read(fd)).toHaveLength(0);
  });

  test('netlinkSocket answers a question', () => {
    const fd = fds.track(kit.netlinkSocket());
    const ask = new Uint8Array(20); // struct nlmsghdr, struct rtgenmsg
    new Uint32Array(ask.buffer).set([17, 0, 1]);
    new Uint16Array(ask.buffer).set([18, 0x301], 2); // RTM_GETLINK, NLM_F_REQUEST | NLM_F_DUMP
    kit.write(fd, ask.subarray(0, 17));
    expect(poll(fd, 1000)).toContain('in');
    expect(kit.drain(fd)).toBeGreaterThan(20);
  });

  test('nestedEpoll is readable while one of its descriptors is', () => {
    const epoll = fds.track(kit.nestedEpoll());
    const [reader, writer] = fds.trackAll(kit.pipe());
    kit.nestedEpollAdd(epoll, reader);
    expect(poll(epoll)).toEqual([]);
    kit.write(writer, 'x');
    expect(poll(epoll)).toEqual(['in']);
    expect(() => kit.nestedEpollAdd(epoll, reader)).toThrow(failure('EEXIST', 'epoll_ctl'));
  });

  test('what needs rights or hardware is made or refused, as the system says', () => {
    const psi = kit.psi();
    if (psi !== null) expect(poll(fds.track(psi))).toContain('err');
    expect(kit.psi('/proc/pressure/none')).toBeNull();
    const tun = allowed(kit.tun, 'EPERM', 'EACCES', 'ENOENT', 'ENODEV', 'ENXIO');
    if (tun !== undefined) expect(kit.isNonblocking(tun)).toBe(true);
    const packet = allowed(kit.packetSocket, 'EPERM', 'EAFNOSUPPORT');
    if (packet !== undefined) expect(poll(packet)).toEqual(['out']);
    const vsock = allowed(kit.vsockSocket, 'EPERM', 'EAFNOSUPPORT');
    if (vsock !== undefined) expect(poll(vsock)).not.toContain('in');
    const faults = allowed(kit.userfaultfd, 'EPERM', 'ENOSYS');
    if (faults !== undefined) expect(poll(faults)).toEqual(['err']);
  });
});

describe('threads', () => {
  test('the interrupter ends a blocking call with EINTR, so often and no more', () => {
    const [reader] = fds.trackAll(kit.pipe());
    // So far apart that each finds the call, however long this thread is held up before it.
    kit.startInterrupter(350, 2);
    expect(() => kit.startInterrupter(5)).toThrow(failure('EBUSY', 'startInterrupter'));
    expect(() => poll(reader, 5000)).toThrow(failure('EINTR', 'poll'));
    expect(() => poll(reader, 5000)).toThrow(failure('EINTR', 'poll'));
    expect(poll(reader, 750)).toEqual([]);
    expect(kit.stopInterrupter()).toBe(2);
    expect(() => kit.stopInterrupter()).toThrow(failure('ESRCH', 'stopInterrupter'));
  });

  test('the interrupter of a worker stops with it', async () => {
    const worker = new Worker(
      `import('@pollux/testkit').then((kit) => { kit.startInterrupter(1); process.exit(); });`,
      { eval: true },
    );
    await once(worker, 'exit');
    expect(() => kit.stopInterrupter()).toThrow(failure('ESRCH', 'stopInterrupter'));
  });

  test('writeLater and closeLater wake a blocked thread', () => {
    const [reader, writer] = fds.trackAll(kit.pipe());
    const start = kit.monotonicNs();
    kit.writeLater(writer, 'late', 500);
    expect(poll(reader)).toEqual([]);
    expect(poll(reader, 5000)).toEqual(['in']);
    expect(kit.monotonicNs() - start).toBeGreaterThanOrEqual(500_000_000n);
    expect(text(reader)).toBe('late');
    kit.closeLater(writer, 10);
    expect(poll(reader, 5000)).toEqual(['hup']);
    kit.settleLater();
  });
});

describe('process', () => {
  test('openFds lists ascending, and more than fit at first', () => {
    kit.raiseNofile();
    const source = fds.track(kit.eventfd());
    const made = Array.from({ length: 1100 }, () => fds.track(kit.dup(source)));
    const open = kit.openFds();
    expect(open).toEqual([...before, source, ...made].sort((a, b) => a - b));
  });

  test('raiseNofile gives the limit that dupTo can reach', () => {
    const limit = kit.raiseNofile();
    const source = fds.track(kit.eventfd());
    // Not at the limit itself: where it is a thousand million, the table would fill the memory.
    const high = Math.min(limit, 20_001) - 1;
    expect(fds.track(kit.dupTo(source, high))).toBe(high);
    expect(() => kit.dupTo(source, limit)).toThrow(failure('EINVAL', 'fcntl'));
  });

  test('threadCount counts a worker', async () => {
    const worker = new Worker('setInterval(() => {}, 1000)', { eval: true });
    await once(worker, 'online');
    // Not with the count before: a thread of writeLater may have been on its way out then.
    const threads = kit.threadCount();
    await worker.terminate();
    expect(kit.threadCount()).toBeLessThan(threads);
  });

  test.each(['ENOSYS', 'EPERM'] as const)('denySyscall answers %s on every thread', (errno) => {
    const program = `
      import { readdirSync, readFileSync } from 'node:fs';
      import * as kit from '@pollux/testkit';
      kit.denySyscall('epoll_pwait2', '${errno}');
      kit.denySyscall('eventfd2', '${errno}');
      let code = 'none';
      try { kit.eventfd(); } catch (error) { code = error.code; }
      const open = readdirSync('/proc/self/task').filter((task) =>
        !readFileSync('/proc/self/task/' + task + '/status', 'utf8').includes('Seccomp:\\t2'));
      console.log(code, open.length);`;
    const cwd = fileURLToPath(new URL('..', import.meta.url));
    const options = ['--input-type=module', '-e', program];
    expect(execFileSync(process.execPath, options, { cwd, encoding: 'utf8' })).toBe(`${errno} 0\n`);
    expect(() => kit.denySyscall('read' as 'recvmmsg', errno)).toThrow(
      failure('EINVAL', 'seccomp'),
    );
  });
});
