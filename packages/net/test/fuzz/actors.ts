// What the fuzz knows of sockets: the least that every kind has. A new kind (Unix sockets, raw
// callbacks) is one more class of these, and a line in the kit that makes them; players, plans and
// checks stay as they are.

/** Who is told what happens to a stream. */
export interface StreamSink {
  onConnect(): void;
  onData(data: Buffer): void;
  onEnd(): void;
  onDrain(): void;
  onError(error: Error): void;
  onClose(hadError: boolean): void;
}

/** What a kind of stream can do, where kinds differ. */
export interface StreamTraits {
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
  /** Listens for 'data' for good, for one event only, or not. At first nobody listens. */
  hear(how: 'always' | 'once' | 'not'): void;
  /** Adds or removes a listener that does nothing. */
  chatter(): void;
  write(data: Buffer): boolean;
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

/** A socket that listens on the loopback. */
export interface ListenerActor {
  readonly kind: string;
  /** Its listeners may throw and nothing is lost. */
  readonly exact: boolean;
  /** Undefined until it is known. */
  readonly port: number | undefined;
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
  connect(port: number, options: ListenOptions): StreamActor;
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
  port(): number;
  /** Hands out what was received, and closes; kinds that cannot just close. */
  finish(): void;
  close(): void;
}

export interface DatagramOptions {
  /** Where it is connected to; bound to any port of the loopback if left out. */
  remote?: Peer;
  receiveBufferSize?: number;
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
  onEnd() {},
  onDrain() {},
  onError() {},
  onClose() {},
  onReady() {},
  onMessage() {},
};

export const LOOPBACK = '127.0.0.1';
