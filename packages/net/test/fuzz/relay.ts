// A relay between the two ends of a connection, all of it on the reactor of the round: what it
// receives it passes on from where it lies in a slab, never by way of a copy of its own. Between its
// own two ends there may be another hop: a stream that is sent its own slices back, or a pair of
// datagram sockets. The ends know nothing of this; they check their bytes as ever.
import type { Reactor } from '@pollux/core';
import {
  type OwnedFd,
  TcpListener,
  type TcpStream,
  UnixDatagramSocket,
  UnixListener,
  UnixStream,
} from '@pollux/net';
import { LOOPBACK, type Place } from './actors.js';
import { connect } from './actors-pollux.js';
import type { Dice } from './dice.js';
import type { StreamWorld } from './stream-world.js';

type Stream = TcpStream | UnixStream;
type Hop = 'none' | 'echo' | 'datagrams';

export interface RelayOptions {
  reactor: Reactor;
  /** Where it connects to when somebody has connected to it. */
  target: Place;
  /** Where it listens; a port of its own if left out. */
  path: string | undefined;
  dice: Dice;
  world: Pick<StreamWorld, 'count' | 'makePlanned' | 'meddle'>;
  /** It passes descriptors on; all that it connects are Unix streams then. */
  passesFds: boolean;
  /** One of so many callbacks throws, or does something to others; 0: none. */
  mischief: number;
}

const MARKS = [0, 1, 1000, 65_536, 1 << 20] as const;
const ignore = () => {};

export class Relay {
  readonly place: Place;
  readonly #options: RelayOptions;
  readonly #dice: Dice;
  readonly #listener: TcpListener | UnixListener;
  readonly #carried = new Set<OwnedFd>();
  readonly #sockets: (Stream | UnixDatagramSocket)[] = [];

  constructor(options: RelayOptions) {
    this.#options = options;
    this.#dice = options.dice;
    const { reactor, path } = options;
    const common = { allowHalfOpen: true, highWaterMark: this.#dice.pick(MARKS) };
    this.#listener =
      path === undefined
        ? TcpListener.listen(reactor, { address: LOOPBACK, ...common })
        : UnixListener.listen(reactor, { path, ...common });
    const listener = this.#listener as TcpListener; // of what both have
    listener.on('connection', (stream) => {
      listener.close();
      this.#begin(stream);
    });
    this.place =
      this.#listener instanceof UnixListener ? this.#listener.path : this.#listener.address().port;
  }

  /** The reactor was closed: what was under way is nobody's any more. */
  abandon(): void {
    for (const fd of this.#carried) fd.close();
  }

  get closed(): boolean {
    return this.#listener.closed && this.#sockets.every(({ closed }) => closed);
  }

  /** Takes nobody more. */
  close(): void {
    this.#listener.close();
  }

  toString(): string {
    const sockets = this.#sockets.map((socket) => {
      const { closed, queuedBytes } = socket;
      const name = socket.constructor.name;
      return `${name} ${JSON.stringify({ closed, paused: socket.isPaused(), queuedBytes })}`;
    });
    return `relay ${this.#listener.closed ? '' : 'listening '}${sockets.join(', ')}`;
  }

  #begin(near: Stream): void {
    const { reactor, target } = this.#options;
    const highWaterMark = this.#dice.pick(MARKS);
    const far = connect(reactor, target, { allowHalfOpen: true, highWaterMark });
    this.#sockets.push(near, far);
    for (const each of [near, far]) (each as TcpStream).on('error', ignore);
    this.#between(near, far);
    this.#between(far, near);
  }

  #between(from: Stream, to: Stream): void {
    const { passesFds } = this.#options;
    const hop: Hop = passesFds ? 'none' : this.#dice.pick(['none', 'none', 'echo', 'datagrams']);
    if (hop === 'none') this.#forward(from, to);
    else if (hop === 'echo') this.#byEcho(from, to);
    else this.#byDatagrams(from, to);
    bind(from, to);
  }

  #byEcho(from: Stream, to: Stream): void {
    const highWaterMark = this.#dice.pick(MARKS);
    const [near, far] = UnixStream.pair(this.#options.reactor, {
      ...{ allowHalfOpen: true, highWaterMark },
    });
    this.#sockets.push(near, far);
    for (const each of [near, far]) each.on('error', ignore);
    this.#forward(from, near);
    this.#forward(far, far);
    this.#forward(near, to);
    bind(from, near);
    bind(near, to);
    bind(far, near);
  }

  /** The end is an empty datagram. */
  #byDatagrams(from: Stream, to: Stream): void {
    const { reactor } = this.#options;
    const [near, far] = UnixDatagramSocket.pair(reactor, { maxQueuedBytes: 0x7fff_ffff });
    this.#sockets.push(near, far);
    for (const each of [near, far]) each.on('error', ignore);
    from.receive((buffer, offset, length) => {
      this.#options.world.count('relayed');
      near.sendSlice(buffer, offset, length);
      this.#mischief();
    });
    (from as TcpStream).on('end', () => near.closed || near.send(''));
    far.receive((buffer, offset, length) => {
      this.#options.world.count('relayed');
      if (length === 0) to.end();
      else if (!this.#pass(to, buffer, offset, length) && this.#dice.once(2)) far.pause();
      this.#mischief();
    });
    (to as TcpStream).on('drain', () => far.resume());
    const closeBoth = () => {
      near.close();
      far.close();
    };
    (to as TcpStream).on('close', closeBoth);
    (from as TcpStream).on('close', (hadError) => hadError && closeBoth());
  }

  #forward(from: Stream, to: Stream): void {
    const obeys = this.#dice.once(2);
    const takeFds = this.#options.passesFds ? this.#collectFds(from as UnixStream) : undefined;
    from.receive((buffer, offset, length) => {
      this.#options.world.count('relayed');
      const fds = takeFds?.() ?? [];
      const more =
        fds.length > 0
          ? this.#passFds(to as UnixStream, buffer.subarray(offset, offset + length), fds)
          : this.#pass(to, buffer, offset, length);
      if (!more && obeys) from.pause();
      this.#mischief();
    });
    (to as TcpStream).on('drain', () => from.resume());
    (from as TcpStream).on('end', () => {
      if (!to.destroyed) to.end();
    });
  }

  /** What it returns takes those that came since the last time. */
  #collectFds(from: UnixStream): () => OwnedFd[] {
    let carried: OwnedFd[] = [];
    from.on('fds', (fds) => {
      carried.push(...fds);
      for (const fd of fds) this.#carried.add(fd);
    });
    const take = () => {
      const taken = carried;
      carried = [];
      return taken;
    };
    from.on('close', () => this.#closeFds(take()));
    return take;
  }

  #passFds(to: UnixStream, bytes: Buffer, fds: OwnedFd[]): boolean {
    this.#options.world.count('fds relayed');
    try {
      return to.sendFds(bytes, fds);
    } finally {
      this.#closeFds(fds);
    }
  }

  #closeFds(fds: readonly OwnedFd[]): void {
    for (const fd of fds) {
      fd.close();
      this.#carried.delete(fd);
    }
  }

  /** In one of the ways there are; returns what the last write does. */
  #pass(to: Stream, buffer: Buffer, offset: number, length: number): boolean {
    const dice = this.#dice;
    const cut = dice.below(length + 1);
    const view = buffer.subarray(offset, offset + length);
    switch (dice.below(7)) {
      case 0:
        return to.write(view);
      case 1:
        return to.writev([view.subarray(0, cut), view.subarray(cut)]);
      case 2:
        to.writeSlice(buffer, offset, cut);
        return to.writeSlice(buffer, offset + cut, length - cut);
      case 3: {
        to.cork();
        const later = () => to.uncork();
        dice.pick([process.nextTick, setImmediate, queueMicrotask] as const)(later);
        return to.writeSlice(buffer, offset, length);
      }
      case 4: {
        const more = to.writeSlice(buffer, offset, length);
        to.flush();
        return more;
      }
      default:
        return to.writeSlice(buffer, offset, length);
    }
  }

  #mischief(): void {
    const { mischief, world } = this.#options;
    if (!this.#dice.once(mischief)) return;
    if (this.#dice.once(3)) world.meddle(this.#dice);
    throw world.makePlanned();
  }
}

/** What breaks one of them off breaks off the other. */
function bind(from: Stream, to: Stream): void {
  let ended = false;
  (from as TcpStream).on('end', () => {
    ended = true;
  });
  (from as TcpStream).on('close', (hadError) => {
    if (hadError || !ended) to.destroy();
  });
  (to as TcpStream).on('close', () => {
    if (!ended) from.destroy();
  });
}
