// The demo that `npm start` runs: one line once it listens, answers on both ports, counts on a
// terminal, a clean end on a signal, and one line with exit code 1 for each thing that can be wrong.
import dgram from 'node:dgram';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import { BACKEND_NAMES } from '@pollux/core';
import { expect, test } from 'vitest';
import {
  backends,
  commandFor,
  interrupt,
  type Running,
  shell,
  start,
  testWith,
} from './support.js';

const LINE =
  /^pollux: (\w+), UDP echo on (?:127\.0\.0\.1|\[::1\]):(\d+), HTTP hello on http:\/\/\S+:(\d+)\r?\n/;
const ANY_PORTS = ['--udp', '0', '--http', '0'];

interface Demo {
  demo: Running;
  backend: string | undefined;
  udp: number;
  http: number;
}

async function startDemo(...args: string[]): Promise<Demo> {
  const demo = start(commandFor('demo', ...ANY_PORTS, ...args));
  const [, backend, udp, http] = await demo.until(LINE);
  return { demo, backend, udp: Number(udp), http: Number(http) };
}

async function ask(port: number, host: string): Promise<string> {
  const client = dgram.createSocket(net.isIPv6(host) ? 'udp6' : 'udp4');
  client.send('hi', port, host);
  const [data] = await once(client, 'message');
  client.close();
  return String(data);
}

async function fetchText(url: string): Promise<string> {
  const [answer] = await once(http.get(url, { agent: false }), 'response');
  return text(answer);
}

for (const backend of backends) {
  test(`it names ${backend}, answers on both ports, and ends with 0 on a signal`, async () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const { demo, udp, http, ...rest } = await startDemo('--backend', backend);
      expect(rest).toEqual({ backend });
      expect(await ask(udp, '127.0.0.1')).toBe('hi');
      expect(await fetchText(`http://127.0.0.1:${http}/`)).toBe('hello from pollux\n');
      await interrupt(demo, signal);
      // Not a terminal: one line, and no counts.
      expect(demo.output.stdout).toMatch(new RegExp(`${LINE.source}$`));
      expect(demo.output.stderr).toBe('');
    }
  });
}

test('--host: another address, or a name', async () => {
  const six = await startDemo('--host', '::1');
  expect(await ask(six.udp, '::1')).toBe('hi');
  expect(await fetchText(`http://[::1]:${six.http}/`)).toBe('hello from pollux\n');
  await startDemo('--host', 'localhost');
});

testWith('nc', 'curl')('it answers nc and curl', async () => {
  const { udp, http } = await startDemo();
  expect(await shell(`echo hi | nc -u -w1 127.0.0.1 ${udp}`)).toBe('hi\n');
  expect(await shell(`curl -sS http://127.0.0.1:${http}`)).toBe('hello from pollux\n');
});

testWith('script')('on a terminal it shows live counts', async () => {
  // exec: a shell that stays (dash, where $SHELL is unset) would take the Ctrl-C for itself as well.
  const command = `exec ${commandFor('demo', ...ANY_PORTS).join(' ')}`;
  const demo = start(['script', '-qec', command, '/dev/null'], { stdin: 'pipe' });
  const [, , udp, http] = await demo.until(LINE);
  for (let i = 0; i < 3; i++) await ask(Number(udp), '127.0.0.1');
  await fetchText(`http://127.0.0.1:${http}/`);
  await demo.until(/\[K3 datagrams, 1 requests, \d of 1 connections open/);
  demo.child.stdin?.write('\x03');
  expect(await demo.ended).toEqual({ code: 0, signal: null });
});

test('a second signal while it ends changes nothing', async () => {
  const { demo } = await startDemo();
  demo.child.kill('SIGINT');
  // At every moment until it is gone.
  const again = setInterval(() => demo.child.kill('SIGINT'), 1);
  expect(await demo.ended).toEqual({ code: 0, signal: null });
  clearInterval(again);
});

test('a port in use: one line, exit code 1, and the other port is free again', async () => {
  const { udp, http } = await startDemo();
  const taken: [string[], number][] = [
    [['--udp', `${udp}`, '--http', '0'], udp],
    [['--udp', '0', '--http', `${http}`], http],
  ];
  for (const [args, port] of taken) {
    const second = start(commandFor('demo', ...args));
    expect(await second.ended).toEqual({ code: 1, signal: null });
    expect(second.output).toEqual({
      stdout: '',
      stderr: `pollux: EADDRINUSE: address already in use, bind 127.0.0.1:${port}\n`,
    });
  }
});

const mistakes: [string[], RegExp][] = [
  [
    ['--backend', 'polls'],
    new RegExp(`--backend must be one of ${BACKEND_NAMES.join(', ')}, not 'polls'`),
  ],
  [['--backend', 'kqueue'], /--backend kqueue: not on (linux|win32)/],
  [['--udp', 'x'], /--udp must be a port number from 0 to 65535, not 'x'/],
  [['--http', '65536'], /--http must be a port number from 0 to 65535, not '65536'/],
  [['--udp=-1'], /--udp must be a port number from 0 to 65535, not '-1'/],
  [['--udp', ''], /--udp must be a port number from 0 to 65535, not ''/],
  [['--udp', '1e3'], /--udp must be a port number from 0 to 65535, not '1e3'/],
  [['--udp'], /'--udp <value>' argument missing/],
  [['--port', '5'], /Unknown option '--port'/],
  [['5000'], /Unexpected argument '5000'/],
  [['--host', 'no.such.host.invalid'], /no\.such\.host\.invalid/],
  [['--host', '203.0.113.1', ...ANY_PORTS], /EADDRNOTAVAIL.*203\.0\.113\.1/],
];

test.each(mistakes)('%j: one line and exit code 1', async (args, message) => {
  const demo = start(commandFor('demo', ...args));
  expect(await demo.ended).toEqual({ code: 1, signal: null });
  expect(demo.output.stdout).toBe('');
  expect(demo.output.stderr).toMatch(/^pollux: .*\n$/);
  expect(demo.output.stderr).toMatch(message);
});

test('--help', async () => {
  const demo = start(commandFor('demo', '--help'));
  expect(await demo.ended).toEqual({ code: 0, signal: null });
  expect(demo.output.stdout).toMatch(/--udp[\s\S]*--http[\s\S]*--host[\s\S]*--backend/);
});
