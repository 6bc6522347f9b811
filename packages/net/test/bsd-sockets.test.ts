// What the socket calls of macOS and the BSDs say otherwise (fixtures/bsd-sockets.c, a model of it that
// is preloaded on Linux): it makes no difference above.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { runChild } from './support.js';

const scratch = mkdtempSync(join(tmpdir(), 'pollux-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const library = join(scratch, 'bsd-sockets.so');
const source = fileURLToPath(new URL('fixtures/bsd-sockets.c', import.meta.url));
const compiler = ['-shared', '-fPIC', '-O1', '-Wall', '-Wextra', '-Werror', source, '-o', library];
const built =
  process.platform === 'linux' && spawnSync(process.env.CC ?? 'cc', compiler).status === 0;
// Behind the model of kqueue, or a sanitizer, where the suites run on one.
const preload = [process.env.LD_PRELOAD, library].filter(Boolean).join(':');

async function told(program: string, ...settings: string[]): Promise<unknown> {
  const start = `
    import { Reactor } from '@pollux/core';
    import { UdpSocket, UnixStream } from '@pollux/net';
    import { openFds } from '@pollux/testkit';
    const reactor = new Reactor();
    const address = '127.0.0.1';
    const tell = (value) => {
      console.log(JSON.stringify(value));
      process.exit();
    };
  `;
  const { stdout, stderr, code } = await runChild(start + program, (command) =>
    ['env', `LD_PRELOAD=${preload}`, ...settings].concat(command),
  );
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  return JSON.parse(stdout);
}

describe.skipIf(!built)('on Linux with a C compiler', () => {
  const connected = `
    const peer = UdpSocket.bind(reactor, { address });
    const socket = UdpSocket.bind(reactor, { address });
    socket.connect(peer.address());
  `;

  test('a disconnect that is done and complains is done', async () => {
    const result = await told(`${connected}
      socket.disconnect();
      peer.on('message', (data) => tell([String(data), socket.remoteAddress ?? null]));
      socket.send('to whom it is addressed', peer.address());
    `);
    expect(result).toEqual(['to whom it is addressed', null]);
  });

  test('a disconnect that is not done is an error', async () => {
    const program = `${connected}
      try {
        socket.disconnect();
      } catch ({ code, syscall }) {
        tell([code, syscall]);
      }
    `;
    expect(await told(program, 'BSD_REFUSES=1')).toEqual(['EINVAL', 'connect']);
  });

  test('an error that comes behind datagrams is told, in its place', async () => {
    const result = await told(`${connected}
      const got = [];
      socket.on('message', (data) => {
        got.push(String(data));
        if (got.length === 4) tell(got);
      });
      socket.on('error', ({ code }) => got.push(code));
      for (const text of ['one', 'and then an error', 'two']) peer.send(text, socket.address());
    `);
    expect(result).toEqual(['one', 'and then an error', 'ECONNREFUSED', 'two']);
  });

  test('where descriptors were cut off, no more are taken than came', async () => {
    const result = await told(`
      const [near, far] = UnixStream.pair(reactor);
      const before = openFds();
      far.on('fds', () => tell('some are lost, so none are told'));
      far.on('error', ({ code }) => {
        far.on('close', () => tell([code, before.filter((fd) => !openFds().includes(fd)).length]));
      });
      far.resume();
      near.sendFds('with descriptors', [1, 1, 1]);
    `);
    // Its own alone is closed, and nothing that the length that is a lie reaches.
    expect(result).toEqual(['EMFILE', 1]);
  });
});
