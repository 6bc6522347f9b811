// Argument checks: each throws synchronously, names the argument, and changes nothing.
import { isUint8Array } from 'node:util/types';
import { invalidType, invalidValue, outOfRange, PolluxError, type Reactor } from '@pollux/core';

export function checkReactor(value: Reactor): void {
  if (typeof value?.watch !== 'function' || typeof value.defer !== 'function') {
    throw invalidType('reactor', 'a Reactor', value);
  }
  if (value.closed) throw new PolluxError('ERR_POLLUX_CLOSED', 'The reactor is closed');
}

export function checkOptions(name: string, value: unknown): void {
  if (typeof value !== 'object' || value === null) throw invalidType(name, 'of type object', value);
}

export function checkInteger(name: string, value: unknown, min: number, max: number): void {
  if (typeof value !== 'number') throw invalidType(name, 'of type number', value);
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < min || value > max) throw outOfRange(name, `>= ${min} and <= ${max}`, value);
}

/** Milliseconds, as many as a reactor's timers take. */
export const MAX_DELAY = 0x7fff_ffff;

/** Part of a buffer. */
export function checkSlice(buffer: unknown, offset: unknown, length: unknown): void {
  if (!isUint8Array(buffer)) {
    throw invalidType('buffer', 'a Buffer or a Uint8Array', buffer);
  }
  const { length: size } = buffer;
  if (!Number.isInteger(offset) || (offset as number) < 0 || (offset as number) > size) {
    checkInteger('offset', offset, 0, size);
  }
  const most = size - (offset as number);
  if (!Number.isInteger(length) || (length as number) < 0 || (length as number) > most) {
    checkInteger('length', length, 0, most);
  }
}

export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw invalidType(name, 'of type function', value);
}

/** Milliseconds, fractions allowed. */
export function checkDelay(name: string, value: unknown, max: number): void {
  if (typeof value !== 'number') throw invalidType(name, 'of type number', value);
  if (!(value >= 0 && value <= max)) throw outOfRange(name, `>= 0 and <= ${max}`, value);
}

export function checkBoolean(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') {
    throw invalidType(name, 'of type boolean', value);
  }
}

/** A port; from 0 on for one to bind to, where that lets the system choose. */
export function checkPort(name: string, value: unknown, min: 0 | 1): void {
  checkInteger(name, value, min, 65_535);
}

/** Bytes, not text. */
export function checkBytes(name: string, value: unknown): void {
  if (typeof value === 'string') throw invalidType(name, 'a Buffer or a Uint8Array', value);
  checkData(name, value);
}

/** The length in bytes of what is to be sent. */
export function checkData(name: string, value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  // Not instanceof: that is true of what only inherits from one, and false of another realm's.
  if (!isUint8Array(value)) {
    throw invalidType(name, 'a string, a Buffer or a Uint8Array', value);
  }
  // Its memory is with another thread now; empty is what it looks like, not what was meant.
  if (value.length === 0 && (value.buffer as { detached?: boolean }).detached === true) {
    throw invalidValue(name, 'a buffer that was not transferred away', value);
  }
  return value.length;
}

/** What this system has not got, whatever the arguments are. */
export function lacks(what: string): PolluxError {
  return new PolluxError('ERR_POLLUX_UNSUPPORTED', `This system has no ${what}`);
}
