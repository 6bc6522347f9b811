// An interface may get another index, or another name, while the process lives: the zone of an address
// is looked up each time it is given. In a network namespace of its own.
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { runChild } from './support.js';

const renames =
  spawnSync('unshare', ['-rn', 'ip', 'link', 'set', 'lo', 'name', 'other']).status === 0;

test.skipIf(!renames)('a zone whose interface is gone is refused (unshare, ip)', async () => {
  const { stdout, stderr, code } = await runChild(
    `
    import { execFileSync } from 'node:child_process';
    import { Reactor } from '@pollux/core';
    import { UdpSocket } from '@pollux/net';
    const reactor = new Reactor();
    const socket = UdpSocket.bind(reactor, { address: '::' });
    socket.on('error', () => {});
    const known = (address) => {
      try { return socket.send('x', 9, address); } catch (error) { return error.code; }
    };
    console.log(known('fe80::1%lo'), known('fe80::1%other'));
    execFileSync('ip', ['link', 'set', 'lo', 'name', 'other']);
    console.log(known('fe80::1%lo'), known('fe80::1%other'));
    reactor.close();
  `,
    (command) => ['unshare', '-rn', ...command],
  );
  expect({ stdout, stderr, code }).toEqual({
    stdout: 'true ERR_INVALID_ARG_VALUE\nERR_INVALID_ARG_VALUE true\n',
    stderr: '',
    code: 0,
  });
});
