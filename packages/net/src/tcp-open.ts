// Names for TcpStream.open: Node's resolver is asked, for there is none of our own.
import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { followSignal, invalidType, PolluxError, type Reactor, unfollowSignal } from '@pollux/core';
import { Exchange } from './exchange.js';
import { lookedUp } from './lookup.js';
import { checkTcpConnectOptions, type TcpConnectOptions } from './tcp-options.js';
import { checkFunction, checkInteger, checkOptions, checkPort, checkReactor } from './validate.js';

export interface TcpOpenOptions extends TcpConnectOptions {
  /** A name or an address; in place of `address` and `addresses`. */
  host?: string;
  /** 4 or 6 for addresses of one family only; 0, the default, for both. */
  family?: 0 | 4 | 6;
  /** In place of `dns.lookup`. It is asked for all addresses, and may answer with one. */
  lookup?: LookupFunction;
}

/** The options of `connect` for those of `open`: the name is resolved. */
export async function resolveHost(
  reactor: Reactor,
  options: TcpOpenOptions,
): Promise<TcpConnectOptions> {
  checkReactor(reactor);
  checkOptions('options', options);
  checkTcpConnectOptions(options);
  const { host, family = 0, lookup = dnsLookup as LookupFunction, ...rest } = options;
  if (host === undefined) return rest;
  for (const name of ['address', 'addresses'] as const) {
    if (rest[name] === undefined) continue;
    throw invalidType(`options.${name}`, 'left out beside "options.host"', rest[name]);
  }
  if (typeof host !== 'string') throw invalidType('options.host', 'of type string', host);
  checkInteger('options.family', family, 0, 6);
  checkFunction('options.lookup', lookup);
  checkPort('options.port', rest.port, 1);
  // A zone is not for isIP to judge.
  if (isIP(host.split('%')[0] as string) !== 0) return { ...rest, address: host };
  if (reactor.mode === 'blocking') {
    const message = `A blocking reactor does not let Node resolve the name '${host}'; give an address`;
    throw new PolluxError('ERR_POLLUX_BLOCKING', message);
  }
  const found = await lookUp(reactor, host, family, lookup, rest.signal);
  return { ...rest, addresses: found.map(({ address }) => address) };
}

/** Ends too when the signal is aborted, or the reactor closed. Keeps the reactor running. */
function lookUp(
  reactor: Reactor,
  host: string,
  family: number,
  lookup: LookupFunction,
  signal: AbortSignal | undefined,
): Promise<LookupAddress[]> {
  const exchange = Exchange.of(reactor);
  const hold = reactor.timer(Number.POSITIVE_INFINITY, () => {});
  return new Promise<LookupAddress[]>((resolve, reject) => {
    const ender = {
      abort: (reason: unknown) => fail(reason),
      abandon: () => fail(new PolluxError('ERR_POLLUX_CLOSED', 'The reactor is closed')),
    };
    const over = (): void => {
      hold.close();
      exchange.dismiss(ender);
      if (signal !== undefined) unfollowSignal(signal, ender);
    };
    const fail = (reason: unknown): void => {
      over();
      reject(reason);
    };
    exchange.enroll(ender);
    if (signal !== undefined) followSignal(signal, ender);
    const answer: Parameters<LookupFunction>[2] = (...answered) => {
      const result = lookedUp(host, ...answered);
      if (result.error !== null) {
        fail(result.error);
        return;
      }
      over();
      resolve(result.addresses);
    };
    try {
      lookup(host, { all: true, family }, answer);
    } catch (error) {
      fail(error); // dns.lookup throws what it does not like of its arguments
    }
  });
}
