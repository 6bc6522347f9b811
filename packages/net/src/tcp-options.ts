// The options of TCP sockets, their checks, and what they are to the system.
import { checkSignal, invalidValue } from '@pollux/core';
import type { OptionSetting } from './descriptor.js';
import { SocketOption } from './native.js';
import {
  type AbortOptions,
  type ConnectTiming,
  checkConnectTiming,
  checkStreamOptions,
  type StreamOptions,
} from './stream-options.js';
import { checkBoolean, checkDelay, checkInteger, checkPort, MAX_DELAY } from './validate.js';

export interface TcpStreamOptions extends StreamOptions {
  /** TCP_NODELAY; true if left out, since writes of one callback are sent together anyway. */
  noDelay?: boolean;
  /** SO_KEEPALIVE: an idle connection is probed, and breaks (ETIMEDOUT) if nobody answers. */
  keepAlive?: boolean;
  /** TCP_KEEPIDLE: silence before the first probe, in milliseconds; the system's (2 hours) if 0. */
  keepAliveInitialDelay?: number;
  /** TCP_KEEPINTVL: between two probes, in milliseconds; the system's (75 s) if 0. */
  keepAliveInterval?: number;
  /** TCP_KEEPCNT: unanswered probes that break the connection; the system's (9) if 0. */
  keepAliveProbes?: number;
  /**
   * TCP_USER_TIMEOUT: milliseconds that bytes may be on their way without an answer before the
   * connection breaks (ETIMEDOUT); the system's (some 15 minutes) if left out. Linux.
   */
  userTimeoutMs?: number;
  /** IP_TTL or IPV6_UNICAST_HOPS: routers that a packet may pass, 1 to 255. */
  ttl?: number;
  /** IP_TOS or IPV6_TCLASS: the priority in each packet's header, 0 to 255. */
  tos?: number;
  /** SO_RCVBUF in bytes; Linux doubles it, and no longer adapts it to the connection. */
  receiveBufferSize?: number;
  /** SO_SNDBUF in bytes; likewise. */
  sendBufferSize?: number;
}

export interface TcpConnectOptions extends TcpStreamOptions, ConnectTiming, AbortOptions {
  /** An IPv4 or IPv6 address; no name: see `TcpStream.open`. */
  address?: string;
  /**
   * In place of `address`: several, tried in this order (RFC 8305): the next one when the one before
   * is refused, or beside it after `attemptDelayMs`. The first that answers is taken.
   */
  addresses?: readonly (string | { readonly address: string; readonly port?: number })[];
  /** May be left out if each of the `addresses` has one. */
  port?: number;
  /** To connect from; the system chooses if left out. */
  localAddress?: string;
  /** To connect from; 0, the default, lets the system choose. */
  localPort?: number;
}

export function checkTcpStreamOptions(options: TcpStreamOptions): void {
  checkStreamOptions(options);
  checkBoolean('options.noDelay', options.noDelay);
  checkBoolean('options.keepAlive', options.keepAlive);
  checkKeepAlive('options.keepAliveInitialDelay', options.keepAliveInitialDelay ?? 0);
  checkKeepAlive('options.keepAliveInterval', options.keepAliveInterval ?? 0);
  checkInteger('options.keepAliveProbes', options.keepAliveProbes ?? 0, 0, MAX_PROBES);
  checkDelay('options.userTimeoutMs', options.userTimeoutMs ?? 0, MAX_DELAY);
  if (options.ttl !== undefined) checkInteger('options.ttl', options.ttl, 1, 255);
  if (options.tos !== undefined) checkInteger('options.tos', options.tos, 0, 255);
  for (const name of ['receiveBufferSize', 'sendBufferSize'] as const) {
    const size = options[name];
    if (size !== undefined) checkInteger(`options.${name}`, size, 1, 0x3fff_ffff);
  }
}

export function checkTcpConnectOptions(options: TcpConnectOptions): void {
  checkTcpStreamOptions(options);
  checkConnectTiming(options);
  checkPort('options.localPort', options.localPort ?? 0, 0);
  if (options.address !== undefined && options.addresses !== undefined) {
    throw invalidValue('options.address', 'left out beside "options.addresses"', options.address);
  }
  checkSignal(options.signal);
}

/** What the kernel takes: MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL and MAX_TCP_KEEPCNT of Linux. */
const MAX_KEEPALIVE_MS = 32_767_000;
export const MAX_PROBES = 127;

export function checkKeepAlive(name: string, value: unknown): void {
  checkDelay(name, value, MAX_KEEPALIVE_MS);
}

/** The system's unit; never less than was asked for. 0 leaves what there is. */
function seconds(ms: number | undefined): number | undefined {
  return ms === undefined || ms === 0 ? undefined : Math.ceil(ms / 1000);
}

export function keepAliveSettings(
  options: Pick<
    TcpStreamOptions,
    'keepAlive' | 'keepAliveInitialDelay' | 'keepAliveInterval' | 'keepAliveProbes'
  >,
): OptionSetting[] {
  return [
    [SocketOption.keepAliveIdle, seconds(options.keepAliveInitialDelay)],
    [SocketOption.keepAliveInterval, seconds(options.keepAliveInterval)],
    [SocketOption.keepAliveProbes, options.keepAliveProbes || undefined],
    [SocketOption.keepAlive, options.keepAlive],
  ];
}

/** The settings of a connection's socket that were asked for, and no others. */
export function tcpSettings(
  options: TcpStreamOptions,
  family: 'IPv4' | 'IPv6',
): readonly OptionSetting[] {
  const { ttl, tos } = options;
  const { userTimeoutMs } = options;
  const all: OptionSetting[] = [
    [SocketOption.noDelay, options.noDelay ?? true],
    ...keepAliveSettings(options),
    [SocketOption.userTimeout, userTimeoutMs === undefined ? undefined : Math.ceil(userTimeoutMs)],
    [SocketOption.receiveBufferSize, options.receiveBufferSize],
    [SocketOption.sendBufferSize, options.sendBufferSize],
  ];
  if (family === 'IPv6') {
    all.push([SocketOption.hopLimit, ttl], [SocketOption.trafficClass, tos]);
    // For the IPv4 peers of an IPv6 socket, where it may have any.
    all.push([SocketOption.ttl, ttl, 'optional'], [SocketOption.tos, tos, 'optional']);
  } else {
    all.push([SocketOption.ttl, ttl], [SocketOption.tos, tos]);
  }
  return all.filter(([, value]) => value !== undefined);
}
