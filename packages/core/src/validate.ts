// Argument checks: each throws synchronously, names the argument, and changes nothing.
import { invalidType, invalidValue, outOfRange, PolluxError } from './errors.js';
import { INTEREST_MASK, Interest } from './interest.js';
import type { DriverName, Poller, RegistrationOptions } from './poller.js';

/** Largest descriptor: a POSIX descriptor is an int. */
const MAX_FD = 0x7fff_ffff;

export function checkInteger(name: string, value: unknown, min: number, max: number): void {
  if (typeof value !== 'number') throw invalidType(name, 'of type number', value);
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < min || value > max) throw outOfRange(name, `>= ${min} and <= ${max}`, value);
}

export function checkFd(fd: unknown): void {
  checkInteger('fd', fd, 0, MAX_FD);
}

export function checkKey(key: unknown): void {
  checkInteger('key', key, 0, 0xffff_ffff);
}

/** A HANDLE of Windows: 32 bits of it matter, in 64-bit programs too. */
export function checkHandle(handle: unknown): void {
  checkInteger('handle', handle, 0, 0xffff_ffff);
}

/** What a poller without `watchHandle` is answered for. */
export function noHandles(backend: string): PolluxError {
  return new PolluxError(
    'ERR_POLLUX_UNSUPPORTED',
    `The ${backend} backend watches no handles of Windows`,
  );
}

export function checkInterest(interest: unknown): void {
  if (typeof interest !== 'number') throw invalidType('interest', 'of type number', interest);
  if (!Number.isInteger(interest) || interest < 0 || interest > INTEREST_MASK) {
    throw outOfRange(
      'interest',
      'a combination of Interest.readable, writable, priority',
      interest,
    );
  }
}

/** What the kernel would refuse beside EPOLLEXCLUSIVE with a bare EINVAL, said in words. */
export function checkExclusive(interest: number, options: RegistrationOptions | undefined): void {
  if (!options?.exclusive) return;
  if (options.mode === 'oneshot') {
    throw invalidValue('options.mode', "'level' or 'edge' beside options.exclusive", options.mode);
  }
  if ((interest & Interest.priority) !== 0) {
    throw invalidValue('interest', 'without priority beside options.exclusive', interest);
  }
}

/** A driver that exists, and that the poller has here. */
export function checkDriver(name: string, driver: unknown, poller: Poller): void {
  checkOneOf(name, driver, ['thread', 'uv']);
  if (driver === undefined || poller.drivers.includes(driver as DriverName)) return;
  throw new PolluxError(
    'ERR_POLLUX_UNSUPPORTED',
    `The ${poller.backend} backend cannot be waited for by '${driver}' here (${name}); ` +
      `it has ${poller.drivers.join(', ')}`,
  );
}

/** Milliseconds, fractions allowed; `undefined` is `Infinity`. */
export function checkTimeout(name: string, value: unknown): number {
  if (value === undefined) return Number.POSITIVE_INFINITY;
  if (typeof value !== 'number') throw invalidType(name, 'of type number', value);
  if (!(value >= 0)) throw outOfRange(name, '>= 0', value);
  return value;
}

/** A number above 0, Infinity included; may be left out. */
export function checkPositive(name: string, value: unknown): void {
  if (value === undefined) return;
  if (typeof value !== 'number') throw invalidType(name, 'of type number', value);
  if (!(value > 0)) throw outOfRange(name, '> 0', value);
}

export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw invalidType(name, 'of type function', value);
}

export function checkBoolean(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') {
    throw invalidType(name, 'of type boolean', value);
  }
}

/** An options bag may be left out, but must be an object. */
export function checkOptions(name: string, value: unknown): void {
  if (value !== undefined && (typeof value !== 'object' || value === null)) {
    throw invalidType(name, 'of type object', value);
  }
}

/** A list of such names. */
export function checkNames(name: string, values: unknown, allowed: readonly string[]): void {
  if (!Array.isArray(values)) throw invalidType(name, 'an array of names', values);
  for (const value of values) {
    if (value === undefined) throw invalidType(name, 'an array of names', values);
    checkOneOf(name, value, allowed);
  }
}

export function checkOneOf(name: string, value: unknown, allowed: readonly string[]): void {
  if (value === undefined) return;
  if (typeof value !== 'string') throw invalidType(name, 'of type string', value);
  if (!allowed.includes(value)) {
    throw invalidValue(name, `one of ${allowed.map((name) => `'${name}'`).join(', ')}`, value);
  }
}
