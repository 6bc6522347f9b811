// The streams of one round: listeners, some shared and some of one connection only, the connections
// between them and how they end. Each is told apart by what its client says first.
import { strict as assert } from 'node:assert';
import type { OwnedFd } from '@pollux/net';
import type {
  CoupleKit,
  ListenerActor,
  Place,
  StreamActor,
  StreamKit,
  StreamSink,
} from './actors.js';
import type { Dice } from './dice.js';
import type { Relay } from './relay.js';
import { judge } from './stream-judge.js';
import { isAbroad, type StreamPlan } from './stream-plan.js';
import { StreamPlayer } from './stream-player.js';
import { HEADER, readHeader, type StreamReport, type StreamWorld } from './stream-world.js';

interface Connection {
  readonly plan: StreamPlan;
  started: boolean;
  /** Its client was made, here or elsewhere. */
  dialed: boolean;
  listener: ListenerActor | undefined;
  client: StreamPlayer | undefined;
  server: StreamPlayer | undefined;
  clientReport: StreamReport | undefined;
  serverReport: StreamReport | undefined;
  /** Its listener was closed before it was handed out. */
  shut: boolean;
}

/** Plays ends of connections of which the other may be in another process. */
export interface Abroad {
  /** Has the server of a plan expected there; calls with its place when it is. */
  expect(plan: StreamPlan, ready: (place: Place) => void): void;
  /** Has the client of a plan connect from there. */
  connect(plan: StreamPlan, place: Place): void;
}

interface StreamsOptions {
  plans?: readonly StreamPlan[];
  /** Whether listeners throw, and when; never if left out. */
  throws?: Dice | undefined;
  abroad?: Abroad | undefined;
  couples?: readonly CoupleKit[];
  /** Puts a relay before a place. */
  relay?: (plan: StreamPlan, target: Place) => Relay;
}

export class Streams {
  readonly #throws: Dice | undefined;
  readonly #world: Omit<StreamWorld, 'closed' | 'connected'>;
  readonly #kits: ReadonlyMap<string, StreamKit>;
  readonly #abroad: Abroad | undefined;
  readonly #couples: ReadonlyMap<string, CoupleKit>;
  readonly #relay: StreamsOptions['relay'];
  readonly #relays: Relay[] = [];
  readonly #connections = new Map<number, Connection>();
  readonly #players: StreamPlayer[] = [];
  readonly #listeners = new Map<string, ListenerActor>();
  readonly #all: ListenerActor[] = [];
  /** Accepted, and not known by name yet. */
  readonly #strangers = new Set<StreamActor>();
  /** Closes what came to strangers and nobody has taken. */
  readonly #carried = new Set<() => void>();
  #listenersClosed = 0;
  #abandoned = false;
  #steps = 0;

  constructor(
    world: Omit<StreamWorld, 'closed' | 'connected'>,
    kits: readonly StreamKit[],
    { plans = [], throws, abroad, couples = [], relay }: StreamsOptions = {},
  ) {
    this.#world = world;
    this.#throws = throws;
    this.#kits = new Map(kits.map((kit) => [kit.kind, kit]));
    this.#abroad = abroad;
    this.#couples = new Map(couples.map((kit) => [kit.kind, kit]));
    this.#relay = relay;
    for (const plan of plans) this.expect(plan);
  }

  /** Takes in a plan: here, or as the end of somebody elsewhere. */
  expect(plan: StreamPlan): void {
    this.#connections.set(plan.id, {
      plan,
      ...{ started: false, dialed: false, listener: undefined },
      ...{ client: undefined, server: undefined },
      ...{ clientReport: undefined, serverReport: undefined, shut: false },
    });
  }

  /** What the other process says of its end. */
  report(report: StreamReport): void {
    const connection = this.#connections.get(report.id);
    if (connection === undefined) return;
    if (report.side === 'client') connection.clientReport = report;
    else connection.serverReport = report;
  }

  step(): void {
    for (const connection of this.#connections.values()) {
      if (connection.plan.start <= this.#steps) this.#start(connection);
      if (!connection.dialed) this.#connect(connection);
    }
    this.#steps++;
    for (const player of this.#players) player.step();
  }

  /** Whether every connection is over; a server that was never found may not exist. */
  get done(): boolean {
    for (const { plan, clientReport, serverReport, server } of this.#connections.values()) {
      if (clientReport === undefined) return false;
      if (server !== undefined && !server.closed) return false;
      // A client that was broken off may have left no trace; it is waited for in `settled`.
      if (serverReport === undefined && clientReport.broken === '' && !this.#isShut(plan.id)) {
        return false;
      }
    }
    return this.#strangers.size === 0;
  }

  /** Closes the listeners, in either way. */
  close(dice: Dice): void {
    for (const listener of this.#all) {
      if (dice.once(2)) listener.finish();
      else listener.close();
    }
    for (const relay of this.#relays) relay.close();
  }

  /** Ends everything at once: the reactor was closed, so our own will not say that they are. */
  abandon(): void {
    this.#abandoned = true;
    for (const listener of this.#all) listener.close();
    for (const player of this.#players) player.breakOff('destroy');
    for (const actor of this.#strangers) actor.destroy();
    for (const closeCarried of this.#carried) closeCarried();
    for (const relay of this.#relays) relay.abandon();
  }

  /** Whether those who can say so are closed. */
  get abandonedByAll(): boolean {
    const gone = ({ closed, actor }: StreamPlayer) => closed || actor.traits.ours;
    return this.#players.every(gone) && [...this.#strangers].every(({ traits }) => traits.ours);
  }

  /** Whether the listeners and all that came from them are closed. */
  get settled(): boolean {
    return (
      this.#listenersClosed === this.#all.length &&
      this.#strangers.size === 0 &&
      this.#relays.every(({ closed }) => closed) &&
      this.#players.every(({ closed }) => closed)
    );
  }

  /** Judges every connection; to be called when all is settled. */
  judge(): void {
    for (const { plan, clientReport, serverReport } of this.#connections.values()) {
      assert.ok(clientReport !== undefined);
      judge(plan, clientReport, serverReport, this.#isShut(plan.id));
    }
  }

  /** Breaks off somebody's end, or closes a listener; in either case another may be made at once. */
  meddle(dice: Dice): void {
    if (this.#abandoned) return;
    if (dice.once(6)) this.#closeOne(dice);
    else {
      const open = this.#players.filter(({ closed, broken }) => !closed && !broken);
      if (open.length > 0) dice.pick(open).breakOff('destroy');
    }
    if (dice.once(2)) this.#hurry();
  }

  #closeOne(dice: Dice): void {
    const names = [...this.#listeners].filter(
      ([, { place, closed }]) => place !== undefined && !closed,
    );
    if (names.length > 0) this.#closeListener(...dice.pick(names));
  }

  #finishListenerOf(id: number): void {
    const { listener, plan } = this.#connections.get(id) ?? {};
    // To be connected to a relay says nothing.
    if (listener === undefined || plan?.relayed) return;
    const found = [...this.#listeners].find(([, each]) => each === listener);
    if (found?.[1].exact && !this.#abandoned) this.#closeListener(...found);
  }

  /** Those that are connected, `finish` still hands out; a close would reset them. */
  #closeListener(name: string, listener: ListenerActor): void {
    this.#listeners.delete(name);
    const all = [...this.#connections.values()].filter((each) => each.listener === listener);
    for (const connection of all) if (!connection.dialed) connection.listener = undefined;
    const coming = all.filter(({ dialed, server }) => dialed && server === undefined);
    const reached = ({ client, plan }: Connection) => client?.connected && !plan.relayed;
    const finishes = listener.exact && coming.every(reached);
    this.#world.say(`listener ${name} ${finishes ? 'finishes' : 'closes'}`);
    if (finishes) {
      this.#world.count('finish');
      listener.finish();
      return;
    }
    for (const connection of coming) connection.shut = true;
    listener.close();
  }

  /** A connection more, at once: its descriptor has the number of what was closed just now. */
  #hurry(): void {
    for (const connection of this.#connections.values()) {
      if (connection.started) continue;
      this.#start(connection);
      return;
    }
  }

  describe(): string {
    const open = this.#players.filter(({ closed }) => !closed).map((player) => player.describe());
    const waiting = [...this.#connections.values()]
      .filter(({ clientReport, serverReport }) => !clientReport || !serverReport)
      .map(({ plan, clientReport, serverReport }) => {
        const reports = `client ${JSON.stringify(clientReport)}, server ${JSON.stringify(serverReport)}`;
        return `connection ${plan.id}: ${reports}`;
      });
    const strangers = [...this.#strangers].map((actor) => `stranger: ${actor}`);
    const relays = this.#relays.filter(({ closed }) => !closed).map(String);
    return [...open, ...waiting, ...strangers, ...relays].join('\n    ');
  }

  // For a round that is led elsewhere.

  /** Plays the server of a plan when it is connected to; tells its place. */
  expectHere(plan: StreamPlan, kind: string, ready: (place: Place) => void): void {
    this.expect(plan);
    (this.#connections.get(plan.id) as Connection).started = true;
    (this.#connections.get(plan.id) as Connection).dialed = true;
    const { serverHalfOpen: allowHalfOpen, highWaterMark } = plan;
    const name = `${kind} ${allowHalfOpen} ${highWaterMark}`;
    const listener = this.listen(name, kind, { allowHalfOpen, highWaterMark });
    const look = () => {
      if (listener.place === undefined) setTimeout(look, 1);
      else ready(listener.place);
    };
    look();
  }

  /** Plays the client of a plan. */
  connectHere(plan: StreamPlan, kind: string, place: Place): void {
    this.expect(plan);
    const connection = this.#connections.get(plan.id) as Connection;
    connection.started = true;
    this.#connectTo({ ...connection, plan: { ...plan, clientKind: kind } }, place);
    connection.dialed = true;
  }

  // Connections begin.

  #start(connection: Connection): void {
    const { plan } = connection;
    if (connection.started) return;
    connection.started = true;
    if (plan.couple) {
      this.#couple(connection);
      return;
    }
    if (isAbroad(plan.serverKind)) {
      this.#abroad?.expect(plan, (place) => this.#connectTo(connection, place));
      return;
    }
    this.#connect(connection);
  }

  #connect(connection: Connection): void {
    if (!connection.started || isAbroad(connection.plan.serverKind)) return;
    connection.listener ??= this.#listenerFor(connection.plan);
    const { place } = connection.listener;
    if (place !== undefined) this.#connectTo(connection, place);
  }

  /** Both ends at once. */
  #couple(connection: Connection): void {
    const { plan } = connection;
    const { clientHalfOpen, serverHalfOpen, highWaterMark } = plan;
    const kit = this.#couples.get(plan.clientKind);
    assert.ok(kit, `no kit for ${plan.clientKind}`);
    connection.dialed = true;
    const [client, server] = kit.couple(
      { allowHalfOpen: clientHalfOpen, highWaterMark },
      { allowHalfOpen: serverHalfOpen, highWaterMark },
    );
    connection.client = this.#play(plan, 'client', client);
    connection.server = this.#play(plan, 'server', server);
  }

  #connectTo(connection: Connection, target: Place): void {
    const { plan } = connection;
    if (connection.dialed || this.#abandoned || !this.#world.alive()) return;
    connection.dialed = true;
    let place = target;
    if (plan.relayed && this.#relay !== undefined) {
      const relay = this.#relay(plan, target);
      this.#relays.push(relay);
      place = relay.place;
    }
    if (isAbroad(plan.clientKind)) {
      this.#abroad?.connect(plan, place);
      return;
    }
    const { clientHalfOpen: allowHalfOpen, highWaterMark } = plan;
    const actor = this.#kit(plan.clientKind).connect(place, { allowHalfOpen, highWaterMark });
    connection.client = this.#play(plan, 'client', actor);
  }

  /** Has an end played here; its report is kept, or sent to where the other end is. */
  #play(plan: StreamPlan, side: 'client' | 'server', actor: StreamActor): StreamPlayer {
    const world: StreamWorld = {
      ...this.#world,
      connected: (id) => this.#finishListenerOf(id),
      closed: (report) => {
        this.report(report);
        this.onReport?.(report);
      },
    };
    const player = new StreamPlayer(world, plan, side, actor);
    this.#players.push(player);
    return player;
  }

  /** Told of every report that is made here. */
  onReport: ((report: StreamReport) => void) | undefined;

  #kit(kind: string): StreamKit {
    const kit = this.#kits.get(kind);
    assert.ok(kit, `no kit for ${kind}`);
    return kit;
  }

  #listenerFor(plan: StreamPlan): ListenerActor {
    const { serverKind, serverHalfOpen: allowHalfOpen, highWaterMark, solo, id } = plan;
    const name = solo ? `${id}` : `${serverKind} ${allowHalfOpen} ${highWaterMark}`;
    return this.listen(name, serverKind, { allowHalfOpen, highWaterMark }, solo ? plan : undefined);
  }

  /** A listener of this name; it is made at its first use. */
  listen(
    name: string,
    kind: string,
    options: { allowHalfOpen: boolean; highWaterMark: number },
    owner?: StreamPlan,
  ): ListenerActor {
    const known = this.#listeners.get(name);
    if (known !== undefined) return known;
    const maybeThrow = () => {
      if (listener.exact && this.#throws?.once(3)) throw this.#world.makePlanned();
    };
    const listener = this.#kit(kind).listen(options, {
      onConnection: (actor) => {
        if (listener.exact) this.#world.count('connection');
        if (owner === undefined) this.#greet(actor);
        else this.#accept(owner, actor);
        // In its own callback; those who were not handed out are reset.
        if (owner !== undefined && owner.id % 2 === 0) listener.close();
        maybeThrow();
      },
      onError: (error) => this.#world.failed(error),
      onClose: () => {
        this.#listenersClosed++;
        maybeThrow();
      },
    });
    this.#listeners.set(name, listener);
    this.#all.push(listener);
    return listener;
  }

  #accept(plan: StreamPlan, actor: StreamActor): StreamPlayer | undefined {
    try {
      const connection = this.#connections.get(plan.id) as Connection;
      assert.equal(connection.server, undefined, `connection ${plan.id} comes a second time`);
      connection.server = this.#play(plan, 'server', actor);
      return connection.server;
    } catch (error) {
      this.#world.failed(error);
      actor.destroy();
      return undefined;
    }
  }

  /** Somebody connected: who it is, its first bytes tell. */
  #greet(actor: StreamActor): void {
    let head = Buffer.alloc(0);
    const carried: (readonly OwnedFd[])[] = [];
    const closeCarried = () => {
      for (const fd of carried.flat()) fd.close();
    };
    this.#carried.add(closeCarried);
    this.#strangers.add(actor);
    const over = () => {
      this.#strangers.delete(actor);
    };
    const sink: StreamSink = {
      onConnect: () => {},
      onDrain: () => {},
      onEnd: () => actor.end(),
      onError: () => {},
      onFds: (fds) => {
        carried.push(fds);
      },
      onClose: () => {
        over();
        closeCarried();
        this.#world.say('a stranger is gone');
      },
      onData: (data) => {
        head = Buffer.concat([head, data]);
        if (head.length < HEADER) return;
        over();
        let connection: Connection | undefined;
        try {
          const { id } = readHeader(head);
          connection = this.#connections.get(id);
          assert.ok(connection, `connection ${id} is unknown`);
        } catch (error) {
          this.#world.failed(error);
          actor.destroy();
          return;
        }
        const player = this.#accept(connection.plan, actor);
        for (const fds of carried) player?.takeFds(fds);
        player?.onData(head);
      },
    };
    actor.sink = sink;
    actor.hear('always');
  }

  #isShut(id: number): boolean {
    const connection = this.#connections.get(id);
    return connection?.shut === true;
  }
}
