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
const NODE_FD = 'Windows: the sockets of Node have no descriptor';

export const notUnderWine = [
  ['tcp-reset', /the peer is told of a reset|what waits is dropped/, RESET],
  ['tcp-errors', /a reset while reading/, RESET],
  ['tcp-iterate', /what breaks the stream|await using of one that breaks/, RESET],
  ['duplex-stream', /an end and a reset are noticed/, RESET],

  ['udp-errors', /a closed port is told|an error without a listener/, REFUSED],
  ['udp-iterate', /an error that nobody listens for/, REFUSED],
  ['udp-segments', /a port where nobody listens/, REFUSED],

  ['udp-packet-info', /an answer from the address|the same from the slab/, SOURCE],
  ['udp-packet-info', /from an address that is not ours/, SOURCE],
  ['udp-segments', /a buffer as segments|what is refused is told once/, SEGMENTS],
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
  ['descriptors', /refused binds/, 'Wine 8 binds to any address where there is no such one'],
  ['unix-bad-input', /path/, 'Windows has no abstract names'],
  ['refused-by-poller', /Unix/, 'Windows has no Unix datagrams and pairs, Wine 8 no Unix sockets'],
];

/** Why a test is not run, if it is not. */
export function reasonAgainst(file, name) {
  return notUnderWine.find(
    ([of, names]) => file.endsWith(`/${of}.test.ts`) && names.test(name),
  )?.[2];
}
