// What a lookup function, dns.lookup or a user's in its place, has answered.
import type { LookupAddress } from 'node:dns';

/** Asked for all addresses it may answer with one, and with none where dns.lookup makes an error. */
export function lookedUp(
  host: string,
  error: Error | null,
  found: string | LookupAddress[],
  family: number | undefined,
): { readonly error: Error } | { readonly error: null; readonly addresses: LookupAddress[] } {
  if (error) return { error };
  // What is no address is refused where it is used.
  const all = Array.isArray(found) ? found : [{ address: found, family: family ?? 0 }];
  if (all.length === 0) return { error: notFound(host) };
  return { error: null, addresses: interleave(all) };
}

/** RFC 8305, section 4: as they come, but the families take turns, that of the first one first. */
function interleave(found: readonly LookupAddress[]): LookupAddress[] {
  const first = found.filter(({ family }) => family === found[0]?.family);
  const second = found.filter(({ family }) => family !== found[0]?.family);
  const order: LookupAddress[] = [];
  for (let i = 0; i < Math.max(first.length, second.length); i++) {
    for (const each of [first[i], second[i]]) if (each !== undefined) order.push(each);
  }
  return order;
}

/** libuv's UV_EAI_NONAME, which node:dns calls ENOTFOUND. */
const NO_NAME = -3008;

/** As dns.lookup's own. */
function notFound(hostname: string): Error {
  const error = new Error(`getaddrinfo ENOTFOUND ${hostname}`);
  return Object.assign(error, {
    errno: NO_NAME,
    code: 'ENOTFOUND',
    syscall: 'getaddrinfo',
    hostname,
  });
}
