// The streams of @pollux/net as actors: the public surface, and nothing else. Each may be used in all
// the ways there are of doing the same: `'data'`, `receive` or a loop; `write`, `writeSlice`, `writev`,
// with or without a cork.
import type { Reactor } from '@pollux/core';
import { TcpListener, TcpStream, UnixListener, UnixStream } from '@pollux/net';
import {
  type ListenerActor,
  type ListenerSink,
  type ListenOptions,
  LOOPBACK,
  nobody,
  type Place,
  type StreamActor,
  type StreamKit,
  type StreamSink,
  type StreamTraits,
} from './actors.js';
import type { Dice } from './dice.js';

const ignore = () => {};
/** Events that listeners may be added to and removed from without any effect. */
const CHATTER = ['data', 'end', 'drain', 'close'] as const;
const PAD = 7;
let turn = 0;

const TRAITS: StreamTraits = {
  ours: true,
  throws: true,
  listenersComeAndGo: true,
  lastWords: true,
  quiet: true,
  resets: true,
};

export class PolluxStream implements StreamActor {
  readonly kind: string;
  readonly traits = TRAITS;
  sink: StreamSink = nobody;
  readonly #stream: TcpStream | UnixStream;
  readonly #onData = (data: Buffer) => this.sink.onData(data);
  #always = false;
  #reads: 'data' | 'receive' | 'loop' = 'data';
  #loops = false;
  #dice: Dice | undefined;

  constructor(stream: TcpStream | UnixStream, kind: string) {
    this.#stream = stream;
    this.kind = kind;
    stream.on('connect', () => this.sink.onConnect());
    stream.on('end', () => this.sink.onEnd());
    stream.on('drain', () => this.sink.onDrain());
    stream.on('error', (error) => this.sink.onError(error));
    stream.on('close', (hadError) => this.sink.onClose(hadError));
    if (stream instanceof UnixStream) stream.on('fds', (fds) => this.sink.onFds(fds));
  }

  vary(dice: Dice): void {
    this.#dice = dice;
    this.#reads = dice.pick(['data', 'receive', 'receive', 'loop'] as const);
    // Nothing else comes of it than an event.
    if (dice.once(4)) this.#stream.setTimeout(dice.between(1, 20), ignore);
  }

  hear(how: 'always' | 'once' | 'not'): void {
    const stream = this.#stream;
    this.#always = how === 'always';
    stream.off('data', this.#onData);
    if (!this.#always) stream.off('data', ignore);
    stream.receive(undefined);
    if (this.#reads === 'receive' && how !== 'not') {
      stream.receive((buffer, offset, length) => {
        if (!this.#always) stream.receive(undefined);
        this.sink.onData(buffer.subarray(offset, offset + length), true);
      });
    } else if (this.#reads === 'loop' && this.#always) void this.#loop();
    else if (how === 'always') stream.on('data', this.#onData);
    else if (how === 'once') stream.once('data', this.#onData);
  }

  /** A loop is for good. */
  async #loop(): Promise<void> {
    if (this.#loops) return;
    this.#loops = true;
    try {
      for await (const data of this.#stream) {
        if (this.#stream.destroyed) return;
        try {
          this.sink.onData(data);
        } catch (error) {
          // In here it would end the loop, and the stream.
          setImmediate(() => {
            throw error;
          });
        }
      }
    } catch {
      // What breaks the stream is told to the listener for 'error' too.
    }
  }

  chatter(): void {
    // Any listener for 'data' makes it read: only beside one that is there for good.
    const from = this.#always ? 0 : 1;
    const event = CHATTER[from + (turn++ % (CHATTER.length - from))] as 'end';
    if (this.#stream.listeners(event).includes(ignore)) this.#stream.off(event, ignore);
    else this.#stream.on(event, ignore);
  }

  write(data: Buffer): boolean {
    const stream = this.#stream;
    const dice = this.#dice;
    if (dice === undefined) return stream.write(data);
    if (dice.once(8)) this.#cork(dice);
    const cut = dice.below(data.length + 1);
    switch (dice.below(4)) {
      case 0: {
        const larger = Buffer.alloc(data.length + 2 * PAD, 0xee);
        data.copy(larger, PAD);
        return stream.writeSlice(larger, PAD, data.length);
      }
      case 1:
        return stream.writev([data.subarray(0, cut), data.subarray(cut)]);
      default:
        return stream.write(data);
    }
  }

  sendFds(data: Buffer, fds: readonly number[]): boolean {
    return (this.#stream as UnixStream).sendFds(data, fds);
  }

  #cork(dice: Dice): void {
    const stream = this.#stream;
    stream.cork();
    const uncork = () => stream.uncork();
    switch (dice.below(5)) {
      case 0:
        process.nextTick(uncork);
        break;
      case 1:
        queueMicrotask(uncork);
        break;
      case 2:
        setImmediate(uncork);
        break;
      case 3:
        setTimeout(uncork, 2);
        break;
      default:
        stream.uncork();
        if (dice.once(2)) stream.flush();
    }
  }

  end(data?: Buffer): void {
    this.#stream.end(data);
  }

  destroy(error?: Error): void {
    this.#stream.destroy(error);
  }

  reset(): void {
    if (this.#stream instanceof TcpStream) this.#stream.resetAndDestroy();
    else this.#stream.destroy();
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
    const fds = this.#stream instanceof UnixStream ? this.#stream.queuedFds : 0;
    const state = { connecting, destroyed, paused, listeners, queuedBytes, fds };
    return JSON.stringify({ ...state, reads: this.#reads, bytesRead, bytesWritten });
  }
}

/** Of TCP, or with `newPath` of Unix. */
export class PolluxStreams implements StreamKit {
  readonly kind: string;
  readonly #reactor: Reactor;
  readonly #newPath: (() => string) | undefined;

  constructor(reactor: Reactor, newPath?: () => string) {
    this.kind = newPath === undefined ? 'pollux' : 'unix';
    this.#reactor = reactor;
    this.#newPath = newPath;
  }

  listen(options: ListenOptions, sink: ListenerSink): ListenerActor {
    const { kind } = this;
    const listener =
      this.#newPath === undefined
        ? TcpListener.listen(this.#reactor, { address: LOOPBACK, ...options })
        : UnixListener.listen(this.#reactor, { path: this.#newPath(), ...options });
    const heard = listener as TcpListener; // of what both have
    heard.on('connection', (stream) => sink.onConnection(new PolluxStream(stream, kind)));
    heard.on('error', (error) => sink.onError(error));
    heard.on('close', () => sink.onClose());
    return {
      kind,
      exact: true,
      place: listener instanceof UnixListener ? listener.path : listener.address().port,
      get closed() {
        return listener.closed;
      },
      finish: () => {
        if (listener instanceof UnixListener) listener.finish();
        else listener.finish(0);
      },
      close: () => listener.close(),
    };
  }

  connect(place: Place, options: ListenOptions): StreamActor {
    return new PolluxStream(connect(this.#reactor, place, options), this.kind);
  }
}

export function connect(
  reactor: Reactor,
  place: Place,
  options: Partial<ListenOptions>,
): TcpStream | UnixStream {
  if (typeof place === 'string') return UnixStream.connect(reactor, { path: place, ...options });
  return TcpStream.connect(reactor, { address: LOOPBACK, port: place, ...options });
}
