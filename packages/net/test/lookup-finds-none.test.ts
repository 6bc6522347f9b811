// A lookup that answers with no address, where dns.lookup would answer with an error: the error is the
// one that it would make.
import dns from 'node:dns';
import type { LookupFunction } from 'node:net';
import { Reactor } from '@pollux/core';
import { createConnection, TcpStream } from '@pollux/net';
import { expect, test } from 'vitest';

const none: LookupFunction = (_host, _options, callback) => setImmediate(callback, null, []);
const host = 'nowhere.invalid';
const expected = {
  name: 'Error',
  message: 'getaddrinfo ENOTFOUND nowhere.invalid',
  code: 'ENOTFOUND',
  errno: -3008,
  syscall: 'getaddrinfo',
  hostname: host,
};

test('the error is as that of dns', async () => {
  const error = await new Promise<Error | null>((resolve) =>
    // Not by the network: no name of this length can be asked for.
    dns.lookup(`${'x'.repeat(64)}.invalid`, (error) => resolve(error)),
  );
  expect(error).toMatchObject({ name: 'Error', code: 'ENOTFOUND', errno: -3008 });
  expect(Object.keys(error as Error).sort()).toEqual(['code', 'errno', 'hostname', 'syscall']);
});

test('TcpStream.open', async () => {
  const reactor = new Reactor();
  const opening = TcpStream.open(reactor, { host, port: 9, lookup: none });
  const error = await opening.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject(expected);
  expect(Object.keys(error as Error).sort()).toEqual(['code', 'errno', 'hostname', 'syscall']);
  expect(reactor.alive).toBe(false);
  reactor.close();
});

test('createConnection', async () => {
  const reactor = new Reactor();
  const duplex = createConnection(reactor)({ host, port: 9, lookup: none });
  const events: unknown[][] = [];
  duplex.on('lookup', (...args) => events.push(['lookup', ...args]));
  duplex.on('error', (error) => events.push(['error', error]));
  await new Promise((resolve) => duplex.on('close', resolve));
  const error = expect.objectContaining(expected);
  expect(events).toEqual([
    ['lookup', error, undefined, undefined, host],
    ['error', error],
  ]);
  reactor.close();
});
