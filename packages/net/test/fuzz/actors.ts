// What the fuzz knows of sockets: the least that every kind has. A new kind is one more class of
// these, and a line in the kit that makes them; players, plans and checks stay as they are.
import type { OwnedFd } from '@pollux/net';
import type { Dice } from './dice.js';

/** Who is told what happens to a stream. */
export interface StreamSink {
  onConnect(): void;
  /** `lent`: the bytes are good for the time of the call only. */
  onData(data: Buffer, lent?: boolean): void;
  /** Descriptors, the sink's to close, that came with what comes next. */
  onFds(fds: readonly OwnedFd[]): void;
  onEnd(): void;
  onDrain(): void;
  onError(error: Error): void;
  onClose(hadError: boolean): void;
}

/** What a kind of stream can do, where kinds differ. */
export interface StreamTraits {
  /** It is one of @pollux/net, on the reactor of the round. */
  readonly ours: boolean;
  /** Its listeners may throw and nothing is lost. */
  readonly throws: boolean;
  /** Its 'data' listeners may come and go and nothing is lost. */
  readonly listenersComeAndGo: boolean;
  /** It can be written to in 'end', though its end follows by itself. */
  readonly lastWords: boolean;
  /** Once it is destroyed, it tells nothing but errors and 'close'. */
  readonly quiet: boolean;
  /** It can be closed with a reset. */
  readonly resets: boolean;
}

/** One end of a stream. Its events go to `sink`, which may be changed at any time. */
export interface StreamActor {
  readonly kind: string;
  readonly traits: StreamTraits;
  sink: StreamSink;
  /** From here on it reads and writes in any of the ways there are, if there are several. */
  vary(dice: Dice): void;
  /** Listens for 'data' for good, for one event only, or not. At first nobody listens. */
  hear(how: 'always' | 'once' | 'not'): void;
  /** Adds or removes a listener that does nothing. */
  chatter(): void;
  write(data: Buffer): boolean;
  /** Sends descriptors, the caller's to close, with bytes. Only where the plan says that it can. */
  sendFds(data: Buffer, fds: readonly number[]): boolean;
  end(data?: Buffer): void;
  destroy(error?: Error): void;
  reset(): void;
  pause(): void;
  resume(): void;
  /** What it says of itself: bytes read and written; undefined if it does not count likewise. */
  counted(): { read: number; written: number } | undefined;
  toString(): string;
}

export interface ListenOptions {
  allowHalfOpen: boolean;
  highWaterMark: number;
}

/** Where to connect to: a port of the loopback, or the path of a Unix socket. */
export type Place = number | string;

/** A socket that listens. */
export interface ListenerActor {
  readonly kind: string;
  /** Its listeners may throw and nothing is lost. */
  readonly exact: boolean;
  /** Undefined until it is known. */
  readonly place: Place | undefined;
  readonly closed: boolean;
  /** Hands out what the system has accepted, if it can, and closes. */
  finish(): void;
  close(): void;
}

export interface ListenerSink {
  onConnection(stream: StreamActor): void;
  onError(error: Error): void;
  onClose(): void;
}

/** Makes streams of one kind. */
export interface StreamKit {
  readonly kind: string;
  listen(options: ListenOptions, sink: ListenerSink): ListenerActor;
  connect(place: Place, options: ListenOptions): StreamActor;
}

/** Makes streams that are connected from the first. */
export interface CoupleKit {
  readonly kind: string;
  couple(client: ListenOptions, server: ListenOptions): [StreamActor, StreamActor];
}

export interface Peer {
  readonly address: string;
  readonly port: number;
}

/** Who is told what happens to a datagram socket. */
export interface DatagramSink {
  onReady(): void;
  onMessage(data: Buffer, peer: Peer): void;
  onError(error: Error): void;
  onDrain(): void;
  onClose(): void;
}

export interface DatagramActor {
  readonly kind: string;
  /** Its listeners may throw; what it was given before `close` is sent. */
  readonly exact: boolean;
  sink: DatagramSink;
  chatter(): void;
  /** False: dropped. `data` may be used again at once. */
  send(data: Buffer, peer?: Peer): boolean;
  /** Sends datagrams of `size` bytes, the last may be shorter; kinds that cannot have none. */
  sendSegments?(data: Buffer, size: number, peer?: Peer): boolean;
  port(): number;
  /** Hands out what was received, and closes; kinds that cannot just close. */
  finish(): void;
  close(): void;
}

export interface DatagramOptions {
  /** Where it is connected to; bound to any port of the loopback if left out. */
  remote?: Peer;
  receiveBufferSize?: number;
  /** What else is chosen. */
  dice: Dice;
}

/** Makes datagram sockets of one kind. */
export interface DatagramKit {
  readonly kind: string;
  open(options: DatagramOptions): DatagramActor;
}

/** Swallows everything: for those who are not anybody's yet. */
export const nobody: StreamSink & DatagramSink = {
  onConnect() {},
  onData() {},
  onFds(fds) {
    for (const fd of fds) fd.close();
  },
  onEnd() {},
  onDrain() {},
  onError() {},
  onClose() {},
  onReady() {},
  onMessage() {},
};

export const LOOPBACK = '127.0.0.1';
