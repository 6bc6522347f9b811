// What cannot pass under Wine or on Windows though nothing of Pollux is amiss, each with the reason it is
// skipped with: [the test's file, its name, why]. "Windows ..." is so on Windows itself too, as its
// documentation says; "Wine 8 ..." was seen in Wine alone.
//
// What a test lacks of the testkit is not here: it says so itself (lacking-runner.mjs).

const RESET = 'Wine 8 tells of a reset as of an end of the stream';
const REFUSED = 'Wine 8 tells nobody that a datagram was refused';
const SOURCE = 'Wine 8 sends without the control part of WSASendMsg';
const GROUPS = 'Wine 8 has no MCAST_JOIN_GROUP';
const KEEP = 'Wine 8 has no TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT to ask for';
const CLASS = 'Wine 8 has no IPV6_TCLASS';
const SEGMENTS = 'Windows is not asked to cut or join datagrams';
const FILTERS = 'Windows has no socket filters';
const ANY_ADDRESS = 'Wine 8 binds to any address where there is no such one';
const NODE_FD = 'Windows: the sockets of Node have no descriptor';

export const notUnderWine = [
  ['tcp-reset', /the peer is told of a reset|what waits is dropped/, RESET],
  ['tcp-errors', /a reset while reading/, RESET],
  ['tcp-iterate', /what breaks the stream|await using of one that breaks/, RESET],
  ['duplex-stream', /an end and a reset are noticed/, RESET],

  ['udp-errors', /a closed port is told|an error without a listener/, REFUSED],
  ['udp-iterate', /an error that (nobody listens for|came while)/, REFUSED],
  ['udp-segments', /a port where nobody listens/, REFUSED],

  ['udp-packet-info', /an answer from the address|the same from the slab/, SOURCE],
  ['udp-packet-info', /from an address that is not ours/, SOURCE],
  ['udp-segments', /a buffer as segments|what is refused is told once/, SEGMENTS],
  ['udp-trains-refused', /./, SEGMENTS],
  ['udp-multicast', /./, GROUPS],

  ['tcp-socket-options', /options of both ends|changed while it lives/, KEEP],
  ['tcp-socket-options', /hop limit and traffic class/, CLASS],
  ['udp-settings', /IPv6, and what it sends by IPv4/, CLASS],
  ['tcp-socket-options', /a connection is handed out when/, 'Windows has no TCP_DEFER_ACCEPT'],

  ['finish', /TCP: from then on no connection begins/, FILTERS],
  ['udp-errors', /reusePort/, 'Windows has no SO_REUSEPORT'],
  ['tcp-adopt', /a connection of Node's/, NODE_FD],
  [
    'accept-shortage',
    /can accept nothing|without finish/,
    'Windows: a listener cannot be shut down',
  ],
  ['descriptors', /refused binds/, ANY_ADDRESS],
  ['unix-bad-input', /path/, 'Windows has no abstract names'],
  ['shards', /the drain/, 'Windows cannot send a signal to a process; it ends it'],
  ['heartbeat', /a server that resets/, RESET],
  ['demo', /a second signal/, 'Windows cannot send a signal to a process; it ends it'],
  ['heartbeat', /a frozen server/, 'Windows cannot freeze a process'],
  ['demo', /203\.0\.113\.1/, ANY_ADDRESS],
  [
    'connect-many',
    /10,000/,
    'Wine 8 has both ends of all connections in one process, which ulimit -n (20,000) is too low for',
  ],
  ['connect-many', /fewer where/, 'Windows has no ulimit'],
  ['refused-by-poller', /Unix/, 'Windows has no Unix datagrams and pairs, Wine 8 no Unix sockets'],
];

/** Whole files: [their glob, why]. */
export const filesNotUnderWine = [
  [
    'packages/core/test/{selection,selection-refusals}.test.ts',
    'they choose among the backends of Linux',
  ],
  [
    'packages/core/test/doctor.test.ts',
    'it reads the report of Linux; afd-missing.test.ts has that of Windows',
  ],
  [
    'packages/core/test/fallback-warning.test.ts',
    'Windows has no seccomp that takes a system call away',
  ],
  [
    'packages/core/test/installation.test.ts',
    'it installs tarballs by the npm and the addons of Linux',
  ],
  [
    'packages/testkit/test/conformance/poller-portability.test.ts',
    'it tests a script of the repository, not a package',
  ],
  [
    'packages/testkit/test/testkit.test.ts',
    'it tests the helpers for Linux one by one: pipes, ptys, /proc',
  ],
  [
    'packages/net/test/fuzz-short.test.ts',
    'every round of the fuzz has Unix sockets and passed descriptors',
  ],
  [
    'examples/test/{fd-passing,stdin-monitor}.test.ts',
    'Windows cannot pass descriptors, or poll a stdin',
  ],
  ['examples/test/adapters/**', 'the adapters are of descriptors that Linux alone has'],
];

/** Why a test is not run, if it is not. */
export function reasonAgainst(file, name) {
  return notUnderWine.find(
    ([of, names]) => file.endsWith(`/${of}.test.ts`) && names.test(name),
  )?.[2];
}

/** What the runner says of a test whose child Wine has failed to start, which it does now and then. */
export const NOT_STARTED = 'Wine has not started a child of this test';

/** STATUS_DLL_INIT_FAILED (ntstatus.h): the exit code of a process that was ended before it ran. */
const DLL_INIT_FAILED = 0xc0000142;

/** Whether an error, of node or of an expectation, is of a process that was not started, or not for long. */
export function isNotStarted(error) {
  const { code, syscall, actual } = error ?? {};
  if (code === 'UNKNOWN' && `${syscall}`.startsWith('spawn')) return true;
  return [actual, actual?.code, actual?.status].includes(DLL_INIT_FAILED);
}
