// The sockets of node:net and node:dgram as actors: the peers that know nothing of Pollux.
import { strict as assert } from 'node:assert';
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import net from 'node:net';
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
  type Place,
  type StreamActor,
  type StreamKit,
  type StreamSink,
  type StreamTraits,
} from './actors.js';

const ignore = () => {};

const TRAITS: StreamTraits = {
  ours: false,
  throws: false,
  listenersComeAndGo: false,
  // node:net takes a write in 'end' for one after the end, unless half-open is allowed.
  lastWords: false,
  // What it had buffered it may still hand out.
  quiet: false,
  resets: true,
};

export class NodeStream implements StreamActor {
  readonly kind: string;
  readonly traits = TRAITS;
  sink: StreamSink = nobody;
  readonly #socket: net.Socket;
  readonly #onData = (data: Buffer) => this.sink.onData(data);
  #chatters = false;

  constructor(socket: net.Socket, kind = 'node') {
    this.#socket = socket;
    this.kind = kind;
    socket.on('connect', () => this.sink.onConnect());
    socket.on('end', () => this.sink.onEnd());
    socket.on('drain', () => this.sink.onDrain());
    socket.on('error', (error) => this.sink.onError(error));
    socket.on('close', (hadError) => this.sink.onClose(hadError));
  }

  vary(): void {}

  hear(how: 'always' | 'once' | 'not'): void {
    this.#socket.off('data', this.#onData);
    if (how !== 'not') this.#socket.on('data', this.#onData);
  }

  chatter(): void {
    if (this.#chatters) this.#socket.off('drain', ignore);
    else this.#socket.on('drain', ignore);
    this.#chatters = !this.#chatters;
  }

  write(data: Buffer): boolean {
    return this.#socket.write(data);
  }

  sendFds(): boolean {
    assert.fail('Node passes no descriptors this way');
  }

  end(data?: Buffer): void {
    if (data === undefined) this.#socket.end();
    else this.#socket.end(data);
  }

  destroy(error?: Error): void {
    this.#socket.destroy(error);
  }

  reset(): void {
    // There is no reset of a Unix connection.
    if (this.kind === 'node') this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  counted(): undefined {
    return undefined;
  }

  toString(): string {
    const { connecting, destroyed, writableLength, bytesRead, bytesWritten } = this.#socket;
    const { readableEnded, writableFinished, readableFlowing } = this.#socket;
    const state = { connecting, destroyed, readableFlowing, readableEnded, writableFinished };
    return JSON.stringify({ ...state, writableLength, bytesRead, bytesWritten });
  }
}

export class NodeStreams implements StreamKit {
  readonly kind: string;
  readonly #newPath: (() => string) | undefined;

  /** With `newPath`, of Unix streams. */
  constructor(newPath?: () => string) {
    this.kind = newPath === undefined ? 'node' : 'unix-node';
    this.#newPath = newPath;
  }

  listen({ allowHalfOpen }: ListenOptions, sink: ListenerSink): ListenerActor {
    const server = net.createServer({ allowHalfOpen }, (socket) =>
      sink.onConnection(new NodeStream(socket, this.kind)),
    );
    server.on('error', (error) => sink.onError(error));
    // Node's 'close' of a server waits for its connections; those are counted by themselves.
    if (this.#newPath === undefined) server.listen(0, LOOPBACK);
    else server.listen(this.#newPath());
    let closed = false;
    const close = () => {
      if (closed) return;
      closed = true;
      server.close();
      sink.onClose();
    };
    return {
      kind: this.kind,
      exact: false,
      get place() {
        const address = server.address();
        return typeof address === 'string' ? address : address?.port;
      },
      get closed() {
        return closed;
      },
      finish: close,
      close,
    };
  }

  connect(place: Place, { allowHalfOpen }: ListenOptions): StreamActor {
    const where = typeof place === 'string' ? { path: place } : { port: place, host: LOOPBACK };
    return new NodeStream(net.connect({ ...where, allowHalfOpen }), this.kind);
  }
}

class NodeDatagrams implements DatagramActor {
  readonly kind = 'node';
  readonly exact = false;
  sink: DatagramSink = nobody;
  readonly #socket: DatagramSocket;

  constructor(socket: DatagramSocket) {
    this.#socket = socket;
    socket.on('message', (data, peer) => this.sink.onMessage(data, peer));
    socket.on('error', (error) => this.sink.onError(error));
    socket.on('close', () => this.sink.onClose());
  }

  chatter(): void {}

  send(data: Buffer, peer?: Peer): boolean {
    // It keeps the data until it is sent, so it gets a copy.
    const copy = Buffer.from(data);
    const failed = (error: Error | null) => {
      if (error !== null) this.sink.onError(error);
    };
    if (peer === undefined) this.#socket.send(copy, failed);
    else this.#socket.send(copy, peer.port, peer.address, failed);
    return true;
  }

  port(): number {
    return this.#socket.address().port;
  }

  finish(): void {
    this.#socket.close();
  }

  close(): void {
    this.#socket.close();
  }
}

export class NodeDatagramKit implements DatagramKit {
  readonly kind = 'node';

  open({ remote, receiveBufferSize }: DatagramOptions): DatagramActor {
    const size = receiveBufferSize === undefined ? {} : { recvBufferSize: receiveBufferSize };
    const socket = createSocket({ type: 'udp4', ...size });
    const actor = new NodeDatagrams(socket);
    const ready = () => actor.sink.onReady();
    if (remote === undefined) socket.bind(0, LOOPBACK, ready);
    else socket.connect(remote.port, remote.address, ready);
    return actor;
  }
}
