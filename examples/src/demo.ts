// What `npm start` runs: a UDP echo and an HTTP hello on one reactor, in one thread.
//
//   npm start                                     41234 (UDP) and 41235 (HTTP) on the loopback
//   npm start -- --udp 5000 --http 5001 --host ::1 --backend select
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { parseArgs } from 'node:util';
import { BACKEND_NAMES, explainSelection, Reactor } from '@pollux/core';
import { type Endpoint, TcpListener, type TcpStream, UdpSocket } from '@pollux/net';
import { serveHttp } from './http.js';

const USAGE = `Usage: npm start -- [options]

  --udp <port>      UDP echo (41234)
  --http <port>     HTTP hello (41235)
  --host <address>  where to listen (127.0.0.1)
  --backend <name>  epoll, select, ...; the best one if left out
  --help            this text

A port of 0 is one that the system chooses.`;

interface Settings {
  udp: number;
  http: number;
  host: string;
  backend: string | undefined;
}

function readPort(option: string, text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) {
    throw new Error(`--${option} must be a port number from 0 to 65535, not '${text}'`);
  }
  return port;
}

function checkBackend(name: string): string {
  if (!BACKEND_NAMES.includes(name)) {
    throw new Error(`--backend must be one of ${BACKEND_NAMES.join(', ')}, not '${name}'`);
  }
  const { candidates } = explainSelection({ backend: name });
  const refused = candidates.find(({ backend }) => backend === name)?.reason;
  if (refused !== undefined) throw new Error(`--backend ${name}: ${refused.message}`);
  return name;
}

/** Undefined if only help was asked for. */
async function readSettings(args: string[]): Promise<Settings | undefined> {
  const { values } = parseArgs({
    args,
    options: {
      udp: { type: 'string', default: '41234' },
      http: { type: 'string', default: '41235' },
      host: { type: 'string', default: '127.0.0.1' },
      backend: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const udp = readPort('udp', values.udp);
  const http = readPort('http', values.http);
  // The sockets take addresses; names are node:dns's business.
  const host = isIP(values.host) ? values.host : (await lookup(values.host)).address;
  const backend = values.backend === undefined ? undefined : checkBackend(values.backend);
  return { udp, http, host, backend };
}

function show({ address, family, port }: Endpoint): string {
  return family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
}

function start({ udp, http, host, backend }: Settings): void {
  const reactor = new Reactor(backend === undefined ? {} : { backend });
  const count = { datagrams: 0, requests: 0, connections: 0 };
  const clients = new Set<TcpStream>();

  const echo = UdpSocket.bind(reactor, { address: host, port: udp });
  echo.on('message', (data, peer) => {
    count.datagrams++;
    echo.send(data, peer);
  });
  echo.on('error', () => {}); // an answer that the network would not take

  let listener: TcpListener;
  try {
    listener = TcpListener.listen(reactor, { address: host, port: http });
  } catch (error) {
    echo.close();
    reactor.close();
    throw error;
  }
  listener.on('connection', (stream) => {
    count.connections++;
    clients.add(stream);
    stream.on('close', () => clients.delete(stream));
    serveHttp(stream, () => {
      count.requests++;
      return 'hello from pollux\n';
    });
  });
  listener.on('error', (error) => console.error(`pollux: ${error.message}`));

  function showCounts(): () => void {
    let shown = '';
    const timer = reactor.timer(
      250,
      () => {
        const text =
          `${count.datagrams} datagrams, ${count.requests} requests, ` +
          `${clients.size} of ${count.connections} connections open`;
        if (text !== shown) process.stdout.write(`\r\x1b[K${text}`);
        shown = text;
      },
      { repeat: true },
    );
    return () => {
      timer.close();
      if (shown !== '') process.stdout.write('\n');
    };
  }

  let stopCounting = (): void => {};
  // Under npm, Ctrl-C comes twice: from the terminal and from npm. The second finds us closed.
  function stop(): void {
    if (reactor.closed) return;
    stopCounting();
    echo.close();
    listener.close();
    for (const stream of clients) stream.destroy();
    reactor.close();
    // Nothing is left to wait for. But while Node ends by itself it drops its signal handlers first,
    // and a second Ctrl-C would be the end of a program that has ended well.
    process.exit(0);
  }
  process.on('SIGINT', stop).on('SIGTERM', stop);

  const where = `UDP echo on ${show(echo.address())}, HTTP hello on http://${show(listener.address())}`;
  console.log(`pollux: ${reactor.backend}, ${where}`);

  if (process.stdout.isTTY) stopCounting = showCounts();
}

try {
  const settings = await readSettings(process.argv.slice(2));
  if (settings === undefined) console.log(USAGE);
  else start(settings);
} catch (error) {
  // Whatever is wrong with the call: one line. (parseArgs adds advice in a second one.)
  const { code, message } = error as NodeJS.ErrnoException;
  const lines = message.split('\n').map((line) => line.trim());
  const text = code?.startsWith('ERR_PARSE_ARGS') ? lines[0] : lines.join(' ');
  console.error(`pollux: ${text}`);
  process.exitCode = 1;
}
