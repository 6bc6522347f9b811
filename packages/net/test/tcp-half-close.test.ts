// Each direction of a stream ends by itself, and what was on its way arrives first.
import { TcpStream } from '@pollux/net';
import { expect, test } from 'vitest';
import { onEveryReactor, pattern, record } from './support.js';

onEveryReactor((bench) => {
  test('the client ends first, the server answers at length', async () => {
    const { client, server } = await bench().pair({ allowHalfOpen: true });
    const answer = pattern(3_000_000);
    const asked: Buffer[] = [];
    const got: Buffer[] = [];
    const clientEvents = record(client, 'end', 'close', 'error');
    const serverEvents = record(server, 'end', 'close', 'error');
    server.on('data', (data) => asked.push(data));
    server.on('end', () => server.end(answer));
    client.on('data', (data) => got.push(data));
    client.end('question');
    await bench().until(() => clientEvents.length === 2 && serverEvents.length === 2, 'both ends');
    expect(String(Buffer.concat(asked))).toBe('question');
    expect(Buffer.concat(got).equals(answer)).toBe(true);
    expect(serverEvents).toEqual([['end'], ['close', false]]);
    expect(clientEvents).toEqual([['end'], ['close', false]]);
  });

  test('the server ends first, the client goes on writing', async () => {
    const { client, server } = await bench().pair({ allowHalfOpen: true });
    const got: Buffer[] = [];
    const events = record(client, 'end', 'close');
    server.on('data', (data) => got.push(data));
    server.end('bye');
    client.resume();
    await bench().until(() => events.length === 1, "the server's end");
    expect(client.destroyed).toBe(false);
    for (let i = 0; i < 10; i++) {
      client.write(`${i} `);
      await bench().turn();
    }
    await bench().idle();
    expect(server.destroyed).toBe(false);
    client.end('done');
    await bench().until(() => server.destroyed && client.destroyed, 'close');
    expect(String(Buffer.concat(got))).toBe('0 1 2 3 4 5 6 7 8 9 done');
  });

  test("unless half-open is allowed, the peer's end ends us too, after the last words", async () => {
    const { client, server } = await bench().pair();
    const got: Buffer[] = [];
    client.on('data', (data) => got.push(data));
    server.resume();
    server.on('end', () => server.write('last words'));
    client.end();
    await bench().until(() => server.destroyed && client.destroyed, 'close');
    expect(String(Buffer.concat(got))).toBe('last words');
    // It was not us who ended it: writing is in vain, but no mistake.
    expect(server.write('too late')).toBe(false);
  });

  test('a half-open stream that idles does not spin', async () => {
    const { client, server } = await bench().pair({ allowHalfOpen: true });
    const events = record(server, 'end');
    server.resume();
    client.end();
    await bench().until(() => events.length === 1, 'end');
    if (bench().reactor.mode === 'blocking') {
      await bench().idle();
      expect(bench().reactor.turn(20)).toBe(0);
    } else {
      const before = process.cpuUsage();
      await new Promise((resolve) => setTimeout(resolve, 1000));
      const { user, system } = process.cpuUsage(before);
      expect((user + system) / 1000).toBeLessThan(600);
    }
    expect(server.destroyed).toBe(false);
    server.end();
    await bench().until(() => client.destroyed, 'close');
  });

  test('after end, what the peer still sends is dropped if nobody listens', async () => {
    const { client, server } = await bench().pair();
    const events = record(client, 'end', 'close', 'error');
    client.end('and that is all');
    server.end(pattern(500_000));
    server.resume();
    await bench().until(() => events.length === 2, 'close');
    expect(events).toEqual([['end'], ['close', false]]);
    expect(client.bytesRead).toBe(500_000);
  });

  test('end before the connection is made', async () => {
    const listener = bench().listen();
    const got: string[] = [];
    listener.on('connection', (stream) => {
      stream.on('data', (data) => got.push(String(data)));
      stream.on('end', () => got.push('end'));
    });
    const { address, port } = listener.address();
    const early = TcpStream.connect(bench().reactor, { address, port }).end('early');
    const silent = TcpStream.connect(bench().reactor, { address, port }).end();
    await bench().until(() => early.destroyed && silent.destroyed, 'close');
    expect(got.sort()).toEqual(['early', 'end', 'end']);
  });
});
