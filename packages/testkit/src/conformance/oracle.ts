// What a poller has to say of a descriptor, derived from what poll(2) says of it.
//
// poll(2) tells every condition apart that select and epoll tell, from the same function of the
// kernel, so a backend is right if it says the same in Pollux's words. The rule is the contract's:
// readable and writable on every backend, hints where the capabilities promise them. A hint that is
// not promised may come all the same where poll(2) sees its cause: kqueue tells the ends of the two
// directions, which comes to an error or a hangup in most cases, but not in all.
import { type Capabilities, Events, Interest } from '@pollux/core';
import type { PollName } from '../descriptors.js';

export interface Verdict {
  /** These must be reported ... */
  readonly must: number;
  /** ... and no bits but these. */
  readonly may: number;
}

/**
 * `only` names the one direction that the descriptor has (a pipe's end): what is reported of the
 * other means nothing, and backends differ in it.
 */
export function verdict(
  seen: readonly PollName[],
  interest: number,
  capabilities: Capabilities,
  only?: 'readable' | 'writable',
): Verdict {
  // A pause is silent even where poll(2) reports an error unasked.
  if (interest === 0) return { must: 0, may: 0 };
  const has = (...names: PollName[]) => names.some((name) => seen.includes(name));
  const asked = { readable: false, writable: false };
  if (interest & Interest.readable) asked.readable = has('in', 'rdhup', 'hup', 'err', 'nval');
  if (interest & Interest.writable) asked.writable = has('out', 'hup', 'err', 'nval');

  let must = 0;
  let may = 0;
  if (asked.readable) may |= Events.readable;
  if (asked.writable) may |= Events.writable;
  if (asked.readable && only !== 'writable') must |= Events.readable;
  if (asked.writable && only !== 'readable') must |= Events.writable;
  if (interest & Interest.priority && has('pri')) must |= Events.priority;
  if (capabilities.errorHint && has('err')) must |= Events.error;
  if (capabilities.hangupHint && has('hup')) must |= Events.hangup;
  if (capabilities.earlyClose && interest & Interest.readable && has('rdhup'))
    must |= Events.readClosed;
  if (has('err', 'hup')) may |= Events.error | Events.hangup;
  return { must, may: may | must };
}

/** Null if the bits are as the verdict demands, else both in words. */
export function dissent(
  bits: number,
  { must, may }: Verdict,
): { must: number; may: number } | null {
  return (bits & must) === must && (bits & ~may) === 0 ? null : { must, may };
}
