// Pipes and sockets in every state that a poller has to tell apart: close-on-exec, nonblocking, on
// the loopback.
import { check, checkPair, checkUnlessAgain, errnoName, has, native, toBytes } from './native.js';

const socketTypes = ['stream', 'dgram', 'seqpacket'] as const;
const directions = ['read', 'write', 'both'] as const;

export type SocketType = (typeof socketTypes)[number];

export interface Bound {
  readonly fd: number;
  readonly port: number;
}

/**
 * Where pipes cannot be polled, `pipe` gives a TCP connection: its reader is writable too, and a write
 * to a reader that is gone is refused some time later.
 */
export const pipesAreSockets: boolean = !has('pipe');

/** pipe(2): [reader, writer]; where pipes cannot be polled, a TCP connection used one way. */
export function pipe(): [reader: number, writer: number] {
  return has('pipe') ? realPipe() : checkPair((out) => native.pipeByTcp(out), 'pipe');
}

/** pipe(2) and nothing else. */
export function realPipe(): [reader: number, writer: number] {
  return checkPair((out) => native.pipe(out), 'pipe');
}

/** Two connected Unix sockets; where there are none, a stream or datagrams over the loopback. */
export function socketpair(type: SocketType = 'stream'): [first: number, second: number] {
  if (has('socketpair')) return unixPair(type);
  return checkPair((out) => native.pairByLoopback(socketTypes.indexOf(type), out), 'socketpair');
}

/** Two connected Unix sockets and nothing else. */
export function unixPair(type: SocketType): [first: number, second: number] {
  return checkPair((out) => native.socketpair(socketTypes.indexOf(type), out), 'socketpair');
}

/** A connected TCP pair, both ends with TCP_NODELAY: [client, server]. */
export function tcpPair(): [client: number, server: number] {
  return checkPair((out) => native.tcpPair(out), 'connect');
}

/** A TCP socket that listens on a free port. */
export function tcpListener(): Bound {
  return bound((port) => native.tcpListener(port), 'listen');
}

/** A TCP socket that was never bound or connected. */
export function tcpSocket(): number {
  return check(native.tcpSocket(), 'socket');
}

/** Starts a TCP connection and does not wait for it. */
export function connectNonblocking(port: number): number {
  return check(native.tcpConnect(port), 'connect');
}

/** The same, with 536-byte segments and room for 4 KiB: what the peer sends is soon too much. */
export function connectNarrow(port: number): number {
  return check(native.tcpConnectNarrow(port), 'connect');
}

/** A TCP socket whose connection is refused; socketError(fd) tells, once. */
export function refusedConnect(): number {
  return check(native.refusedConnect(), 'connect');
}

/** Accepts a connection; null when there is none yet. */
export function accept(fd: number): number | null {
  return checkUnlessAgain(native.accept(fd), 'accept');
}

/** A UDP socket bound to a free port. */
export function udpSocket(): Bound {
  return bound((port) => native.udpSocket(port), 'bind');
}

/** Connects a UDP socket to a port of the loopback. */
export function udpConnect(fd: number, port: number): void {
  check(native.udpConnect(fd, port), 'connect');
}

/** Sends a datagram to a port of the loopback and returns its length. */
export function udpSendTo(fd: number, port: number, bytes: Uint8Array | string): number {
  return check(native.udpSendTo(fd, port, toBytes(bytes)), 'sendto');
}

/** A Unix socket that listens at a path. */
export function unixListener(path: string, type: 'stream' | 'seqpacket' = 'stream'): number {
  return check(native.unixBind(path, socketTypes.indexOf(type)), 'bind');
}

/** A Unix socket connected to a path; the type is that of who is bound there. */
export function unixConnect(path: string, type: SocketType = 'stream'): number {
  return check(native.unixConnect(path, socketTypes.indexOf(type)), 'connect');
}

/** A Unix datagram socket, bound to a path if one is given. */
export function unixDgram(path?: string): number {
  if (path === undefined) return check(native.unixDgram(), 'socket');
  return check(native.unixBind(path, socketTypes.indexOf('dgram')), 'bind');
}

/** shutdown(2) of one direction or both. */
export function shutdown(fd: number, how: 'read' | 'write' | 'both'): void {
  check(native.shutdown(fd, directions.indexOf(how)), 'shutdown');
}

/** send(2): returns how many bytes were taken. */
export function send(fd: number, bytes: Uint8Array): number {
  return check(native.send(fd, bytes), 'send');
}

/** recv(2): returns how many bytes came, 0 at the end. */
export function recv(fd: number, into: Uint8Array): number {
  return check(native.recv(fd, into), 'recv');
}

/** Sends one urgent (out-of-band) byte over TCP. */
export function sendUrgent(fd: number, byte: number): void {
  check(native.sendUrgent(fd, byte), 'send');
}

/** Receives the urgent byte; null when it has not arrived yet. EINVAL when none was sent. */
export function recvUrgent(fd: number): number | null {
  return checkUnlessAgain(native.recvUrgent(fd), 'recv');
}

/** Makes close(2) of a TCP socket send a reset (SO_LINGER of zero). */
export function resetOnClose(fd: number): void {
  check(native.resetOnClose(fd), 'setsockopt');
}

/** Takes the error that the socket keeps (SO_ERROR): its code, or null. */
export function socketError(fd: number): string | null {
  const errno = check(native.socketError(fd), 'getsockopt');
  return errno === 0 ? null : errnoName(-errno);
}

function bound(call: (port: Int32Array) => number, syscall: string): Bound {
  const port = new Int32Array(1);
  const fd = check(call(port), syscall);
  return { fd, port: port[0]! };
}
