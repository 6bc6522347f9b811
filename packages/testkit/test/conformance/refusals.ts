// Wrong arguments by kind, and what refuses them: a typed error that names the argument.
import { expect } from 'vitest';
import { thrownBy } from './reactor-support.js';

export const ignore = (): void => {};

export type Expected = readonly [name: string, code: string, argument: string];
export const type = (argument: string): Expected => ['TypeError', 'ERR_INVALID_ARG_TYPE', argument];
export const value = (argument: string): Expected => [
  'TypeError',
  'ERR_INVALID_ARG_VALUE',
  argument,
];
export const range = (argument: string): Expected => ['RangeError', 'ERR_OUT_OF_RANGE', argument];

/** What is no number, and numbers that no integer argument takes. */
export const NOT_NUMBERS: unknown[] = [undefined, null, '1', true, 1n, {}, [], Symbol('1'), ignore];
export const NOT_INTEGERS = [Number.NaN, 1.5, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
export const NOT_OBJECTS: unknown[] = [null, 1, 'level', true, 1n, Symbol('options'), ignore];
export const NOT_FUNCTIONS: unknown[] = [
  undefined,
  null,
  1,
  'callback',
  {},
  [],
  Symbol('callback'),
];
export const NOT_BOOLEANS: unknown[] = [null, 0, 1, 'true', {}, []];

export function expectRefusal(action: () => unknown, [name, code, argument]: Expected): void {
  const error = thrownBy(action);
  expect(error).toMatchObject({ name, code });
  expect(error).toBeInstanceOf(name === 'TypeError' ? TypeError : RangeError);
  expect(error.message).toContain(`"${argument}"`);
}
