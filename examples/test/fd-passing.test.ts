// Connections that one process accepts and others answer: each worker has its share, one that is
// killed is missed by nobody who comes later, and an end loses no connection.
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { commandFor, type Running, shell, start, testWith } from './support.js';

const host = '127.0.0.1';

async function startServer(workers: number): Promise<{ server: Running; port: number }> {
  const server = start(commandFor('fd-passing', '--port', '0', '--workers', `${workers}`));
  const [, port] = await server.until(/tcp 127\.0\.0\.1:(\d+), \d workers/);
  return { server, port: Number(port) };
}

/** The pid of the worker that answered. */
async function ask(port: number): Promise<number> {
  const [response] = (await once(http.get({ host, port, agent: false }), 'response')) as [
    http.IncomingMessage,
  ];
  let text = '';
  for await (const data of response.setEncoding('utf8')) text += data;
  return Number(/^worker (\d+)\n$/.exec(text)?.[1]);
}

function socketsOf(pid: number): number {
  const directory = `/proc/${pid}/fd`;
  return readdirSync(directory).filter((fd) => {
    try {
      return readlinkSync(`${directory}/${fd}`).startsWith('socket:');
    } catch {
      return false; // closed meanwhile
    }
  }).length;
}

/** Whether the other end has read all that a client has sent: nothing waits there (proc(5), net/tcp). */
function isRead({ localPort, remotePort }: net.Socket): boolean {
  const hex = (port?: number) => `:${port?.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = readFileSync('/proc/net/tcp', 'latin1').split('\n');
  return rows.some((row) => {
    const [, local, remote, , queues] = row.trim().split(/\s+/);
    const theirs = local?.endsWith(hex(remotePort)) && remote?.endsWith(hex(localPort));
    return theirs && queues?.endsWith(':00000000');
  });
}

test('workers answer in turn, and the first process keeps nothing', async () => {
  const { server, port } = await startServer(3);
  const before = socketsOf(server.child.pid as number);
  const answers = await Promise.all(Array.from({ length: 60 }, () => ask(port)));
  const counts = new Map<number, number>();
  for (const pid of answers) counts.set(pid, (counts.get(pid) ?? 0) + 1);
  expect([...counts.values()].sort()).toEqual([20, 20, 20]);
  expect(counts.has(server.child.pid as number)).toBe(false);
  // It closes its own after the other has been sent, so perhaps after the answer.
  while (socketsOf(server.child.pid as number) !== before) await sleep(5);
  server.child.kill('SIGTERM');
  expect(await server.ended).toEqual({ code: 0, signal: null });
  expect(server.output.stderr).toBe('');
});

test('a worker that is killed: the others go on', async () => {
  const { server, port } = await startServer(2);
  const victim = await ask(port);
  process.kill(victim, 'SIGKILL');
  await server.until(new RegExp(`worker ${victim} has gone, 1 left`));
  for (let i = 0; i < 5; i++) expect(await ask(port)).not.toBe(victim);
  server.child.kill('SIGTERM');
  expect(await server.ended).toEqual({ code: 0, signal: null });
});

test('SIGINT: a request that is under way is answered, and everybody ends', async () => {
  const { server, port } = await startServer(2);
  const client = net.connect(port, host);
  let answer = '';
  client.on('data', (data) => {
    answer += data;
  });
  await once(client, 'connect');
  await new Promise((resolve) => client.write('GET / HTTP/1.1\r\n', resolve));
  while (!isRead(client)) await sleep(5); // by the worker that it was handed over to
  server.child.kill('SIGINT');
  await sleep(100);
  client.write('Host: x\r\nConnection: close\r\n\r\n');
  await once(client, 'close');
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*worker \d+\n/);
  expect(await server.ended).toEqual({ code: 0, signal: null });
});

describe('with the tools that everybody has', () => {
  testWith('curl')('curl', async () => {
    const { port } = await startServer(2);
    expect(await shell(`curl -s http://${host}:${port}/`)).toMatch(/^worker \d+\n$/);
  });

  testWith('nc')('nc', async () => {
    const { port } = await startServer(2);
    const request = String.raw`printf 'GET / HTTP/1.0\r\n\r\n'`;
    expect(await shell(`${request} | nc ${host} ${port}`)).toMatch(/\r\n\r\nworker \d+\n$/);
  });
});
