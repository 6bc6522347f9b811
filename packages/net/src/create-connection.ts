// What http.request and http.Agent call to get a connection: a name resolved, its addresses tried in
// the happy-eyeballs manner, the first that answers made a Duplex.
import { lookup as dnsLookup, type LookupOptions } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { invalidType, type Reactor } from '@pollux/core';
import { MAX_TIMEOUT_MS, SocketDuplex } from './duplex.js';
import { lookedUp } from './lookup.js';
import { checkTcpStreamOptions, type TcpConnectOptions } from './tcp-options.js';
import { TcpStream } from './tcp-stream.js';
import { UnixStream } from './unix-stream.js';
import { checkDelay, checkFunction, checkOptions, checkPort, checkReactor } from './validate.js';

/** Of the options of `net.connect` and `http.request`, those that are heeded. */
export interface CreateConnectionOptions {
  /** A name or an address; `'localhost'` if left out. */
  host?: string | null | undefined;
  port?: number | string | null | undefined;
  /** 4 or 6 for addresses of one family only. */
  family?: number | undefined;
  hints?: number | undefined;
  /** In place of `dns.lookup`. */
  lookup?: LookupFunction | undefined;
  /** `setTimeout` of the Duplex. */
  timeout?: number | undefined;
  noDelay?: boolean | undefined;
  allowHalfOpen?: boolean | undefined;
  keepAlive?: boolean | undefined;
  keepAliveInitialDelay?: number | undefined;
  localAddress?: string | null | undefined;
  localPort?: number | null | undefined;
  /** A Unix socket, in place of host and port. */
  socketPath?: string | null | undefined;
}

/**
 * A `createConnection` for `http.request`, `http.Agent` and ws that connects on a reactor. Names are
 * resolved by `dns.lookup`, which needs Node's loop. If a name has several addresses, the next is
 * tried when the one before is refused, or beside it after 250 ms; if all are refused, the error is
 * an AggregateError.
 */
export function createConnection(
  reactor: Reactor,
): (options: CreateConnectionOptions) => SocketDuplex {
  checkReactor(reactor);
  return (options) => {
    checkReactor(reactor);
    checkOptions('options', options);
    return connect(reactor, options);
  };
}

function connect(reactor: Reactor, options: CreateConnectionOptions): SocketDuplex {
  const { timeout = 0, lookup = dnsLookup as LookupFunction } = options;
  checkDelay('options.timeout', timeout, MAX_TIMEOUT_MS);
  checkFunction('options.lookup', lookup);
  const streamOptions = given(options);
  checkTcpStreamOptions(streamOptions);
  const duplex = new SocketDuplex({ allowHalfOpen: options.allowHalfOpen ?? false });
  if (timeout > 0) duplex.setTimeout(timeout);
  if (options.socketPath != null) {
    duplex._attach(UnixStream.connect(reactor, { path: options.socketPath }));
    return duplex;
  }

  const host = options.host ?? 'localhost';
  if (typeof host !== 'string') throw invalidType('options.host', 'of type string', host);
  // http takes the port from a URL.
  const port = typeof options.port === 'string' ? Number(options.port) : options.port;
  checkPort('options.port', port, 1);
  const attach = (addresses: readonly string[]): void =>
    duplex._attach(
      TcpStream.connect(reactor, { ...streamOptions, addresses, port: port as number }),
    );
  if (isIP(host) !== 0) {
    attach([host]);
    return duplex;
  }
  lookup(host, lookupOptions(options), (...answered) => {
    if (duplex.destroyed) return;
    const result = lookedUp(host, ...answered);
    if (result.error !== null) {
      duplex.emit('lookup', result.error, undefined, undefined, host);
      duplex.destroy(result.error);
      return;
    }
    const { addresses } = result;
    duplex.emit('lookup', null, addresses[0]?.address, addresses[0]?.family, host);
    try {
      attach(addresses.map(({ address }) => address));
    } catch (refusal) {
      duplex.destroy(refusal as Error);
    }
  });
  return duplex;
}

/** What was given of a stream's options: agents give undefined, or null, for what is left out. */
function given(options: CreateConnectionOptions): Partial<TcpConnectOptions> {
  const names = [
    'noDelay',
    'allowHalfOpen',
    'keepAlive',
    'keepAliveInitialDelay',
    'localAddress',
    'localPort',
  ] as const;
  return Object.fromEntries(
    names.filter((name) => options[name] != null).map((name) => [name, options[name]]),
  );
}

function lookupOptions({ family, hints }: CreateConnectionOptions): LookupOptions {
  return {
    all: true,
    ...(family !== undefined && { family }),
    ...(hints !== undefined && { hints }),
  };
}
