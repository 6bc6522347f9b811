// What http.request and http.Agent call to get a connection: a name resolved, its addresses tried in
// turn, the first that answers made a Duplex.
import { lookup as dnsLookup, type LookupAddress, type LookupOptions } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { invalidType, invalidValue, type Reactor } from '@pollux/core';
import { MAX_TIMEOUT_MS, SocketDuplex } from './duplex.js';
import { checkTcpStreamOptions } from './tcp-options.js';
import { TcpStream } from './tcp-stream.js';
import { checkDelay, checkOptions, checkPort, checkReactor } from './validate.js';

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
  // Not there yet, and refused rather than ignored.
  socketPath?: string | null | undefined;
  localAddress?: string | null | undefined;
  localPort?: number | null | undefined;
}

/**
 * A `createConnection` for `http.request`, `http.Agent` and ws that connects on a reactor. Names are
 * resolved by `dns.lookup`, which needs Node's loop. If a name has several addresses, each is tried
 * when the one before is refused; what is left of the errors is an AggregateError, if there are two.
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
  for (const name of ['socketPath', 'localAddress', 'localPort'] as const) {
    if (options[name] != null) throw invalidValue(`options.${name}`, 'left out', options[name]);
  }
  const host = options.host ?? 'localhost';
  if (typeof host !== 'string') throw invalidType('options.host', 'of type string', host);
  // http takes the port from a URL.
  const port = typeof options.port === 'string' ? Number(options.port) : options.port;
  checkPort('options.port', port, 1);
  const { timeout = 0, lookup = dnsLookup as LookupFunction } = options;
  checkDelay('options.timeout', timeout, MAX_TIMEOUT_MS);
  if (typeof lookup !== 'function') {
    throw invalidType('options.lookup', 'of type function', lookup);
  }
  // Agents give undefined for what is left out.
  const streamOptions = {
    ...(options.noDelay !== undefined && { noDelay: options.noDelay }),
    ...(options.allowHalfOpen !== undefined && { allowHalfOpen: options.allowHalfOpen }),
  };
  checkTcpStreamOptions(streamOptions);

  const duplex = new SocketDuplex({ allowHalfOpen: options.allowHalfOpen ?? false });
  if (timeout > 0) duplex.setTimeout(timeout);

  const errors: Error[] = [];
  const tryEach = (addresses: readonly LookupAddress[], next = 0): void => {
    const { address } = addresses[next] as LookupAddress;
    duplex._attach(
      TcpStream.connect(reactor, { ...streamOptions, address, port: port as number }),
      (error) => {
        errors.push(error);
        if (next + 1 < addresses.length) tryEach(addresses, next + 1);
        else duplex.destroy(errors.length === 1 ? error : aggregate(errors));
      },
    );
  };

  const family = isIP(host);
  if (family !== 0) {
    tryEach([{ address: host, family }]);
    return duplex;
  }
  lookup(host, lookupOptions(options), (error, found, itsFamily) => {
    if (duplex.destroyed) return;
    // A lookup of the user's may answer with one address though it was asked for all.
    const addresses = Array.isArray(found) ? found : [{ address: found, family: itsFamily ?? 0 }];
    duplex.emit('lookup', error, addresses[0]?.address, addresses[0]?.family, host);
    if (error !== null && error !== undefined) duplex.destroy(error);
    else
      try {
        tryEach(addresses);
      } catch (refusal) {
        duplex.destroy(refusal as Error);
      }
  });
  return duplex;
}

function lookupOptions({ family, hints }: CreateConnectionOptions): LookupOptions {
  return {
    all: true,
    ...(family !== undefined && { family }),
    ...(hints !== undefined && { hints }),
  };
}

/** As Node's of net.connect: `code` is that of the first. */
function aggregate(errors: readonly Error[]): AggregateError {
  const error = new AggregateError(errors, errors.map(({ message }) => message).join('; '));
  return Object.assign(error, { code: (errors[0] as NodeJS.ErrnoException).code });
}
