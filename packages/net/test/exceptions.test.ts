// A listener that throws: the exception goes where the reactor sends it, and nothing else is lost.
import { TcpStream, UdpSocket } from '@pollux/net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { catchUncaught, onEveryReactor, pattern, record } from './support.js';

const V4 = '127.0.0.1';

onEveryReactor((bench) => {
  let uncaught: ReturnType<typeof catchUncaught>;
  beforeEach(() => {
    uncaught = catchUncaught();
  });
  afterEach(() => uncaught.restore());

  test('in a message: the rest of the batch follows, in order, and answers are sent', async () => {
    const { reactor } = bench();
    const server = bench().track(UdpSocket.bind(reactor, { address: V4 }));
    const client = bench().track(UdpSocket.bind(reactor, { address: V4 }));
    const got: string[] = [];
    server.on('message', (data, peer) => {
      got.push(String(data));
      server.send(data, peer);
      if (Number(data) % 3 === 0) throw new Error(`thrown in ${data}`);
    });
    const answers = record(client, 'message');
    const all = Array.from({ length: 20 }, (_, i) => `${i}`);
    for (const each of all) client.send(each, server.address());
    await bench().until(() => answers.length === 20 && uncaught.errors.length === 7, 'answers');
    expect(got).toEqual(all);
    expect(answers.map(([, data]) => String(data))).toEqual(all);
    expect(uncaught.errors.map((error) => (error as Error).message)).toEqual(
      [0, 3, 6, 9, 12, 15, 18].map((i) => `thrown in ${i}`),
    );
  });

  test('in data: the stream goes on', async () => {
    const { client, server } = await bench().pair();
    const got: Buffer[] = [];
    server.on('data', (data) => {
      got.push(data);
      throw new Error('thrown in data');
    });
    const sent = pattern(1_000_000);
    client.end(sent);
    await bench().until(() => server.destroyed, 'the end');
    expect(Buffer.concat(got).equals(sent)).toBe(true);
    expect(uncaught.errors.length).toBe(got.length);
  });

  test('in end: the stream still closes', async () => {
    const { client, server } = await bench().pair();
    const events = record(server, 'close');
    server.resume().on('end', () => {
      throw new Error('thrown in end');
    });
    client.resume().end();
    await bench().until(() => events.length === 1 && client.destroyed, 'close');
    expect(uncaught.errors).toEqual([new Error('thrown in end')]);
  });

  test('in connection: the others of the batch are handed out', async () => {
    const listener = bench().listen();
    let count = 0;
    listener.on('connection', () => {
      if (count++ % 2 === 0) throw new Error(`thrown in connection ${count}`);
    });
    const { address, port } = listener.address();
    for (let i = 0; i < 6; i++) {
      bench().track(TcpStream.connect(bench().reactor, { address, port }));
    }
    await bench().until(() => count === 6 && uncaught.errors.length === 3, 'connections');
  });

  test('in error: close still comes', async () => {
    const { client } = await bench().pair();
    const events = record(client, 'close');
    client.destroy(new Error('nobody listens'));
    await bench().until(() => events.length === 1, 'close');
    expect(uncaught.errors).toEqual([new Error('nobody listens')]);
  });

  test('in drain: others still get theirs, and the stream can be written on', async () => {
    const one = await bench().pair();
    const two = await bench().pair();
    const drained: number[] = [];
    for (const [i, { client, server }] of [one, two].entries()) {
      server.resume();
      client.on('drain', () => {
        drained.push(i);
        throw new Error(`thrown in drain ${i}`);
      });
      client.write(pattern(200_000));
    }
    await bench().until(() => drained.length === 2, 'both drains');
    one.client.end('more');
    await bench().until(() => one.server.destroyed, 'the end');
    expect(one.server.bytesRead).toBe(200_004);
  });
});
