// Errors: codes and names, what a system's error carries, and that a PolluxError of one copy of core
// is one for another.
import { constants } from 'node:os';
import { getSystemErrorMap, inspect } from 'node:util';
import {
  invalidType,
  invalidValue,
  outOfRange,
  PolluxError,
  type SystemError,
  systemError,
} from '@pollux/core';
import { describe, expect, test } from 'vitest';
import { Installation } from './support.js';

describe('PolluxError', () => {
  test('has a code, a name, a message and a stack of the place that made it', () => {
    const cause = new Error('because');
    const error = new PolluxError('ERR_POLLUX_CLOSED', 'It is closed', { cause });
    expect(error).toBeInstanceOf(Error);
    expect(error).toBeInstanceOf(PolluxError);
    expect(error).toMatchObject({ code: 'ERR_POLLUX_CLOSED', message: 'It is closed', cause });
    expect(error.name).toBe('PolluxError');
    expect(error.stack).toContain('errors.test');
    expect(inspect(error)).toContain('ERR_POLLUX_CLOSED');
    expect(Object.prototype.toString.call(error)).toBe('[object Error]');
  });

  test('is one in the eyes of another copy of the package, and nothing else is', async () => {
    using installation = new Installation(['core']);
    const copy = (await import(installation.path('@pollux/core/dist/index.js'))) as {
      PolluxError: typeof PolluxError;
    };
    expect(copy.PolluxError).not.toBe(PolluxError);
    const theirs = new copy.PolluxError('ERR_POLLUX_CLOSED', 'theirs');
    const ours = new PolluxError('ERR_POLLUX_CLOSED', 'ours');
    expect(theirs instanceof PolluxError).toBe(true);
    expect(ours instanceof copy.PolluxError).toBe(true);
    for (const other of [new Error('x'), {}, null, undefined, 'x', { code: 'ERR_POLLUX_CLOSED' }]) {
      expect((other as object) instanceof PolluxError).toBe(false);
    }
  });
});

describe('an error of the system', () => {
  test.each([
    [-9, 'EBADF', 'bad file descriptor'],
    [-2, 'ENOENT', 'no such file or directory'],
    [-24, 'EMFILE', 'too many open files'],
  ])('%d is %s', (errno, code, text) => {
    const error = systemError(errno, 'epoll_ctl', { fd: 12 });
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(PolluxError);
    // Node's own number of it, which on Windows is not the C library's.
    const [nodes] = [...getSystemErrorMap()].find(([, [name]]) => name === code) ?? [];
    expect(error).toMatchObject({ code, errno: nodes, syscall: 'epoll_ctl', fd: 12 });
    expect(error.message).toBe(`${code}: ${text}, epoll_ctl (fd 12)`);
  });

  test('is written as Node writes it', () => {
    const inUse = -constants.errno.EADDRINUSE;
    const error: SystemError = systemError(inUse, 'bind', { address: '127.0.0.1', port: 80 });
    expect(error.message).toBe('EADDRINUSE: address already in use, bind 127.0.0.1:80');
    expect(error).toMatchObject({ address: '127.0.0.1', port: 80 });
    expect('fd' in error).toBe(false);
    expect(systemError(inUse, 'bind', { address: '::1', port: 80 }).message).toContain('[::1]:80');
    expect(systemError(inUse, 'bind', { address: '/run/x' }).message).toMatch(/bind \/run\/x$/);
  });

  test('without a name has its number for one', () => {
    expect(systemError(-4095, 'wait')).toMatchObject({ errno: -4095, code: expect.any(String) });
    expect(systemError(-12_345, 'wait')).toMatchObject({ errno: -12_345, code: 'E12345' });
  });
});

describe('an argument', () => {
  test('of the wrong type, value or size is named', () => {
    expect(invalidType('fd', 'of type number', 'x')).toMatchObject({
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_TYPE',
      message: `The "fd" argument must be of type number. Received 'x'`,
    });
    expect(invalidValue('options.mode', "'level' or 'edge'", 'x')).toMatchObject({
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_VALUE',
      message: `The "options.mode" argument must be 'level' or 'edge'. Received 'x'`,
    });
    expect(outOfRange('fd', '>= 0', -1)).toMatchObject({
      name: 'RangeError',
      code: 'ERR_OUT_OF_RANGE',
      message: 'The value of "fd" is out of range. It must be >= 0. Received -1',
    });
  });

  test('is shown, whatever it is, and shortened', () => {
    const looped: Record<string, unknown> = {};
    looped.self = looped;
    for (const value of [undefined, null, Symbol('s'), 1n, looped, () => {}, [[[1]]]]) {
      expect(invalidType('x', 'other', value).message).toContain('Received ');
    }
    const message = invalidType('x', 'other', 'y'.repeat(10_000)).message;
    expect(message.length).toBeLessThan(120);
  });

  test('that cannot be shown is refused all the same', () => {
    const hostile = {
      [inspect.custom]() {
        throw new Error('not to be shown');
      },
    };
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    for (const value of [hostile, proxy]) {
      expect(invalidType('x', 'other', value)).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
    }
  });
});
