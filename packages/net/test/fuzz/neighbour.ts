// The other process: it plays one end of some connections, with sockets of either kind, and sends
// datagrams back. This file is both that program and, in the first process, the way to talk to it.
//
// Over the channel go plans, ports and reports; each end checks its bytes where it is.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Reactor } from '@pollux/core';
import type { DatagramActor } from './actors.js';
import { nobody, type Place } from './actors.js';
import { NodeDatagramKit, NodeStreams } from './actors-node.js';
import { PolluxStreams } from './actors-pollux.js';
import { PolluxDatagramKit } from './actors-pollux-datagrams.js';
import { Dice } from './dice.js';
import { pathMaker } from './paths.js';
import type { Neighbour } from './round.js';
import { kindAbroad, type StreamPlan } from './stream-plan.js';
import type { StreamReport } from './stream-world.js';
import { Streams } from './streams.js';

type Order =
  | { do: 'begin'; round: number }
  | { do: 'serve'; plan: StreamPlan }
  | { do: 'connect'; plan: StreamPlan; place: Place }
  | { do: 'end' };

type Answer =
  | { is: 'up'; echoes: number[] }
  | { is: 'served'; id: number; place: Place }
  | { is: 'report'; report: StreamReport }
  | { is: 'failed'; story: string }
  | { is: 'ended' };

/** What is over here is over there a moment later. */
const PATIENCE_MS = 8_000;

/** Starts the other process. */
export async function openNeighbour(): Promise<Neighbour & { close(): void }> {
  const child: ChildProcess = fork(fileURLToPath(import.meta.url), ['--neighbour']);
  const served = new Map<number, (place: Place) => void>();
  let streams: Streams | undefined;
  let failed: (error: Error) => void = () => {};
  let ended = () => {};
  let over = false;
  const order = (message: Order) => child.send(message);
  child.on('exit', (code, signal) => {
    if (!over) failed(new Error(`the other process has ended: ${signal ?? code}`));
    ended();
  });
  const echoes = await new Promise<number[]>((resolve, reject) => {
    child.once('error', reject);
    child.on('message', (answer: Answer) => {
      switch (answer.is) {
        case 'up':
          resolve(answer.echoes);
          break;
        case 'served':
          served.get(answer.id)?.(answer.place);
          break;
        case 'report':
          streams?.report(answer.report);
          break;
        case 'failed':
          failed(new Error(`in the other process: ${answer.story}`));
          break;
        case 'ended':
          ended();
      }
    });
  });
  return {
    echoes,
    begin(round, ofRound, onFailure) {
      served.clear();
      streams = ofRound;
      failed = onFailure;
      order({ do: 'begin', round });
    },
    expect(plan, ready) {
      served.set(plan.id, ready);
      order({ do: 'serve', plan });
    },
    connect: (plan, place) => order({ do: 'connect', plan, place }),
    end: () =>
      new Promise((resolve, reject) => {
        const what = 'the other process still waits for the end of its connections';
        const late = setTimeout(() => reject(new Error(what)), PATIENCE_MS);
        ended = () => {
          clearTimeout(late);
          resolve();
        };
        order({ do: 'end' });
      }),
    close() {
      over = true;
      child.kill();
    },
  };
}

// What follows runs in the other process.

function serve(): void {
  const say = (answer: Answer) => process.send?.(answer);
  const reactor = new Reactor({ mode: 'attached' });
  const newPath = pathMaker();
  const kits = [
    ...[new PolluxStreams(reactor), new NodeStreams()],
    ...[new PolluxStreams(reactor, newPath), new NodeStreams(newPath)],
  ];
  let streams: Streams | undefined;
  let round = 0;
  let steps: NodeJS.Immediate | NodeJS.Timeout | undefined;
  const failed = (error: unknown) => say({ is: 'failed', story: `${(error as Error).stack}` });

  const begin = () => {
    const world = {
      say: () => {},
      count: () => {},
      failed,
      makePlanned: () => new Error('not planned here'),
      meddle: () => {},
      alive: () => true,
    };
    streams = new Streams(world, kits);
    streams.onReport = (report) => say({ is: 'report', report });
    const step = () => {
      streams?.step();
      steps = setTimeout(step, 1);
    };
    step();
  };

  const plain = (plan: StreamPlan): StreamPlan => ({
    ...plan,
    start: 0,
    solo: false,
    // Nothing is thrown here, and nobody else is disturbed.
    client: { ...plan.client, throws: 0 },
    server: { ...plan.server, throws: 0 },
  });

  const obey = (message: Order) => {
    switch (message.do) {
      case 'begin':
        round = message.round;
        begin();
        break;
      case 'serve': {
        const { plan } = message;
        const kind = kindAbroad(plan.serverKind, plan.id);
        streams?.expectHere(plain(plan), kind, (place) =>
          say({ is: 'served', id: plan.id, place }),
        );
        break;
      }
      case 'connect':
        {
          const { plan, place } = message;
          streams?.connectHere(plain(plan), kindAbroad(plan.clientKind, plan.id), place);
        }
        break;
      case 'end': {
        streams?.close(new Dice(round));
        const look = () => {
          if (streams !== undefined && !streams.settled) {
            setTimeout(look, 1);
            return;
          }
          clearTimeout(steps as NodeJS.Timeout);
          say({ is: 'ended' });
        };
        look();
      }
    }
  };
  process.on('message', obey);
  process.on('uncaughtException', failed);
  process.on('disconnect', () => process.exit(0));
  process.on('SIGTERM', () => process.exit(0)); // removes its paths

  let ready = 0;
  const echoes: DatagramActor[] = [new NodeDatagramKit(), new PolluxDatagramKit(reactor)].map(
    (kit) => {
      const actor = kit.open({ receiveBufferSize: 4 << 20, dice: new Dice(0) });
      actor.sink = {
        ...nobody,
        onMessage: (data, peer) => void actor.send(data, peer),
        onError: failed,
        onReady: () => {
          if (++ready === 2) say({ is: 'up', echoes: echoes.map((each) => each.port()) });
        },
      };
      return actor;
    },
  );
}

if (process.argv[2] === '--neighbour') serve();
