// What must hold: for a variant of a scenario, the largest ratio to each peer. `pollux` bounds the
// figure itself. What has no bound here is measured and shown all the same.
const tcpBlocking = { 'c-epoll': 1.05, libevent: 0.75, libuv: 0.6, 'node-net': 0.5 };
const tcpAttached = { 'c-epoll': 1.15, libevent: 0.8, 'node-net': 0.52 };
const tcpUser = { 'node-net': 0.12 };
const udpEcho = { 'c-mmsg': 1.05, 'c-epoll': 0.85, 'node-dgram': 0.35 };

const udpBulk = { 'c-gso': 1.3, 'node-dgram': 0.03 };

const bounds = {
  'tcp-echo': {
    '50-blocking': tcpBlocking,
    '1000-blocking': tcpBlocking,
    '50-attached': tcpAttached,
    '1000-attached': tcpAttached,
    '50-blocking-user': tcpUser,
    '1000-blocking-user': tcpUser,
    '50-attached-user': tcpUser,
    '1000-attached-user': tcpUser,
  },
  'udp-echo': { attached: udpEcho, blocking: udpEcho },
  'udp-bulk': { 'rx-64': udpBulk, 'rx-1200': udpBulk, 'tx-64': udpBulk, 'tx-1200': udpBulk },
  cascade: { 100: { libevent: 1.2 }, 1000: { libevent: 1.2 }, 9000: { libevent: 1.2 } },
  latency: { uv: { 'npm-epoll': 0.5, 'node-net': 1.1 }, blocking: { 'node-net': 0.9 } },
  timers: { 1000000: { 'node-timers': 0.25 } },
  http: { duplex: { 'node-http': 1.1 }, hello: { 'node-http': 0.33 } },
  startup: { core: { pollux: 8 } },
  idle: { epoll: { self: 1.1 } },
};

/** Each bound of a result: what it is of, the limit, the value (null: the peer is absent), whether met. */
export function judge(result) {
  const limits = bounds[result.scenario]?.[result.variant] ?? {};
  return Object.entries(limits).map(([of, limit]) => {
    const value = (of === 'pollux' ? result.pollux : result.ratios[of]) ?? null;
    return { of, limit, value, met: value === null ? null : value <= limit };
  });
}
