// The UDP echo example answers node:dgram and nc, and stops on Ctrl-C.
import dgram from 'node:dgram';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { commandFor, interrupt, shell, start, testWith } from './support.js';

async function startEcho() {
  const server = start(commandFor('udp-echo', '0'));
  const [, port] = await server.until(/echoing on udp 127\.0\.0\.1:(\d+); Ctrl-C stops\n/);
  return { server, port: Number(port) };
}

test('it echoes, and SIGINT ends it with 0', async () => {
  const { server, port } = await startEcho();
  const client = dgram.createSocket('udp4');
  for (const text of ['hello', '', 'x'.repeat(9000)]) {
    client.send(text, port, '127.0.0.1');
    const [data] = await once(client, 'message');
    expect(String(data)).toBe(text);
  }
  client.close();
  await interrupt(server);
  expect(server.output.stderr).toBe('');
});

testWith('nc')('it answers nc (netcat-openbsd)', async () => {
  const { port } = await startEcho();
  expect(await shell(`echo hi | nc -u -w1 127.0.0.1 ${port}`)).toBe('hi\n');
});

test('a port in use is an error that says so, and exit code 1', async () => {
  const { port } = await startEcho();
  const second = start(commandFor('udp-echo', `${port}`));
  expect(await second.ended).toEqual({ code: 1, signal: null });
  expect(second.output.stderr).toContain(
    `EADDRINUSE: address already in use, bind 127.0.0.1:${port}`,
  );
});
