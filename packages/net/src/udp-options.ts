// What a UDP socket may be told: at its birth, or later by `configure` and the like.
import { invalidType, invalidValue, systemError } from '@pollux/core';
import { checkDatagramOptions, type DatagramOptions } from './datagram-options.js';
import type { OptionSetting } from './descriptor.js';
import { EncodedEndpoint, encodeEndpoint } from './endpoint.js';
import { native, SLOT_SIZE, SocketOption } from './native.js';
import { checkBoolean, checkInteger, checkOptions } from './validate.js';

type Family = 'IPv4' | 'IPv6';

/** What may be changed at any time. */
export interface UdpSettings {
  /** SO_BROADCAST: permits sending to a broadcast address. */
  broadcast?: boolean;
  /** IP_TTL, IPV6_UNICAST_HOPS: how many routers a datagram may pass, 1 to 255. */
  ttl?: number;
  /** IP_TOS, IPV6_TCLASS: 0 to 255; the upper six bits are the DSCP, the lower two ECN. */
  tos?: number;
  /** The same as `ttl` for multicast, 0 to 255; 1, the system's default, is the local network. */
  multicastTtl?: number;
  /** IP_MULTICAST_LOOP: whether members on this host get what is sent; so they do by default. */
  multicastLoopback?: boolean;
  /** The interface multicast goes out by: its name, index, or one of its addresses. 0: any. */
  multicastInterface?: string | number;
  /** SO_RCVBUF: how much the system keeps for a receiver that is late; it drops the rest. */
  receiveBufferSize?: number;
  /** SO_SNDBUF. */
  sendBufferSize?: number;
}

/** What is said once. */
export interface UdpCommonOptions extends UdpSettings, DatagramOptions {
  /** IP_PKTINFO, IPV6_RECVPKTINFO: tells where each datagram was sent to, and how it came in. */
  packetInfo?: boolean;
  /** UDP_SEGMENT (Linux 4.18): hands runs of equal datagrams to the system as one. */
  gso?: boolean;
  /** UDP_GRO (Linux 5.0): takes runs of equal datagrams from the system as one. */
  gro?: boolean;
}

/** What has to be known before the socket is bound. */
export interface UdpBindOptions extends UdpCommonOptions {
  /** SO_REUSEADDR: several sockets may share the port, if all ask for it. */
  reuseAddress?: boolean;
  /** SO_REUSEPORT: likewise, and the system spreads what comes over them (Linux 3.9, FreeBSD 12; not macOS). */
  reusePort?: boolean;
  /** IPV6_V6ONLY: whether a socket on `'::'` leaves IPv4 alone; the system's default if left out. */
  ipv6Only?: boolean;
}

export interface UdpOptions extends UdpBindOptions {
  /** The local address: `'0.0.0.0'` (every IPv4 address) if left out. No names, no resolving. */
  address?: string;
  /** The local port; 0, the default, lets the system choose. */
  port?: number;
}

export interface UdpConnectOptions extends UdpBindOptions {
  /** Where to send, and from whom alone to receive. */
  address: string;
  port: number;
  /** Bind to this address, port or both first. */
  localAddress?: string;
  localPort?: number;
}

export interface MembershipOptions {
  /** The interface: its name, index, or one of its addresses; if left out, the system's choice. */
  interface?: string | number;
  /** Only what this address sends (source-specific multicast). */
  source?: string;
}

/** What the system has of what was asked for: see DatagramSender for `joinsBelow`. */
export interface UdpFound {
  readonly joinsBelow: number;
  readonly gro: boolean;
}

const MAX_BUFFER_SIZE = 0x7fff_ffff;
const MAX_INDEX = 0x7fff_ffff;
/** Longer ones could not be joined with a second, as short as it may be. */
const JOINS_BELOW = 65_507;

export function checkUdpSettings(options: UdpSettings): void {
  checkOptions('options', options);
  checkBoolean('options.broadcast', options.broadcast);
  checkBoolean('options.multicastLoopback', options.multicastLoopback);
  checkRange(options, 'ttl', 1, 255);
  checkRange(options, 'tos', 0, 255);
  checkRange(options, 'multicastTtl', 0, 255);
  checkRange(options, 'receiveBufferSize', 0, MAX_BUFFER_SIZE);
  checkRange(options, 'sendBufferSize', 0, MAX_BUFFER_SIZE);
  if (options.multicastInterface !== undefined) {
    interfaceIndex('options.multicastInterface', options.multicastInterface);
  }
}

/** An aborted signal is thrown, as the last check. */
export function checkUdpOptions(options: UdpBindOptions): void {
  checkUdpSettings(options);
  for (const name of [
    'reuseAddress',
    'reusePort',
    'ipv6Only',
    'packetInfo',
    'gso',
    'gro',
  ] as const) {
    checkBoolean(`options.${name}`, options[name]);
  }
  checkDatagramOptions(options);
}

function checkRange<K extends string>(
  options: Partial<Record<K, unknown>>,
  name: K,
  min: number,
  max: number,
): void {
  if (options[name] !== undefined) checkInteger(`options.${name}`, options[name], min, max);
}

/** The index of an interface; 0, or left out, leaves it to the system. */
function interfaceIndex(name: string, value: unknown): number {
  if (value === undefined) return 0;
  if (typeof value === 'number') {
    checkInteger(name, value, 0, MAX_INDEX);
    return value;
  }
  if (typeof value !== 'string') throw invalidType(name, 'of type string or number', value);
  const index = native.interfaceIndex(value);
  if (index > 0) return index;
  throw invalidValue(name, 'the name, index or address of an interface', value);
}

/** For `openSocket`, before the socket is bound. */
export function bindSettings(options: UdpBindOptions, family: Family): OptionSetting[] {
  return [
    [SocketOption.reuseAddress, options.reuseAddress],
    [SocketOption.reusePort, options.reusePort],
    [SocketOption.ipv6Only, family === 'IPv6' ? options.ipv6Only : undefined],
  ];
}

/** Sets what may be set at any time. Throws what the system refuses. */
export function applySettings(fd: number, family: Family, options: UdpSettings): void {
  const pairs: [number, number, number | boolean | undefined][] = [
    [SocketOption.ttl, SocketOption.hopLimit, options.ttl],
    [SocketOption.tos, SocketOption.trafficClass, options.tos],
    [SocketOption.multicastTtl, SocketOption.multicastHops, options.multicastTtl],
    [SocketOption.multicastLoopback, SocketOption.multicastLoopback6, options.multicastLoopback],
  ];
  set(fd, SocketOption.broadcast, options.broadcast);
  set(fd, SocketOption.receiveBufferSize, options.receiveBufferSize);
  set(fd, SocketOption.sendBufferSize, options.sendBufferSize);
  for (const [option, option6, value] of pairs) setForBoth(fd, family, option, option6, value);
  if (options.multicastInterface === undefined) return;
  const index = interfaceIndex('options.multicastInterface', options.multicastInterface);
  const result = native.multicastInterface(fd, index);
  if (result < 0) throw systemError(result, 'setsockopt', { fd });
}

/** Sets what is said once, and tells what of it the system has. */
export function applyOnce(fd: number, family: Family, options: UdpCommonOptions): UdpFound {
  setForBoth(fd, family, SocketOption.packetInfo, SocketOption.packetInfo6, options.packetInfo);
  // Asks for nothing yet: each message says its own.
  const segments = options.gso === true && native.setOption(fd, SocketOption.udpSegment, 0) >= 0;
  const gro = options.gro === true && native.setOption(fd, SocketOption.udpGro, 1) >= 0;
  return { joinsBelow: segments ? JOINS_BELOW : 0, gro };
}

/** Joins a multicast group, or leaves it. Throws what the system refuses. */
export function applyMembership(
  fd: number,
  joins: boolean,
  group: string,
  options: MembershipOptions,
): void {
  const slots = new Uint8Array(2 * SLOT_SIZE);
  slots.set(EncodedEndpoint.slotOf(encodeEndpoint('group', group, 0)));
  checkOptions('options', options);
  const index = interfaceIndex('options.interface', options.interface);
  let source = -1;
  if (options.source !== undefined) {
    source = SLOT_SIZE;
    const endpoint = encodeEndpoint('options.source', options.source, 0);
    slots.set(EncodedEndpoint.slotOf(endpoint), source);
  }
  const result = native.membership(fd, Number(joins), index, slots, 0, source);
  if (result < 0) throw systemError(result, 'setsockopt', { address: group });
}

function set(fd: number, option: number, value: number | boolean | undefined): void {
  if (value === undefined) return;
  const result = native.setOption(fd, option, Number(value));
  if (result < 0) throw systemError(result, 'setsockopt', { fd });
}

/** What IPv4 and IPv6 have each. A socket of IPv6 may have both; that it has not is no failure. */
function setForBoth(
  fd: number,
  family: Family,
  option: number,
  option6: number,
  value: number | boolean | undefined,
): void {
  if (value === undefined) return;
  if (family === 'IPv4') {
    set(fd, option, value);
    return;
  }
  set(fd, option6, value);
  native.setOption(fd, option, Number(value));
}
