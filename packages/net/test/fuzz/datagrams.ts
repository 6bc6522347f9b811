// The datagram sockets of one round: bound and connected ones, some with a small receive buffer, some
// connected to where nobody listens; they send each other what flows (datagram-flow.ts) can check,
// answer, close, and are opened anew. A loss counts as one unless the receiver's buffer was too
// small for what was under way, which is known beforehand.
import { strict as assert } from 'node:assert';
import { readFileSync } from 'node:fs';
import { type DatagramActor, type DatagramKit, LOOPBACK, type Peer } from './actors.js';
import { Flow, weight } from './datagram-flow.js';
import { Dice } from './dice.js';
import type { StreamWorld } from './stream-world.js';

/** Nobody is bound to this address, so no socket of ours can get the port meanwhile. */
const REFUSED: Peer = { address: '127.0.0.3', port: 9 };
const MOST_SOCKETS = 24;
const MOST_BYTES = 65_507;
const SMALL = 4096;
const LARGE = 4 << 20;
/** Bytes of several in one call, and sizes of these. */
const MOST_RUN = 200_000;
const SEGMENTS = [1, 24, 100, 1472];
const SIZES = [0, 1, 23, 24, 25, 100, 1472, 9000, 65_507];

function setting(name: string): number {
  try {
    return Number(readFileSync(`/proc/sys/net/core/${name}`, 'utf8'));
  } catch {
    return 100_000; // what every system we know grants
  }
}

const DEFAULT_BUFFER = setting('rmem_default');
const MOST_BUFFER = setting('rmem_max');

type DatagramWorld = Pick<
  StreamWorld,
  'say' | 'count' | 'failed' | 'makePlanned' | 'meddle' | 'alive'
>;

interface Socket {
  readonly number: number;
  readonly actor: DatagramActor | undefined; // none: it echoes, in another process
  readonly remote: Socket | 'refused' | undefined;
  readonly dice: Dice;
  /** What may be under way to it at a time. */
  readonly budget: number;
  readonly lossy: boolean;
  port: number;
  quota: number;
  throws: number;
  ready: boolean;
  /** Asked to close; `finishing`: but only when it has handed out what it has. */
  closing: boolean;
  finishing: boolean;
  gone: boolean;
}

export class Datagrams {
  readonly #world: DatagramWorld;
  readonly #kits: readonly DatagramKit[];
  readonly #round: number;
  readonly #dice: Dice;
  readonly #wild: boolean;
  readonly #sockets: Socket[] = [];
  readonly #flows: { from: Socket; to: Socket; flow: Flow }[] = [];
  readonly #bytes = Buffer.alloc(MOST_BYTES);
  readonly #run = Buffer.alloc(MOST_RUN);
  #ending = false;

  constructor(
    world: DatagramWorld,
    kits: readonly DatagramKit[],
    { round, wild, count }: { round: number; wild: boolean; count: number },
    echoes: readonly number[],
  ) {
    this.#world = world;
    this.#kits = kits;
    this.#round = round;
    this.#wild = wild;
    this.#dice = new Dice(round, -1);
    for (const port of count > 0 ? echoes : []) this.#add(undefined, undefined, port);
    for (let i = 0; i < count; i++) this.#open();
  }

  step(): void {
    for (const socket of this.#sockets) if (this.#dice.once(2)) this.#burst(socket);
    if (this.#wild && this.#dice.once(20)) this.#meddle();
  }

  /** Whether everything was sent, and all of it came that must. */
  get done(): boolean {
    const idle = ({ actor, ready, quota, closing }: Socket) =>
      actor === undefined || closing || (ready && quota === 0);
    return this.#sockets.every(idle) && this.#flows.every(({ flow }) => flow.complete);
  }

  /** Closes all, each in one of the ways there are. */
  close(): void {
    this.#ending = true;
    for (const socket of this.#openOnes()) {
      if (this.#dice.once(2)) this.#finish(socket);
      else this.#close(socket);
    }
    for (const socket of this.#openOnes()) this.#close(socket);
  }

  /** Ends everything at once: the reactor was closed, so our own will not say that they are. */
  abandon(): void {
    this.#ending = true;
    for (const socket of this.#openOnes()) this.#close(socket);
    // It cannot finish any more.
    for (const { actor, finishing, gone } of this.#sockets) if (finishing && !gone) actor?.close();
  }

  /** Whether those who can say so are closed. */
  get abandonedByAll(): boolean {
    return this.#sockets.every(({ actor, gone }) => actor?.kind !== 'node' || gone);
  }

  get settled(): boolean {
    return this.#sockets.every(({ actor, gone }) => actor === undefined || gone);
  }

  describe(): string {
    const sockets = this.#sockets
      .filter(({ actor, gone }) => actor && !gone)
      .map((socket) => `${say(socket)}: quota ${socket.quota}, ${socket.ready ? '' : 'not '}ready`);
    const flows = this.#flows
      .filter(({ flow }) => !flow.complete)
      .map(({ from, to, flow }) => {
        const count = `${flow.received} of ${flow.sent}`;
        return `${say(from)} to ${say(to)}: ${count}, ${flow.outstanding} bytes under way`;
      });
    return [...sockets, ...flows].join('\n    ');
  }

  #openOnes(): Socket[] {
    return this.#sockets.filter(({ actor, closing }) => actor !== undefined && !closing);
  }

  #open(): void {
    const dice = this.#dice;
    if (this.#sockets.length >= MOST_SOCKETS) return;
    const bound = this.#openOnes().filter(({ remote, ready }) => ready && remote === undefined);
    let remote: Socket | 'refused' | undefined;
    if (dice.once(8)) remote = 'refused';
    else if (bound.length > 0 && dice.once(2)) remote = dice.pick(bound);
    const peer = remote === undefined ? undefined : addressOf(remote);
    const size = dice.pick([undefined, SMALL, LARGE, LARGE]);
    const actor = dice.pick(this.#kits).open({
      ...(peer === undefined ? {} : { remote: peer }),
      ...(size === undefined ? {} : { receiveBufferSize: size }),
      dice: new Dice(this.#round, -4, this.#sockets.length),
    });
    this.#add(actor, remote, 0, size);
  }

  #add(
    actor: DatagramActor | undefined,
    remote: Socket['remote'],
    port: number,
    size?: number,
  ): void {
    const number = this.#sockets.length;
    const dice = new Dice(this.#round, -2, number);
    const throws = this.#wild && actor?.exact ? dice.pick([0, 0, 3, 10]) : 0;
    const socket: Socket = {
      ...{ number, actor, remote, dice, port, throws },
      budget: Math.min(size ?? DEFAULT_BUFFER, MOST_BUFFER),
      lossy: size === SMALL,
      quota: actor === undefined ? 0 : dice.below(80),
      ready: actor === undefined,
      ...{ closing: false, finishing: false, gone: false },
    };
    this.#sockets.push(socket);
    if (actor === undefined) return;
    actor.sink = {
      onReady: () => {
        if (socket.closing) return;
        socket.ready = true;
        socket.port = actor.port();
      },
      onMessage: (data, peer) =>
        this.#event(socket, 'message', () => this.#take(socket, data, peer)),
      onError: (error) => this.#event(socket, 'error', () => this.#refused(socket, error)),
      onDrain: () => this.#event(socket, 'drain', () => {}),
      onClose: () => this.#event(socket, 'close', () => this.#isGone(socket)),
    };
  }

  #event(socket: Socket, name: string, body: () => void): void {
    try {
      assert.ok(!socket.gone, `${name} after close`);
      // Node tells the callback of a send what became of it even after a close.
      const over = socket.closing && !socket.finishing && name !== 'close';
      if (over && name === 'error' && socket.actor?.exact === false) return;
      assert.ok(!over, `${name} after close was called`);
      const what = name === 'error' ? 'refused' : name;
      this.#world.count(socket.actor?.exact ? what : 'theirs');
      body();
    } catch (error) {
      (error as Error).message = `${name} of ${say(socket)}: ${(error as Error).message}`;
      this.#world.failed(error);
      return;
    }
    if (socket.dice.once(socket.throws)) throw this.#world.makePlanned();
  }

  // Sending.

  #burst(socket: Socket): void {
    if (!socket.ready || socket.closing || !this.#world.alive()) return;
    const target = this.#targetOf(socket);
    if (target === undefined) return;
    for (let n = socket.dice.between(1, 40); n > 0 && socket.quota > 0; n--) {
      if (!this.#send(socket, target)) return;
    }
  }

  #targetOf(socket: Socket): Socket | 'refused' | undefined {
    if (socket.remote !== undefined) return socket.remote;
    if (socket.dice.once(10)) return 'refused';
    const open = this.#sockets.filter(
      ({ ready, closing, remote }) => ready && !closing && (!remote || remote === socket),
    );
    return open.length === 0 ? undefined : socket.dice.pick(open);
  }

  /** Whether another may follow. */
  #send(socket: Socket, target: Socket | 'refused'): boolean {
    const { dice } = socket;
    const length = dice.once(3) ? dice.pick(SIZES) : dice.size(dice.once(3) ? MOST_BYTES : 3000);
    const bytes = this.#bytes.subarray(0, length);
    if (target !== 'refused' && dice.once(8) && this.#sendRun(socket, target)) return true;
    const peer = socket.remote === undefined ? addressOf(target) : undefined;
    if (target === 'refused') {
      socket.quota--;
      socket.actor?.send(bytes, peer);
      return true;
    }
    const flow = this.#flow(socket, target);
    const ends = [target, ...(target.actor === undefined ? [socket] : [])];
    const fits = (end: Socket) => this.#under_way(end) + weight(length) <= end.budget;
    if (!flow.lossy && !ends.every(fits)) {
      // What fits nowhere is not waited for.
      if (ends.some((end) => weight(length) > end.budget)) socket.quota--;
      return false;
    }
    socket.quota--;
    flow.write(bytes);
    if (socket.actor?.send(bytes, peer)) flow.wasSent(length);
    // It is free to be used again.
    bytes.fill(0xee);
    return true;
  }

  /** Several in one call; false if there is no such call, or no room. */
  #sendRun(socket: Socket, target: Socket): boolean {
    const { dice, actor } = socket;
    if (actor?.sendSegments === undefined) return false;
    const size = dice.once(2) ? dice.pick(SEGMENTS) : 1 + dice.size(3000);
    const count = dice.between(1, Math.min(socket.quota, Math.floor(MOST_RUN / size), 80));
    const flow = this.#flow(socket, target);
    const ends = [target, ...(target.actor === undefined ? [socket] : [])];
    const fits = (end: Socket) => this.#under_way(end) + count * weight(size) <= end.budget;
    if (count < 1 || (!flow.lossy && !ends.every(fits))) return false;
    const last = dice.between(1, size);
    const bytes = this.#run.subarray(0, (count - 1) * size + last);
    for (let at = 0; at < bytes.length; at += size) {
      const piece = bytes.subarray(at, at + size);
      flow.write(piece);
      flow.wasSent(piece.length);
    }
    socket.quota -= count;
    this.#world.count('segments', count);
    const peer = socket.remote === undefined ? addressOf(target) : undefined;
    // From some datagram on they were dropped.
    if (!actor.sendSegments(bytes, size, peer)) flow.lossy = true;
    bytes.fill(0xee);
    return true;
  }

  #flow(from: Socket, to: Socket): Flow {
    const known = this.#flows.find((each) => each.from === from && each.to === to);
    if (known !== undefined) return known.flow;
    const lossy = to.lossy || (to.actor === undefined && from.lossy);
    const flow = new Flow(this.#round, this.#flows.length, lossy);
    if (to.closing) flow.lossy = true;
    this.#flows.push({ from, to, flow });
    return flow;
  }

  #under_way(end: Socket): number {
    let total = 0;
    for (const { from, to, flow } of this.#flows) {
      if (to === end || (to.actor === undefined && from === end)) total += flow.outstanding;
    }
    return total;
  }

  // What is told.

  #take(socket: Socket, data: Buffer, peer: Peer): void {
    assert.equal(peer.address, LOOPBACK);
    // A port may have had several owners in this round.
    const possible = this.#flows.filter(({ from, to }) =>
      to.actor === undefined
        ? to.port === peer.port && from === socket
        : from.port === peer.port && to.port === socket.port,
    );
    possible.sort((one, other) => Number(other.to === socket) - Number(one.to === socket));
    assert.ok(possible.length > 0, `${data.length} bytes from ${peer.port}, who never sent any`);
    for (const [i, { flow }] of possible.entries()) {
      try {
        flow.receive(data);
        break;
      } catch (error) {
        if (i < possible.length - 1) continue;
        (error as Error).message +=
          `; ${possible.map(({ from, to }) => `${say(from)} to ${say(to)}`)}`;
        throw error;
      }
    }
    this.#react(socket, peer);
  }

  #react(socket: Socket, peer: Peer): void {
    const { dice, actor } = socket;
    const back = this.#sockets.findLast(({ port, closing }) => port === peer.port && !closing);
    const reach = socket.remote === undefined || socket.remote === back;
    const answers = back?.actor && (back.remote === undefined || back.remote === socket) && reach;
    if (answers && socket.quota > 0 && !socket.closing && dice.once(2)) this.#send(socket, back);
    if (!this.#wild || socket.closing) return;
    if (dice.once(20)) actor?.chatter();
    if (dice.once(20)) {
      const later = () => this.#burst(socket);
      if (dice.once(2)) process.nextTick(later);
      else queueMicrotask(later);
    }
    if (dice.once(60)) this.#meddle();
    if (dice.once(60)) this.#world.meddle(dice);
  }

  #refused(
    socket: Socket,
    error: Error & { code?: string; address?: string; port?: number },
  ): void {
    const { remote } = socket;
    assert.equal(error.code, 'ECONNREFUSED', `${error}`);
    assert.ok(remote !== undefined, `${error}, and it is not connected`);
    assert.ok(remote === 'refused' || remote.closing, `${error}, and its peer is there`);
    if (!socket.actor?.exact) return;
    const { address, port } = addressOf(remote);
    assert.deepEqual([error.address, error.port], [address, port]);
  }

  // Closing.

  /** Closes one of them, in one of two ways, and opens another in its place. */
  #meddle(): void {
    if (this.#ending || !this.#world.alive()) return;
    const open = this.#openOnes().filter(({ ready }) => ready);
    if (open.length === 0) return;
    const socket = this.#dice.pick(open);
    if (this.#dice.once(3)) this.#finish(socket);
    else this.#close(socket);
    this.#open();
  }

  #close(socket: Socket): void {
    if (socket.closing) return;
    this.#world.say(`${say(socket)} closes`);
    socket.closing = true;
    for (const { from, to, flow } of this.#flows) {
      if (to === socket) flow.lossy = true;
      // What answers to it finds nobody, and what Node has not sent yet is not sent.
      if (from === socket && (to.actor === undefined || !socket.actor?.exact)) flow.lossy = true;
    }
    socket.actor?.close();
  }

  /** Has it hand out what was sent to it until now: by those who are closed first, so that it is. */
  #finish(socket: Socket): void {
    if (socket.closing || !socket.actor?.exact) {
      this.#close(socket);
      return;
    }
    for (const { from, to, flow } of this.#flows) {
      if (to !== socket || from === socket) continue;
      if (from.actor?.exact) this.#close(from);
      else flow.lossy = true;
    }
    if (socket.closing) return;
    this.#world.say(`${say(socket)} finishes`);
    socket.closing = true;
    socket.finishing = true;
    for (const { from, to, flow } of this.#flows) {
      if (to === socket) {
        // What it sent to itself and the system has not got yet comes too late.
        if (from === socket) flow.lossy = true;
        flow.seal();
      }
      if (from === socket && to.actor === undefined) flow.lossy = true;
    }
    socket.actor.finish();
  }

  #isGone(socket: Socket): void {
    assert.ok(socket.closing, 'close, and nobody asked for it');
    socket.gone = true;
    if (!socket.finishing) return;
    for (const { from, to, flow } of this.#flows) {
      if (to !== socket || flow.complete) continue;
      const count = `${flow.received} of ${flow.sent}`;
      assert.fail(`finished, and has ${count} from ${say(from)}`);
    }
  }
}

function addressOf(target: Socket | 'refused'): Peer {
  return target === 'refused' ? REFUSED : { address: LOOPBACK, port: target.port };
}

function say({ number, actor, port, remote }: Socket): string {
  const to =
    remote === undefined ? '' : remote === 'refused' ? ' to nobody' : ` to ${remote.number}`;
  return `socket ${number} (${actor?.kind ?? 'echo'}${to}, port ${port})`;
}
