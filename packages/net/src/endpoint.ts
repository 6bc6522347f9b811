// Endpoints: an IP address and a port, in the words of people and in the system's.
//
// Both are kept together, so that answering a peer needs no parsing, and a peer that comes again
// needs no formatting: the conversions cost more than a system call's share of a batch does.
import { invalidType, invalidValue } from '@pollux/core';
import { native, SLOT_LENGTH_WORD, SLOT_SIZE } from './native.js';
import { checkPort } from './validate.js';

/** An IP address and a port. */
export interface Endpoint {
  /** As text, `'127.0.0.1'`, `'::1'`, `'fe80::1%eth0'`. */
  readonly address: string;
  readonly family: 'IPv4' | 'IPv6';
  readonly port: number;
}

/** An endpoint that knows its slot: the form in which the system takes and gives it. */
export class EncodedEndpoint implements Endpoint {
  static {
    // As it is printed.
    Object.defineProperty(EncodedEndpoint, 'name', { value: 'Endpoint' });
  }

  readonly address: string;
  readonly family: 'IPv4' | 'IPv6';
  readonly port: number;
  readonly #slot: Uint8Array;

  constructor(address: string, family: number, port: number, slot: Uint8Array) {
    this.address = address;
    this.family = family === 6 ? 'IPv6' : 'IPv4';
    this.port = port;
    this.#slot = slot;
    Object.freeze(this);
  }

  /** Whether it is one of these, not merely like one. */
  static is(endpoint: object): endpoint is EncodedEndpoint {
    return #slot in endpoint;
  }

  /** Not a property: who prints an endpoint wants to see an address. */
  static slotOf(endpoint: EncodedEndpoint): Uint8Array {
    return endpoint.#slot;
  }

  /** `'127.0.0.1:80'`, `'[::1]:80'`. */
  toString(): string {
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

const CACHE_SIZE = 1024; // a power of two

/**
 * The endpoints of the slots that a receive fills, made once for each peer. Direct-mapped: of two
 * peers that share a place, the later one takes it. So it is bounded, and there is nothing to evict.
 */
export class EndpointCache {
  readonly #slots: Uint8Array;
  readonly #words: Int32Array;
  readonly #cached: ({ words: Int32Array; endpoint: EncodedEndpoint } | undefined)[] = [];

  constructor(slots: Uint8Array) {
    this.#slots = slots;
    this.#words = new Int32Array(slots.buffer, slots.byteOffset, slots.length / 4);
    for (let i = 0; i < CACHE_SIZE; i++) this.#cached.push(undefined);
  }

  /** The endpoint in a slot; undefined if it holds no IP address. */
  get(slot: number): EncodedEndpoint | undefined {
    const words = this.#words;
    const first = (slot * SLOT_SIZE) / 4;
    const count = ((words[first + SLOT_LENGTH_WORD] as number) + 3) >> 2;
    let hash = 0;
    for (let i = 0; i < count; i++) {
      hash = Math.imul(hash ^ (words[first + i] as number), 0x9e37_79b1);
      hash ^= hash >>> 15;
    }
    const place = hash & (CACHE_SIZE - 1);
    const cached = this.#cached[place];
    if (cached !== undefined && cached.words.length === count) {
      let i = 0;
      while (i < count && cached.words[i] === words[first + i]) i++;
      if (i === count) return cached.endpoint;
    }
    const endpoint = decodeSlot(this.#slots, slot * SLOT_SIZE);
    if (endpoint === undefined) return undefined;
    this.#cached[place] = { words: words.slice(first, first + count), endpoint };
    return endpoint;
  }
}
