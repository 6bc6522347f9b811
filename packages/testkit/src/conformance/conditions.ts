// Every condition that a descriptor can be in, and how to bring it about: the rows of the table in
// docs/portability.md. What each looks like is not written here; poll(2) and the pollers tell.
import { close, drain, fifo, fill, openFile, type PollName, write } from '../descriptors.js';
import * as kinds from '../kinds.js';
import { LackingHere } from '../native.js';
import * as sockets from '../sockets.js';
import { type Scene, settled } from './scene.js';

export interface Condition {
  readonly title: string;
  /**
   * Whether a program may rely on readable and writable as they are: it follows from POSIX, or from
   * the manual of what Linux alone has. Otherwise it merely happens to be so on some system.
   */
  readonly guaranteed: boolean;
  /** The one direction that a pipe's end has. */
  readonly only?: 'readable' | 'writable';
  /** Brings it about, waits until poll(2) sees it too, and gives the descriptor back. */
  make(scene: Scene): number;
}

const windows = process.platform === 'win32';
/** WSAPoll has one bit for a half-close and a hangup, and Wine 8 sets it for neither. */
const isToldOnWindows = (name: PollName) => name !== 'rdhup' && name !== 'hup';

type Pair = readonly [near: number, far: number];
type Bits = readonly PollName[];

const lasting: Condition[] = [];
const merely: Condition[] = [];

/** A row about the first of a pair: `change` brings it into the state that `until` tells. */
function row(
  title: string,
  pair: (scene: Scene) => Pair,
  change: (pair: Pair, scene: Scene) => void,
  until: Bits,
  more: {
    only?: 'readable' | 'writable';
    without?: Bits;
    merely?: boolean;
    /** Why Windows has no such thing. */
    notOnWindows?: string;
  } = {},
): void {
  const only = more.only === undefined ? {} : { only: more.only };
  (more.merely ? merely : lasting).push({
    title,
    guaranteed: !more.merely,
    ...only,
    make(scene) {
      if (windows && more.notOnWindows !== undefined) throw new LackingHere(more.notOnWindows);
      const made = pair(scene);
      scene.fds.trackAll(made.filter((fd) => fd >= 0));
      change(made, scene);
      settled(made[0], windows ? until.filter(isToldOnWindows) : until, more.without);
      return made[0];
    },
  });
}

const nothing = () => {};
const alone = (make: (scene: Scene) => number) => (scene: Scene) => [make(scene), -1] as Pair;
const sent = ([, far]: Pair) => void write(far, 'data');
const farClosed = ([, far]: Pair) => close(far);
const farHalfClosed = ([, far]: Pair) => sockets.shutdown(far, 'write');

/** Until the far end's buffer is full too and nothing moves any more. */
function full([near]: Pair): void {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  for (let idle = 0; idle < 3; idle++) {
    if (fill(near) > 0) idle = 0;
    Atomics.wait(cell, 0, 0, windows ? 50 : 1);
  }
}

const tcp = sockets.tcpPair;
row('TCP: idle', tcp, nothing, ['out']);
row('TCP: data to read', tcp, sent, ['in', 'out']);
row('TCP: send buffer full', tcp, full, [], { without: ['out'] });
row(
  'TCP: peer half-closed, data left',
  tcp,
  (pair) => {
    sent(pair);
    farHalfClosed(pair);
  },
  ['in', 'out', 'rdhup'],
);
row(
  'TCP: peer half-closed, all read',
  tcp,
  (pair) => {
    sent(pair);
    farHalfClosed(pair);
    settled(pair[0], windows ? ['in'] : ['rdhup']);
    drain(pair[0]);
  },
  ['in', 'out', 'rdhup'],
);
row('TCP: own writing shut down', tcp, ([near]) => sockets.shutdown(near, 'write'), ['out']);
row(
  'TCP: own reading shut down',
  tcp,
  ([near]) => sockets.shutdown(near, 'read'),
  ['rdhup'],
  // A receive fails at once, but neither the driver nor WSAPoll tells.
  { notOnWindows: 'report of what a program has shut down itself' },
);
row(
  'TCP: both directions shut down',
  tcp,
  (pair) => {
    farHalfClosed(pair);
    sockets.shutdown(pair[0], 'write');
  },
  ['hup', 'rdhup'],
);
row('TCP: peer closed', tcp, farClosed, ['rdhup']);
row(
  'TCP: reset by peer',
  tcp,
  ([, far]) => {
    sockets.resetOnClose(far);
    close(far);
  },
  ['err', 'hup'],
);
row('TCP: connect refused', alone(sockets.refusedConnect), nothing, ['err', 'hup']);
row(
  'TCP: connect succeeded',
  () => {
    const { fd, port } = sockets.tcpListener();
    return [sockets.connectNonblocking(port), fd];
  },
  nothing,
  ['out'],
);
row('TCP: never connected', alone(sockets.tcpSocket), nothing, ['hup'], { merely: true });
row('TCP: urgent byte', tcp, ([, far]) => sockets.sendUrgent(far, 33), ['pri'], { merely: true });

const listener = (): Pair => [sockets.tcpListener().fd, -1];
row('TCP listener: idle', listener, nothing, []);
row(
  'TCP listener: connection to accept',
  () => {
    const { fd, port } = sockets.tcpListener();
    return [fd, sockets.connectNonblocking(port)];
  },
  nothing,
  ['in'],
);

const udp = (): Pair => {
  const [near, far] = [sockets.udpSocket(), sockets.udpSocket()];
  sockets.udpConnect(near.fd, far.port);
  sockets.udpConnect(far.fd, near.port);
  return [near.fd, far.fd];
};
row('UDP: idle', udp, nothing, ['out']);
row('UDP: datagram to read', udp, sent, ['in', 'out']);
row(
  'UDP: connected, ICMP says refused',
  udp,
  (pair) => {
    farClosed(pair);
    write(pair[0], 'nobody');
  },
  ['err'],
  // Windows tells with the next receive (WSAECONNRESET), Wine 8 never.
  { notOnWindows: 'report of a refused datagram ahead of the next receive' },
);

for (const type of ['stream', 'dgram', 'seqpacket'] as const) {
  const pair = () => sockets.unixPair(type);
  row(`Unix ${type}: idle`, pair, nothing, ['out']);
  row(`Unix ${type}: data to read`, pair, sent, ['in', 'out']);
  row(`Unix ${type}: send buffer full`, pair, full, [], { without: ['out'] });
  if (type === 'dgram') {
    row(`Unix ${type}: peer closed`, pair, farClosed, [], { merely: true });
  } else {
    row(`Unix ${type}: peer half-closed`, pair, farHalfClosed, ['in', 'out', 'rdhup']);
    row(`Unix ${type}: peer closed`, pair, farClosed, ['hup']);
  }
}
row(
  'Unix listener: connection to accept',
  (scene) => {
    const fd = sockets.unixListener(scene.path('listener'));
    return [fd, sockets.unixConnect(scene.path('listener'))];
  },
  nothing,
  ['in'],
);

const readEnd = sockets.realPipe;
const writeEnd = (): Pair => {
  const [reader, writer] = sockets.realPipe();
  return [writer, reader];
};
const readsOnly = { only: 'readable' } as const;
const writesOnly = { only: 'writable' } as const;
row('Pipe, read end: empty', readEnd, nothing, [], readsOnly);
row('Pipe, read end: data to read', readEnd, sent, ['in'], readsOnly);
row(
  'Pipe, read end: writer gone, data left',
  readEnd,
  (pair) => {
    sent(pair);
    farClosed(pair);
  },
  ['in', 'hup'],
  readsOnly,
);
row('Pipe, read end: writer gone, empty', readEnd, farClosed, ['hup'], readsOnly);
row('Pipe, write end: idle', writeEnd, nothing, ['out'], writesOnly);
row('Pipe, write end: full', writeEnd, full, [], { ...writesOnly, without: ['out'] });
row('Pipe, write end: reader gone', writeEnd, farClosed, ['err'], writesOnly);
const named = (scene: Scene): Pair => {
  const { reader, writer } = fifo(scene.path('fifo'));
  return [reader, writer];
};
row('FIFO, read end: data to read', named, sent, ['in'], readsOnly);
row('FIFO, read end: writer gone', named, farClosed, ['hup'], readsOnly);
row(
  'FIFO, read end: no writer yet',
  alone((scene) => {
    const { reader, writer } = fifo(scene.path('fifo'));
    close(reader);
    close(writer);
    return openFile(scene.path('fifo'));
  }),
  nothing,
  [],
  { ...readsOnly, merely: true },
);

const master = (): Pair => {
  const pty = kinds.pty();
  return [pty.master, pty.slave];
};
const slave = (): Pair => {
  const pty = kinds.pty();
  return [pty.slave, pty.master];
};
row('pty master: idle', master, nothing, ['out']);
row('pty master: data to read', master, sent, ['in', 'out']);
row('pty master: slave closed', master, farClosed, ['hup']);
row('pty slave: idle', slave, nothing, ['out']);
row('pty slave: data to read', slave, sent, ['in', 'out']);
row('pty slave: master closed', slave, farClosed, ['hup']);

const counter = (value: bigint) => new Uint8Array(BigUint64Array.of(value).buffer);
row('eventfd: zero', () => [kinds.eventfd(0), -1], nothing, ['out']);
row('eventfd: above zero', () => [kinds.eventfd(1), -1], nothing, ['in', 'out']);
row(
  'eventfd: full',
  () => [kinds.eventfd(0), -1],
  ([fd]) => void write(fd, counter(2n ** 64n - 2n)),
  ['in'],
  { without: ['out'] },
);
row('timerfd: not yet', () => [kinds.timerfd(0), -1], nothing, [], readsOnly);
row('timerfd: expired', () => [kinds.timerfd(0.1), -1], nothing, ['in'], readsOnly);
row('epoll: nothing ready inside', alone(kinds.nestedEpoll), nothing, [], readsOnly);
row(
  'epoll: something ready inside',
  () => {
    const [epoll, ready] = [kinds.nestedEpoll(), kinds.eventfd(1)];
    kinds.nestedEpollAdd(epoll, ready);
    return [epoll, ready];
  },
  nothing,
  ['in'],
  readsOnly,
);
row('userfaultfd: idle', alone(kinds.userfaultfd), nothing, ['err'], { merely: true });
row(
  'PSI file: no trigger set',
  alone(() => {
    const fd = kinds.psi();
    if (fd === null) throw Object.assign(new Error('no PSI'), { code: 'ENOENT' });
    return fd;
  }),
  nothing,
  ['err'],
  { merely: true },
);
row(
  'sysfs attribute: never read',
  alone(() => openFile('/sys/kernel/mm/transparent_hugepage/enabled')),
  nothing,
  [],
  { merely: true },
);

/** The promised ones first, as in the page. */
export const conditions: readonly Condition[] = [...lasting, ...merely];

/** What an error of `make` may be where the system has no such thing, or forbids it here. */
const lackingCodes: readonly string[] = [
  ...['ENOENT', 'ENOSYS', 'EPERM', 'EACCES', 'ENODEV', 'ENXIO', 'EAFNOSUPPORT', 'EOPNOTSUPP'],
];

/** The code, if the error means that the system lacks this; throws any other. */
export function lacking(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (!lackingCodes.includes(code)) throw error;
  return code;
}
