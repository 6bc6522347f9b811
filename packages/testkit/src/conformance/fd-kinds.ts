// Every kind of descriptor that Linux has to offer, and how to make one of each ready. The suite asks
// each backend whether it can watch it, and compares what it does with its answer.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { drain, dup, fifo, openFile, write } from '../descriptors.js';
import * as kinds from '../kinds.js';
import { requires } from '../native.js';
import * as sockets from '../sockets.js';
import type { Scene } from './scene.js';

export interface FdKind {
  readonly title: string;
  /** Whether a program may rely on the answer; otherwise it is this system's, today. */
  readonly guaranteed: boolean;
  make(scene: Scene): Made;
}

interface Made {
  readonly fd: number;
  /** Makes it ready; missing where it is ready from the start, or where nothing here can. */
  readonly provoke?: () => void;
  /** Ready only for the thread that provokes it: a signal that is pending for one thread. */
  readonly forThisThread?: boolean;
}

const guaranteed: Record<string, FdKind['make']> = {
  pipe: ({ fds }) => {
    const [reader, writer] = fds.trackAll(sockets.realPipe());
    return { fd: reader, provoke: () => write(writer, 'x') };
  },
  'dup of a pipe': ({ fds }) => {
    const [reader, writer] = fds.trackAll(sockets.realPipe());
    return { fd: fds.track(dup(reader)), provoke: () => write(writer, 'x') };
  },
  FIFO: (scene) => {
    const { reader, writer } = fifo(scene.path('fifo'));
    scene.fds.trackAll([reader, writer]);
    return { fd: reader, provoke: () => write(writer, 'x') };
  },
  'Unix stream socket': pair(() => sockets.unixPair('stream')),
  'Unix datagram socket': pair(() => sockets.unixPair('dgram')),
  'Unix seqpacket socket': pair(() => sockets.unixPair('seqpacket')),
  'Unix listener': (scene) => {
    const path = scene.path('listener');
    const fd = scene.fds.track(sockets.unixListener(path));
    return { fd, provoke: () => scene.fds.track(sockets.unixConnect(path)) };
  },
  'TCP socket': pair(sockets.tcpPair),
  'TCP listener': ({ fds }) => {
    const { fd, port } = fds.trackFd(sockets.tcpListener());
    return { fd, provoke: () => fds.track(sockets.connectNonblocking(port)) };
  },
  'UDP socket': ({ fds }) => {
    const near = fds.trackFd(sockets.udpSocket());
    const far = fds.trackFd(sockets.udpSocket());
    return { fd: near.fd, provoke: () => sockets.udpSendTo(far.fd, near.port, 'x') };
  },
  'pty master': ({ fds }) => {
    const { master, slave } = kinds.pty();
    fds.trackAll([master, slave]);
    return { fd: master, provoke: () => write(slave, 'x') };
  },
  'pty slave (terminal)': ({ fds }) => {
    const { master, slave } = kinds.pty();
    fds.trackAll([master, slave]);
    return { fd: slave, provoke: () => write(master, 'x') };
  },
  'netlink socket': ({ fds }) => {
    const fd = fds.track(kinds.netlinkSocket());
    const ask = new Uint8Array(20); // struct nlmsghdr and struct rtgenmsg: RTM_GETLINK, a dump
    new Uint32Array(ask.buffer).set([17, (0x301 << 16) | 18, 1]);
    return { fd, provoke: () => write(fd, ask.subarray(0, 17)) };
  },
  eventfd: ({ fds }) => {
    const fd = fds.track(kinds.eventfd());
    return { fd, provoke: () => write(fd, new Uint8Array(BigUint64Array.of(1n).buffer)) };
  },
  timerfd: ({ fds }) => ({ fd: fds.track(kinds.timerfd(1)) }),
  signalfd: (scene) => {
    const fd = scene.fds.track(kinds.signalfd('SIGUSR2'));
    scene.defer(() => kinds.unblockSignal('SIGUSR2'));
    // Taken from the descriptor before the signal is unblocked: its default is to kill.
    scene.defer(() => drain(fd));
    return { fd, provoke: () => kinds.raiseSignal('SIGUSR2'), forThisThread: true };
  },
  inotify: (scene) => {
    writeFileSync(scene.path('watched'), '');
    const fd = scene.fds.track(kinds.inotify(scene.path('watched')));
    return { fd, provoke: () => writeFileSync(scene.path('watched'), 'x') };
  },
  pidfd: (scene) => {
    requires('pidfd');
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    scene.defer(() => child.kill('SIGKILL'));
    const fd = scene.fds.track(kinds.pidfd(child.pid!));
    return { fd, provoke: () => child.kill('SIGKILL') };
  },
  'epoll in another poller': ({ fds }) => {
    const fd = fds.track(kinds.nestedEpoll());
    const [reader, writer] = fds.trackAll(sockets.realPipe());
    kinds.nestedEpollAdd(fd, reader);
    return { fd, provoke: () => write(writer, 'x') };
  },
};

const merelySo: Record<string, FdKind['make']> = {
  'packet socket': ({ fds }) => ({ fd: fds.track(kinds.packetSocket()) }),
  'vsock socket': ({ fds }) => ({ fd: fds.track(kinds.vsockSocket()) }),
  tun: ({ fds }) => ({ fd: fds.track(kinds.tun()) }),
  userfaultfd: ({ fds }) => ({ fd: fds.track(kinds.userfaultfd()) }),
  'PSI file': ({ fds }) => {
    const fd = kinds.psi();
    if (fd === null) throw Object.assign(new Error('no PSI'), { code: 'ENOENT' });
    return { fd: fds.track(fd) };
  },
  'sysfs attribute': file('/sys/kernel/mm/transparent_hugepage/enabled'),
  '/proc/self/mounts': file('/proc/self/mounts'),
  '/proc/self/stat': file('/proc/self/stat'),
  '/dev/random': file('/dev/random'),
  '/dev/urandom': file('/dev/urandom'),
  '/dev/zero': file('/dev/zero'),
  '/dev/null': file('/dev/null'),
  'regular file': (scene) => {
    writeFileSync(scene.path('file'), 'content');
    return { fd: scene.fds.track(openFile(scene.path('file'))) };
  },
  directory: file('/'),
  memfd: ({ fds }) => ({ fd: fds.track(kinds.memfd()) }),
};

/** The promised ones first, as in the page. */
export const fdKinds: readonly FdKind[] = [
  ...Object.entries(guaranteed).map(([title, make]) => ({ title, guaranteed: true, make })),
  ...Object.entries(merelySo).map(([title, make]) => ({ title, guaranteed: false, make })),
];

function pair(make: () => readonly [number, number]): FdKind['make'] {
  return ({ fds }) => {
    const [near, far] = fds.trackAll(make());
    return { fd: near, provoke: () => write(far, 'x') };
  };
}

function file(path: string): FdKind['make'] {
  return ({ fds }) => ({ fd: fds.track(openFile(path)) });
}
