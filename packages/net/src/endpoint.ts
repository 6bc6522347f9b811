// Endpoints: an IP address and a port, in the words of people and in the system's.
//
// Both are kept together, so that answering a peer needs no parsing, and a peer that comes again
// needs no formatting: the conversions cost more than a system call's share of a batch does.
import { invalidType, invalidValue } from '@pollux/core';
import { native, SLOT_SIZE } from './native.js';
import { checkPort } from './validate.js';

/** An IP address and a port. */
export interface Endpoint {
  /** As text, `'127.0.0.1'`, `'::1'`, `'fe80::1%eth0'`. */
  readonly address: string;
  readonly family: 'IPv4' | 'IPv6';
  readonly port: number;
}

/** What knows its slot: the form in which the system takes and gives an address. */
export class Addressed {
  readonly #slot: Uint8Array;
  #place = -1;

  constructor(slot: Uint8Array) {
    this.#slot = slot;
  }

  /** Not a property: who prints an endpoint wants to see an address. */
  static slotOf(addressed: Addressed): Uint8Array {
    return addressed.#slot;
  }

  /** Where a table (endpoint-table.ts) may have it; the table knows whether that is still so. */
  static placeOf(addressed: Addressed): number {
    return addressed.#place;
  }

  static setPlace(addressed: Addressed, place: number): void {
    addressed.#place = place;
  }
}

/** An endpoint that knows its slot. */
export class EncodedEndpoint extends Addressed implements Endpoint {
  static {
    // As it is printed.
    Object.defineProperty(EncodedEndpoint, 'name', { value: 'Endpoint' });
  }

  readonly address: string;
  readonly family: 'IPv4' | 'IPv6';
  readonly port: number;
  readonly #ip = true;

  constructor(address: string, family: number, port: number, slot: Uint8Array) {
    super(slot);
    this.address = address;
    this.family = family === 6 ? 'IPv6' : 'IPv4';
    this.port = port;
    Object.freeze(this);
  }

  /** Whether it is one of these, not merely like one. */
  static is(endpoint: object): endpoint is EncodedEndpoint {
    return #ip in endpoint;
  }

  /** `'127.0.0.1:80'`, `'[::1]:80'`. */
  override toString(): string {
    return this.family === 'IPv6'
      ? `[${this.address}]:${this.port}`
      : `${this.address}:${this.port}`;
  }
}

const text = Buffer.alloc(128);
const out = new Int32Array(2);

/** What a slot says; undefined if it holds no IP address. */
export function decodeSlot(slots: Uint8Array, offset: number): EncodedEndpoint | undefined {
  const length = native.formatAddress(slots, offset, text, out);
  const [family = 0, port = 0] = out;
  if (length <= 0) return undefined;
  const slot = new Uint8Array(slots.subarray(offset, offset + SLOT_SIZE));
  return new EncodedEndpoint(text.toString('latin1', 0, length), family, port, slot);
}

// By address, then port. Emptied when full: whoever is in use is back at once.
const MAX_ENCODED = 4096;
const encoded = new Map<string, Map<number, EncodedEndpoint>>();
let encodedCount = 0;

/** Parses an address. Throws what is wrong with it, naming the argument. */
export function encodeEndpoint(name: string, address: unknown, port: number): EncodedEndpoint {
  if (typeof address !== 'string') throw invalidType(name, 'of type string', address);
  const known = encoded.get(address)?.get(port);
  if (known !== undefined) return known;
  const slot = new Uint8Array(SLOT_SIZE);
  const family = native.encodeAddress(address, port, slot, 0);
  if (family < 0) throw invalidValue(name, 'an IPv4 or IPv6 address', address);
  const endpoint = new EncodedEndpoint(address, family, port, slot);
  // An interface may have another index the next time.
  if (address.includes('%')) return endpoint;
  if (encodedCount >= MAX_ENCODED) {
    encoded.clear();
    encodedCount = 0;
  }
  const ports = encoded.get(address);
  if (ports === undefined) encoded.set(address, new Map([[port, endpoint]]));
  else ports.set(port, endpoint);
  encodedCount++;
  return endpoint;
}

/** An endpoint as a caller gives it: one of ours, or any object with `address` and `port`. */
export function toEncoded(name: string, endpoint: unknown): EncodedEndpoint {
  if (typeof endpoint !== 'object' || endpoint === null) {
    throw invalidType(name, 'an object with address and port', endpoint);
  }
  if (EncodedEndpoint.is(endpoint)) return endpoint;
  const { address, port } = endpoint as Partial<Endpoint>;
  checkPort(`${name}.port`, port, 1);
  return encodeEndpoint(`${name}.address`, address, port as number);
}

/** The two families do not mix on one socket. */
export function checkFamily(name: string, endpoint: Endpoint, family: 'IPv4' | 'IPv6'): void {
  if (endpoint.family === family) return;
  const hint = family === 'IPv6' ? ' (an IPv4 one is written ::ffff:192.0.2.1)' : '';
  throw invalidValue(name, `an ${family} address${hint}`, endpoint.address);
}
