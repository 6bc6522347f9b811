// The sockets of @pollux/net as actors: the public surface, and nothing else.
import type { Reactor } from '@pollux/core';
import { TcpListener, TcpStream, UdpSocket } from '@pollux/net';
import {
  type DatagramActor,
  type DatagramKit,
  type DatagramOptions,
  type DatagramSink,
  type ListenerActor,
  type ListenerSink,
  type ListenOptions,
  LOOPBACK,
  nobody,
  type Peer,
  type StreamActor,
  type StreamKit,
  type StreamSink,
  type StreamTraits,
} from './actors.js';

const ignore = () => {};
/** Events that listeners may be added to and removed from without any effect. */
const CHATTER = ['data', 'end', 'drain', 'close'] as const;
let turn = 0;

const TRAITS: StreamTraits = {
  throws: true,
  listenersComeAndGo: true,
  lastWords: true,
  quiet: true,
  resets: 'resetAndDestroy' in TcpStream.prototype,
};

class PolluxStream implements StreamActor {
  readonly kind = 'pollux';
  readonly traits = TRAITS;
  sink: StreamSink = nobody;
  readonly #stream: TcpStream;
  readonly #onData = (data: Buffer) => this.sink.onData(data);
  #always = false;

  constructor(stream: TcpStream) {
    this.#stream = stream;
    stream.on('connect', () => this.sink.onConnect());
    stream.on('end', () => this.sink.onEnd());
    stream.on('drain', () => this.sink.onDrain());
    stream.on('error', (error) => this.sink.onError(error));
    stream.on('close', (hadError) => this.sink.onClose(hadError));
  }

  hear(how: 'always' | 'once' | 'not'): void {
    this.#always = how === 'always';
    this.#stream.off('data', this.#onData);
    if (!this.#always) this.#stream.off('data', ignore);
    if (how === 'always') this.#stream.on('data', this.#onData);
    if (how === 'once') this.#stream.once('data', this.#onData);
  }

  chatter(): void {
    // Any listener for 'data' makes it read: only beside one that is there for good.
    const from = this.#always ? 0 : 1;
    const event = CHATTER[from + (turn++ % (CHATTER.length - from))] as 'end';
    if (this.#stream.listeners(event).includes(ignore)) this.#stream.off(event, ignore);
    else this.#stream.on(event, ignore);
  }

  write(data: Buffer): boolean {
    return this.#stream.write(data);
  }

  end(data?: Buffer): void {
    this.#stream.end(data);
  }

  destroy(error?: Error): void {
    this.#stream.destroy(error);
  }

  reset(): void {
    const stream = this.#stream as TcpStream & { resetAndDestroy?(): void };
    if (stream.resetAndDestroy === undefined) stream.destroy();
    else stream.resetAndDestroy();
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  counted(): { read: number; written: number } {
    return { read: this.#stream.bytesRead, written: this.#stream.bytesWritten };
  }

  toString(): string {
    const { connecting, destroyed, queuedBytes, bytesRead, bytesWritten } = this.#stream;
    const listeners = this.#stream.listenerCount('data');
    const paused = this.#stream.isPaused();
    const state = { connecting, destroyed, paused, listeners, queuedBytes };
    return JSON.stringify({ ...state, bytesRead, bytesWritten });
  }
}

export class PolluxStreams implements StreamKit {
  readonly kind = 'pollux';
  readonly #reactor: Reactor;

  constructor(reactor: Reactor) {
    this.#reactor = reactor;
  }

  listen(options: ListenOptions, sink: ListenerSink): ListenerActor {
    const listener = TcpListener.listen(this.#reactor, { address: LOOPBACK, ...options });
    listener.on('connection', (stream) => sink.onConnection(new PolluxStream(stream)));
    listener.on('error', (error) => sink.onError(error));
    listener.on('close', () => sink.onClose());
    const { port } = listener.address();
    return {
      kind: this.kind,
      exact: true,
      port,
      get closed() {
        return listener.closed;
      },
      finish: () => listener.finish(0),
      close: () => listener.close(),
    };
  }

  connect(port: number, options: ListenOptions): StreamActor {
    return new PolluxStream(
      TcpStream.connect(this.#reactor, { address: LOOPBACK, port, ...options }),
    );
  }
}

class PolluxDatagrams implements DatagramActor {
  readonly kind = 'pollux';
  readonly exact = true;
  sink: DatagramSink = nobody;
  readonly #socket: UdpSocket;

  constructor(socket: UdpSocket) {
    this.#socket = socket;
    socket.on('message', (data, peer) => this.sink.onMessage(data, peer));
    socket.on('error', (error) => this.sink.onError(error));
    socket.on('drain', () => this.sink.onDrain());
    socket.on('close', () => this.sink.onClose());
    queueMicrotask(() => this.sink.onReady());
  }

  chatter(): void {
    if (this.#socket.listeners('message').includes(ignore)) this.#socket.off('message', ignore);
    else this.#socket.on('message', ignore);
  }

  send(data: Buffer, peer?: Peer): boolean {
    return peer === undefined ? this.#socket.send(data) : this.#socket.send(data, peer);
  }

  port(): number {
    return this.#socket.address().port;
  }

  finish(): void {
    this.#socket.finish();
  }

  close(): void {
    this.#socket.close();
  }
}

export class PolluxDatagramKit implements DatagramKit {
  readonly kind = 'pollux';
  readonly #reactor: Reactor;

  constructor(reactor: Reactor) {
    this.#reactor = reactor;
  }

  open({ remote, ...options }: DatagramOptions): DatagramActor {
    const reactor = this.#reactor;
    const socket =
      remote === undefined
        ? UdpSocket.bind(reactor, { address: LOOPBACK, ...options })
        : UdpSocket.connect(reactor, { ...remote, ...options });
    return new PolluxDatagrams(socket);
  }
}
