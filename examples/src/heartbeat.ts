// Is the other side still there? A client that beats, notices when nobody answers, and comes back.
//
//   node examples/dist/heartbeat.js server [--port 41238]
//   node examples/dist/heartbeat.js client [--port 41238] [--interval 1000] [--timeout 3000]
//                                          [--least 100] [--most 30000]
//
// Kill the server, freeze it (kill -STOP), start it again, and watch the client's JSON lines. The
// milliseconds are those of a beat, of silence that means loss, of the shortest and longest pause.
//
// A lost connection shows itself as an end, a reset, a refusal, or not at all: nothing is heard of a
// machine that was unplugged, and the kernel of a frozen server goes on accepting connections and
// bytes. So only an answer counts as life, and only an answer makes the pauses short again.
//
// Pauses double with each failure, up to a bound, so that a server in trouble is left in peace. Half
// of each is chance, so that a thousand clients that lost it together do not return together.
import { parseArgs } from 'node:util';
import { Reactor, type Timer } from '@pollux/core';
import { TcpListener, TcpStream } from '@pollux/net';
import { onLines } from './lines.js';

const address = '127.0.0.1';
const MAX_LINE = 100;

function serve(reactor: Reactor, port: number): () => void {
  const clients = new Set<TcpStream>();
  const listener = TcpListener.listen(reactor, { address, port });
  listener.on('connection', (stream) => {
    clients.add(stream);
    onLines(stream, MAX_LINE, (lines) => {
      // Not an echo: on one machine the system may give a client the very port that it tries, and so
      // connect it to itself. It must not take that for a server.
      const answers = lines.map((line) => `alive ${line.replace('beat ', '')}\n`);
      if (!stream.write(answers.join(''))) stream.pause(); // it asks, and does not read
    });
    stream.on('drain', () => stream.resume());
    stream.on('error', () => {}); // the client will be back
    stream.on('close', () => clients.delete(stream));
  });
  listener.on('error', (error) => console.error(error.message));
  console.log(`answering beats on tcp ${address}:${listener.address().port}; Ctrl-C stops`);

  return () => {
    listener.close();
    for (const stream of clients) stream.destroy();
  };
}

interface Beating {
  readonly port: number;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly leastPauseMs: number;
  readonly mostPauseMs: number;
  readonly tell: (event: string, details?: object) => void;
}

/** Keeps a connection alive, or comes back to it, until the function that it returns is called. */
function keepBeating(reactor: Reactor, options: Beating): () => void {
  const { port, intervalMs, timeoutMs, leastPauseMs, mostPauseMs, tell } = options;
  let failures = 0; // since the last answer
  let stop = connect();

  function connect(): () => void {
    tell('connecting');
    const stream = TcpStream.connect(reactor, { address, port });
    let sent = 0;
    let why = 'ended by the server';

    // What has arrived is read before timers are looked at: a client that was itself frozen does not
    // blame the server. Connecting too may be met with silence.
    const silence = reactor.timer(timeoutMs, () => stream.destroy(new Error('silence')));
    const beats = reactor.timer(intervalMs, beat, { repeat: true });

    function beat(): void {
      if (stream.connecting || stream.destroyed) return;
      if (silence.remaining === Infinity) silence.again(timeoutMs);
      stream.write(`beat ${++sent}\n`);
    }

    function hear(line: string): void {
      const answered = Number(/^alive (\d+)$/.exec(line)?.[1]);
      if (!(answered <= sent)) {
        stream.destroy(new Error('no heartbeat server'));
        return;
      }
      tell('answer', { beat: answered });
      failures = 0;
      silence.again(answered === sent ? Infinity : timeoutMs);
    }

    stream.on('connect', () => {
      tell('connected');
      silence.again(timeoutMs);
      beats.again(); // from now on
      beat();
    });
    onLines(stream, MAX_LINE, (lines) => {
      for (const line of lines) if (!stream.destroyed) hear(line);
    });
    stream.on('error', (error: NodeJS.ErrnoException) => {
      why = error.code ?? error.message; // ECONNREFUSED, ECONNRESET, silence
    });
    stream.on('close', () => {
      silence.close();
      beats.close();
      tell('lost', { why });
      stop = pause();
    });

    return () => {
      stream.removeAllListeners('close').destroy();
      silence.close();
      beats.close();
    };
  }

  function pause(): () => void {
    const bound = Math.min(mostPauseMs, leastPauseMs * 2 ** failures++);
    const pauseMs = (bound / 2) * (1 + Math.random());
    tell('pause', { pauseMs });
    const timer: Timer = reactor.timer(pauseMs, () => {
      stop = connect();
    });
    return () => timer.close();
  }

  return () => stop();
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '41238' },
    interval: { type: 'string', default: '1000' },
    timeout: { type: 'string', default: '3000' },
    least: { type: 'string', default: '100' },
    most: { type: 'string', default: '30000' },
  },
});
const reactor = new Reactor(); // inside Node's own loop: nothing here ever blocks it
const port = Number(values.port);

function startClient(): () => void {
  return keepBeating(reactor, {
    port,
    intervalMs: Number(values.interval),
    timeoutMs: Number(values.timeout),
    leastPauseMs: Number(values.least),
    mostPauseMs: Number(values.most),
    tell: (event, details) =>
      console.log(JSON.stringify({ event, atMs: performance.now(), ...details })),
  });
}

const [role] = positionals;
if (role !== 'server' && role !== 'client') throw new Error("Say 'server' or 'client'");
process.once('SIGINT', role === 'server' ? serve(reactor, port) : startClient());
