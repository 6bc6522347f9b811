// The addon as TypeScript sees it. The verbs, what they return and the layouts of their arrays are
// described in native/net.h; each returns a count or a negative errno and throws nothing.
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { loadNetAddon } from '@pollux/core';

interface Native {
  encodeAddress(text: string, port: number, slots: Uint8Array, offset: number): number;
  formatAddress(slots: Uint8Array, offset: number, text: Uint8Array, out: Int32Array): number;

  open(family: number, type: number): number;
  bind(fd: number, slots: Uint8Array, offset: number): number;
  listen(fd: number, backlog: number): number;
  connect(fd: number, slots: Uint8Array, offset: number): number;
  takeError(fd: number): number;
  shutdownWrite(fd: number): number;
  close(fd: number): number;
  localAddress(fd: number, slots: Uint8Array, offset: number): number;
  peerAddress(fd: number, slots: Uint8Array, offset: number): number;
  setOption(fd: number, option: number, value: number): number;
  getOption(fd: number, option: number): number;
  resetOnClose(fd: number): number;
  adoptListener(fd: number): number;
  adoptStream(fd: number): number;
  stopInput(fd: number): number;

  adoptUdp(fd: number): number;
  disconnect(fd: number): number;
  interfaceIndex(text: string): number;
  membership(
    fd: number,
    joins: number,
    interfaceIndex: number,
    slots: Uint8Array,
    group: number,
    source: number,
  ): number;
  multicastInterface(fd: number, interfaceIndex: number): number;

  receive(
    fds: Int32Array,
    count: number,
    perFd: number,
    slab: Uint8Array,
    slotSize: number,
    records: Int32Array,
    peers: Uint8Array,
    locals: Uint8Array,
  ): number;
  send(
    jobs: Int32Array,
    first: number,
    count: number,
    slab: Uint8Array,
    peers: Uint8Array,
    results: Int32Array,
  ): number;

  accept(
    fds: Int32Array,
    count: number,
    perFd: number,
    records: Int32Array,
    peers: Uint8Array,
  ): number;
  read(fds: Int32Array, count: number, most: number, slab: Uint8Array, results: Int32Array): number;
  write(
    segments: Int32Array,
    count: number,
    arena: Uint8Array,
    chunks: Uint8Array[],
    results: Int32Array,
  ): number;

  // Unix sockets and descriptors that are passed: native/unix.h.
  encodePath(path: Uint8Array, slots: Uint8Array, offset: number): number;
  decodePath(slots: Uint8Array, offset: number, path: Uint8Array): number;
  unixPair(type: number, out: Int32Array): number;
  adoptUnix(fd: number, type: number, listens: number): number;
  stopListening(fd: number): number;
  peerCredentials(fd: number, out: Int32Array): number;
  duplicateFds(fds: Int32Array, count: number, out: Int32Array): number;
  releaseFd(fd: number): number;
  sendFds(
    fd: number,
    data: Uint8Array,
    offset: number,
    length: number,
    fds: Int32Array,
    count: number,
    peer: Uint8Array,
  ): number;
  readFds(
    fds: Int32Array,
    count: number,
    most: number,
    slab: Uint8Array,
    results: Int32Array,
    passed: Int32Array,
    arrived: Int32Array,
  ): number;
  receiveFds(
    fds: Int32Array,
    count: number,
    perFd: number,
    slab: Uint8Array,
    slotSize: number,
    records: Int32Array,
    peers: Uint8Array,
    passed: Int32Array,
    arrived: Int32Array,
  ): number;
}

export const native: Native = loadNetAddon(() =>
  createRequire(import.meta.url)('node-gyp-build')(fileURLToPath(new URL('..', import.meta.url))),
) as Native;

/** Bytes of an address slot, and of the part that holds the system's sockaddr. */
export const SLOT_SIZE = 128;
/** Where a slot keeps the length of its sockaddr, counted in 32-bit words. */
export const SLOT_LENGTH_WORD: number = SLOT_SIZE / 4 - 1;
/** Chunks that one `write` takes. */
export const MAX_CHUNKS = 256;

/** What `open` calls the family of Unix sockets. */
export const UNIX = 1;
/** Descriptors of one message, and what is added to their number if some were lost. */
export const MAX_FDS = 253;
export const FDS_LOST = 65_536;

export const STREAM = 1;
export const DATAGRAM = 2;

/** The numbers of socket options. */
export const SocketOption = {
  reuseAddress: 0,
  reusePort: 1,
  ipv6Only: 2,
  broadcast: 3,
  noDelay: 4,
  receiveBufferSize: 5,
  sendBufferSize: 6,
  // Of IPv4, then of IPv6.
  ttl: 7,
  hopLimit: 8,
  tos: 9,
  trafficClass: 10,
  multicastTtl: 11,
  multicastHops: 12,
  multicastLoopback: 13,
  multicastLoopback6: 14,
  packetInfo: 15,
  packetInfo6: 16,
  udpSegment: 17,
  udpGro: 18,
  // TCP's; times in seconds, the user timeout in milliseconds.
  keepAlive: 19,
  keepAliveIdle: 20,
  keepAliveInterval: 21,
  keepAliveProbes: 22,
  userTimeout: 23,
  deferAccept: 24,
  bindAddressNoPort: 25,
} as const;

// Results that are not failures, or not always.
export const EINVAL: number = -constants.errno.EINVAL;
export const EIO: number = -constants.errno.EIO;
export const EMSGSIZE: number = -constants.errno.EMSGSIZE;
export const ENOPROTOOPT: number = -constants.errno.ENOPROTOOPT;
export const EMFILE: number = -constants.errno.EMFILE;
export const EAGAIN: number = -constants.errno.EAGAIN;
export const EINPROGRESS: number = -constants.errno.EINPROGRESS;
export const ENFILE: number = -constants.errno.ENFILE;
export const ENOMEM: number = -constants.errno.ENOMEM;
export const ENOTCONN: number = -constants.errno.ENOTCONN;
export const ECONNREFUSED: number = -constants.errno.ECONNREFUSED;
export const ENOBUFS: number = -constants.errno.ENOBUFS;
export const ENAMETOOLONG: number = -constants.errno.ENAMETOOLONG;
export const EAFNOSUPPORT: number = -constants.errno.EAFNOSUPPORT;
export const EOPNOTSUPP: number = -constants.errno.EOPNOTSUPP;
export const ETIMEDOUT: number = -constants.errno.ETIMEDOUT;
