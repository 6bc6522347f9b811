// The Unix datagram sockets of one round: bound to files and abstract names, connected, paired,
// adopted, an echo, some that pause until their senders are held up. Nothing is lost among them unless
// somebody closes, or is told so by `false`; and descriptors come with the datagram they were sent with.
import { strict as assert } from 'node:assert';
import type { Reactor } from '@pollux/core';
import { type DatagramInfo, type UnixAddress, UnixDatagramSocket } from '@pollux/net';
import { close, socketpair } from '@pollux/testkit';
import { Flow } from './datagram-flow.js';
import { Dice } from './dice.js';
import { makeParcels, openParcels } from './parcels.js';
import { keyOf } from './pattern.js';
import type { StreamWorld } from './stream-world.js';

const MOST_BOXES = 16;
const MOST_BYTES = 60_000;
/** Its header tells which flow a datagram is of, where the sender has no name. */
const LEAST_BYTES = 24;
const FIRST_FLOW = 10_000;
const PAD = 3;
/** What a send to somebody who is gone is told. */
const GONE = ['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'ENOTCONN', 'EPIPE'];

interface Box {
  readonly number: number;
  readonly socket: UnixDatagramSocket;
  remote: Box | undefined;
  readonly name: string;
  readonly echoes: boolean;
  readonly takesFds: boolean;
  readonly dice: Dice;
  readonly throws: number;
  quota: number;
  pausedFor: number;
  /** A send was answered with false, and no drain has come since. */
  owesDrain: boolean;
  /** How many were, less the drains. */
  refusals: number;
  closing: boolean;
  finishing: boolean;
  gone: boolean;
}

interface Line {
  readonly from: Box;
  readonly to: Box;
  readonly flow: Flow;
  readonly key: number;
  /** Descriptors of the datagrams that carry some. */
  readonly fds: Map<number, number>;
}

export class UnixDatagrams {
  readonly #world: World;
  readonly #reactor: Reactor;
  readonly #newPath: () => string;
  readonly #round: number;
  readonly #wild: boolean;
  readonly #dice: Dice;
  readonly #boxes: Box[] = [];
  readonly #lines: Line[] = [];
  readonly #bytes = Buffer.alloc(MOST_BYTES + 2 * PAD);
  #ending = false;

  constructor(
    world: World,
    reactor: Reactor,
    newPath: () => string,
    { round, wild, count }: { round: number; wild: boolean; count: number },
  ) {
    this.#world = world;
    this.#reactor = reactor;
    this.#newPath = newPath;
    this.#round = round;
    this.#wild = wild;
    this.#dice = new Dice(round, -5);
    for (let i = 0; i < count; i++) this.#open();
  }

  step(): void {
    for (const box of this.#boxes) {
      if (box.pausedFor > 0 && --box.pausedFor === 0 && !box.gone) box.socket.resume();
      if (this.#dice.once(2)) this.#burst(box);
    }
    if (this.#wild && this.#dice.once(30)) this.#meddle();
  }

  get done(): boolean {
    const idle = ({ closing, quota, owesDrain }: Box) => closing || (quota === 0 && !owesDrain);
    return this.#boxes.every(idle) && this.#lines.every(({ flow }) => flow.complete);
  }

  close(): void {
    this.#ending = true;
    for (const box of this.#boxes) this.#close(box, this.#dice.once(2));
  }

  abandon(): void {
    this.#ending = true;
  }

  get settled(): boolean {
    return this.#boxes.every(({ gone }) => gone);
  }

  describe(): string {
    const boxes = this.#boxes
      .filter(({ gone }) => !gone)
      .map((box) => {
        const { quota, owesDrain, closing, finishing, pausedFor, socket } = box;
        const { queuedBytes } = socket;
        const state = { quota, owesDrain, closing, finishing, pausedFor, queuedBytes };
        return `${say(box)}: ${JSON.stringify(state)}`;
      });
    const lines = this.#lines
      .filter(({ flow }) => !flow.complete)
      .map(({ from, to, flow }) => `${say(from)} to ${say(to)}: ${flow.received} of ${flow.sent}`);
    return [...boxes, ...lines].join('\n    ');
  }

  // Opening.

  #open(): void {
    if (this.#boxes.length >= MOST_BOXES) return;
    const dice = this.#dice;
    const bound = this.#boxes.filter(
      ({ remote, closing, name, echoes }) => !remote && !closing && name !== '' && !echoes,
    );
    const reactor = this.#reactor;
    const options = {
      receiveFds: dice.once(2),
      ...(dice.once(2) ? { maxQueuedBytes: dice.pick([1, 3000, 20_000]) } : {}),
    };
    if (this.#boxes.length === 0) {
      const echo = UnixDatagramSocket.bind(reactor, { path: this.#newPath() });
      this.#add(echo, undefined, false, true);
      return;
    }
    switch (dice.below(bound.length > 0 ? 7 : 4)) {
      case 0: {
        const [one, other] = UnixDatagramSocket.pair(reactor, options);
        this.#addPair(one, other, options.receiveFds);
        break;
      }
      case 1: {
        const [one, other] = socketpair('dgram');
        const adopted = [one, other].map((fd) => UnixDatagramSocket.adopt(reactor, fd, options));
        close(one);
        close(other);
        this.#addPair(...(adopted as [UnixDatagramSocket, UnixDatagramSocket]), options.receiveFds);
        break;
      }
      case 2:
        this.#add(UnixDatagramSocket.bind(reactor, options), undefined, options.receiveFds);
        break;
      case 3: {
        const path = this.#newPath();
        const socket = UnixDatagramSocket.bind(reactor, { ...options, path });
        this.#add(socket, undefined, options.receiveFds);
        break;
      }
      case 4:
        this.#add(UnixDatagramSocket.open(reactor, options), undefined, options.receiveFds);
        break;
      default: {
        const remote = dice.pick(bound);
        const own = dice.pick([{}, { autobind: true }, { localPath: this.#newPath() }]);
        const path = remote.name;
        const socket = UnixDatagramSocket.connect(reactor, { ...options, ...own, path });
        this.#add(socket, remote, options.receiveFds);
      }
    }
  }

  #addPair(one: UnixDatagramSocket, other: UnixDatagramSocket, takesFds: boolean): void {
    const first = this.#add(one, undefined, takesFds);
    first.remote = this.#add(other, first, takesFds);
  }

  #add(
    socket: UnixDatagramSocket,
    remote: Box | undefined,
    takesFds: boolean,
    echoes = false,
  ): Box {
    const number = this.#boxes.length;
    const dice = new Dice(this.#round, -6, number);
    const box: Box = {
      ...{ number, socket, remote, takesFds, echoes, dice },
      name: socket.address().path,
      throws: this.#wild ? dice.pick([0, 0, 3, 10]) : 0,
      quota: echoes ? 0 : dice.below(80),
      ...{
        pausedFor: 0,
        owesDrain: false,
        refusals: 0,
        closing: false,
        finishing: false,
        gone: false,
      },
    };
    this.#boxes.push(box);
    if (echoes) {
      socket.receive((buffer, offset, length, peer) =>
        this.#echo(box, buffer, offset, length, peer),
      );
    } else if (dice.once(2)) {
      socket.receive((buffer, offset, length, peer, _socket, info) =>
        this.#event(box, 'message', () =>
          this.#take(box, buffer.subarray(offset, offset + length), peer, info),
        ),
      );
    } else {
      socket.on('message', (data, peer, info) =>
        this.#event(box, 'message', () => this.#take(box, data, peer, info)),
      );
    }
    socket.on('error', (error) => this.#event(box, 'refused', () => this.#refused(box, error)));
    socket.on('drain', () => this.#event(box, 'drain', () => this.#drained(box)));
    socket.on('close', () =>
      this.#event(box, 'close', () => {
        assert.ok(box.closing, 'close, and nobody asked for it');
        box.gone = true;
      }),
    );
    return box;
  }

  #event(box: Box, name: string, body: () => void): void {
    try {
      assert.ok(!box.gone, `${name} after close`);
      const over = box.closing && !box.finishing && name !== 'close';
      assert.ok(!over, `${name} after close was called`);
      this.#world.count(`unix ${name}`);
      body();
    } catch (error) {
      (error as Error).message = `${name} of ${say(box)}: ${(error as Error).message}`;
      this.#world.failed(error);
      return;
    }
    if (box.dice.once(box.throws)) throw this.#world.makePlanned();
  }

  // Sending.

  #burst(box: Box): void {
    if (box.closing || box.echoes || !this.#world.alive()) return;
    const target = this.#targetOf(box);
    if (target === undefined) {
      if (box.remote !== undefined) box.quota = 0; // it is gone
      return;
    }
    for (let n = box.dice.between(1, 40); n > 0 && box.quota > 0; n--) {
      if (!this.#send(box, target, undefined)) return;
    }
  }

  #targetOf(box: Box): Box | undefined {
    if (box.remote !== undefined) return box.remote.closing ? undefined : box.remote;
    const open = this.#boxes.filter((to) => to !== box && this.#reaches(box, to));
    return open.length === 0 ? undefined : box.dice.pick(open);
  }

  #reaches(from: Box, to: Box): boolean {
    if (to.closing || to.name === '') return false;
    // Who has no name gets no answer; who is connected hears nobody else.
    if (to.echoes) return from.name !== '' && from.remote === undefined;
    return to.remote === undefined || to.remote === from;
  }

  /** Whether another may follow. `peer`: as it was received from the target. */
  #send(box: Box, target: Box, peer: UnixAddress | undefined): boolean {
    const { dice, socket } = box;
    const line = this.#line(box, target);
    const empty = box.name !== '' && dice.once(12);
    const length = empty ? 0 : LEAST_BYTES + dice.size(dice.once(6) ? MOST_BYTES - 100 : 2000);
    const bytes = this.#bytes.subarray(PAD, PAD + length);
    line.flow.write(bytes);
    let to: UnixAddress | string | undefined;
    if (box.remote === undefined) to = peer ?? dice.pick([target.name, { path: target.name }]);
    box.quota--;
    const taken = dice.once(8)
      ? this.#sendFds(box, line, bytes, to)
      : dice.once(2)
        ? socket.sendSlice(this.#bytes, PAD, length, to)
        : socket.send(bytes, to);
    bytes.fill(0xee);
    if (taken) line.flow.wasSent(length);
    else this.#wasRefused(box);
    return taken || dice.once(3);
  }

  #sendFds(box: Box, line: Line, bytes: Buffer, to: UnixAddress | string | undefined): boolean {
    const message = line.flow.sent;
    const count = box.dice.once(40) ? 253 : box.dice.between(1, 4);
    const parcels = makeParcels(line.key, message, count, 0);
    try {
      const taken = box.socket.sendFds(bytes, parcels.fds, to);
      if (taken && !line.to.echoes) line.fds.set(message, count);
      return taken;
    } finally {
      parcels.close();
    }
  }

  #line(from: Box, to: Box): Line {
    const known = this.#lines.find((each) => each.from === from && each.to === to);
    if (known !== undefined) return known;
    const id = FIRST_FLOW + this.#lines.length;
    const flow = new Flow(this.#round, id, false);
    const line = { from, to, flow, key: keyOf(this.#round, id, 7), fds: new Map() };
    this.#lines.push(line);
    return line;
  }

  // What is told.

  #echo(box: Box, buffer: Buffer, offset: number, length: number, peer: UnixAddress): void {
    this.#world.count('unix message');
    if (box.closing || box.socket.sendSlice(buffer, offset, length, peer)) return;
    this.#wasRefused(box);
    // What comes now is not what comes next.
    for (const { to, flow } of this.#lines) if (to === box) flow.lossy = true;
  }

  #take(box: Box, data: Buffer, peer: UnixAddress, info: DatagramInfo | undefined): void {
    const id = data.length >= LEAST_BYTES ? data.readUInt32LE(8) : -1;
    const possible = this.#lines.filter(({ from, to }, i) => {
      if (id >= 0 && i !== id - FIRST_FLOW) return false;
      if (to.echoes) return to.name === peer.path && from === box;
      return to === box && from.name === peer.path;
    });
    const line = possible[0];
    const sender = JSON.stringify(peer.path);
    assert.ok(line !== undefined, `${data.length} bytes from ${sender}, flow ${id}, who sent none`);
    line.flow.receive(data);
    this.#takeFds(box, line, info);
    this.#react(box, line.to === box ? line.from : line.to, peer);
  }

  #takeFds(box: Box, line: Line, info: DatagramInfo | undefined): void {
    const message = line.flow.received - 1;
    const count = line.to === box ? line.fds.get(message) : undefined;
    line.fds.delete(message);
    if (count === undefined || !box.takesFds) {
      assert.equal(info?.fds, undefined, 'descriptors that nobody sent');
      return;
    }
    this.#world.count('unix fds');
    // Those that nobody asks for are closed.
    if (box.dice.once(6)) return;
    const fds = info?.fds;
    assert.ok(fds !== undefined, `${count} descriptors are lost`);
    assert.equal(openParcels(fds, line.key, message).count, count);
  }

  #react(box: Box, sender: Box, peer: UnixAddress): void {
    const { dice } = box;
    if (box.closing) return;
    if (!sender.echoes && this.#mayAnswer(box, sender) && dice.once(3)) {
      this.#send(box, sender, box.remote === undefined ? peer : undefined);
    }
    if (dice.once(15)) {
      box.socket.pause();
      box.pausedFor = dice.between(1, 12);
      if (dice.once(3)) box.socket.resume();
    }
    if (!this.#wild) return;
    if (dice.once(20)) {
      const later = () => this.#burst(box);
      if (dice.once(2)) process.nextTick(later);
      else queueMicrotask(later);
    }
    if (dice.once(60)) this.#meddle();
    if (dice.once(60)) this.#world.meddle(dice);
  }

  #mayAnswer(box: Box, sender: Box): boolean {
    if (box.quota === 0 || sender.closing) return false;
    if (box.remote !== undefined) return box.remote === sender;
    return this.#reaches(box, sender);
  }

  #refused(box: Box, error: Error & { code?: string; address?: string }): void {
    assert.ok(GONE.includes(error.code ?? ''), `${error}`);
    const gone = this.#lines.filter(({ from, to }) => from === box && to.closing);
    const named = gone.some(({ to }) => to.name.replace(/^\0/, '@') === (error.address ?? ''));
    const connected = box.remote?.closing === true;
    const echoed = box.echoes && this.#boxes.some(({ closing }) => closing);
    assert.ok(named || connected || echoed, `${error}, and its peer is there`);
  }

  #wasRefused(box: Box): void {
    box.owesDrain = true;
    box.refusals++;
  }

  /** It may have been on its way when the next was refused. */
  #drained(box: Box): void {
    assert.ok(box.refusals-- > 0, 'a drain, and no send was answered with false');
    box.owesDrain = false;
  }

  // Closing.

  #meddle(): void {
    if (this.#ending || !this.#world.alive()) return;
    const open = this.#boxes.filter(({ closing, echoes }) => !closing && !echoes);
    if (open.length === 0) return;
    this.#close(this.#dice.pick(open), this.#dice.once(2));
    this.#open();
  }

  #close(box: Box, finishes: boolean): void {
    if (box.closing) return;
    this.#world.say(`${say(box)} ${finishes ? 'finishes' : 'closes'}`);
    box.closing = true;
    box.finishing = finishes;
    for (const { from, to, flow } of this.#lines) {
      // What waits for it, and what it has not got out, is dropped; an echo finds nobody.
      if (to === box || (from === box && (!finishes || to.echoes))) flow.lossy = true;
    }
    if (finishes) box.socket.finish();
    else box.socket.close();
  }
}

type World = Pick<StreamWorld, 'say' | 'count' | 'failed' | 'makePlanned' | 'meddle' | 'alive'>;

function say({ number, name, remote, echoes, takesFds }: Box): string {
  const to = remote === undefined ? '' : `, to ${remote.number}`;
  const what = `${echoes ? ', echoes' : ''}${takesFds ? ', takes fds' : ''}`;
  return `box ${number} (${JSON.stringify(name)}${to}${what})`;
}
