// libzmq: everything that is sent arrives, whatever ZMQ_FD forgets to say.
import { beforeEach, describe, expect, test } from 'vitest';
import { commandFor, start } from '../support.js';
import { backends, closing, descriptors, Inbox, lacksLibrary, newReactor } from './support.js';

const lacking = lacksLibrary('libzmq.so.5');
beforeEach((context) => context.skip(lacking !== undefined, lacking));

async function newContext() {
  const { ZmqContext } = await import('../../dist/adapters/zeromq.js');
  return closing(new ZmqContext());
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);
const text = (parts: Buffer[]) => parts.join('|');

describe.each(backends)('%s', (backend) => {
  test('requests and replies, with parts', async () => {
    const context = await newContext();
    const reactor = newReactor(backend);
    const replies = new Inbox<string>();
    const reply = context.socket(reactor, 'rep', (parts, socket) => socket.send('got', ...parts));
    reply.bind('tcp://127.0.0.1:*');
    const request = context.socket(reactor, 'req', (parts) => replies.add(text(parts)));
    request.connect(reply.endpoint);
    // The second one waits for the first one's reply: a req socket cannot do otherwise.
    request.send('one');
    request.send('two', '', Buffer.from([0xc3, 0xbc]), 'x'.repeat(100_000));
    await replies.until((items) => items.length === 2);
    expect(replies.items).toEqual(['got|one', `got|two||\u00fc|${'x'.repeat(100_000)}`]);
  });

  // Answers from within the callback are what makes the descriptor forget: each send takes in the
  // news of what has come meanwhile. And there are more than a socket holds (1000).
  test.each(['inproc://busy', 'ipc://@pollux-busy-*', 'tcp://127.0.0.1:*'])(
    'both ways at once, in order: %s',
    async (address) => {
      const context = await newContext();
      const reactor = newReactor(backend);
      const [here, there] = [new Inbox<string>(), new Inbox<string>()];
      const first = context.socket(reactor, 'dealer', (parts) => here.add(text(parts)));
      const second = context.socket(reactor, 'dealer', (parts, socket) => {
        there.add(text(parts));
        socket.send(...parts);
      });
      first.bind(
        address.startsWith('ipc') ? `ipc://@pollux-busy-${process.pid}-${backend}` : address,
      );
      second.connect(first.endpoint);
      const sent = numbers(5000);
      for (const number of sent) first.send(number);
      await here.until((items) => items.length === sent.length);
      expect(there.items).toEqual(sent);
      expect(here.items).toEqual(sent);
      // And when all has gone quiet, one more.
      first.send('one more');
      await here.until((items) => items.length === sent.length + 1);
      expect(here.items.at(-1)).toBe('one more');
    },
  );

  test('a subscriber gets what it subscribed to', async () => {
    const context = await newContext();
    const reactor = newReactor(backend);
    const got = new Inbox<string>();
    const publisher = context.socket(reactor, 'pub');
    publisher.bind('tcp://127.0.0.1:*');
    const subscriber = context.socket(reactor, 'sub', (parts) => got.add(text(parts)));
    subscriber.subscribe('sun');
    subscriber.connect(publisher.endpoint);
    // Until the subscription has reached the publisher, nobody is told.
    const again = reactor.timer(
      5,
      () => {
        publisher.send('moon', 'no');
        publisher.send('sunday', 'yes');
      },
      { repeat: true },
    );
    await got.until((items) => items.length === 3);
    again.close();
    expect(new Set(got.items)).toEqual(new Set(['sunday|yes']));
  });

  test('what waits for nobody yet is sent when somebody comes', async () => {
    const context = await newContext();
    const reactor = newReactor(backend);
    const got = new Inbox<string>();
    const push = context.socket(reactor, 'push');
    push.bind('tcp://127.0.0.1:*');
    for (const number of numbers(2000)) push.send(number);
    await new Promise((resolve) => reactor.timer(20, resolve));
    context.socket(reactor, 'pull', (parts) => got.add(text(parts))).connect(push.endpoint);
    await got.until((items) => items.length === 2000);
    expect(got.items).toEqual(numbers(2000));
  });

  test('closed within a callback; then the context takes all descriptors along', async () => {
    const reactor = newReactor(backend);
    const before = descriptors(/eventfd|eventpoll|socket/).length;
    const context = await newContext();
    const got = new Inbox<string>();
    const pull = context.socket(reactor, 'pull', (parts, socket) => {
      socket.close();
      got.add(text(parts));
    });
    pull.bind('tcp://127.0.0.1:*');
    const push = context.socket(reactor, 'push');
    push.connect(pull.endpoint);
    for (const number of numbers(10)) push.send(number);
    expect(await got.until((items) => items.length > 0)).toEqual(['0']);
    await new Promise((resolve) => reactor.timer(20, resolve));
    expect(got.items).toEqual(['0']);
    expect(() => context.socket(reactor, 'pull').bind('tcp://nowhere')).toThrow(
      'Invalid argument: zmq_bind tcp://nowhere',
    );
    context.close();
    expect(descriptors(/eventfd|eventpoll|socket/)).toHaveLength(before);
  });
});

test('as programs', async () => {
  const reply = start(commandFor('adapters/zeromq', 'reply', 'tcp://127.0.0.1:*'));
  const [, address = ''] = await reply.until(/replying on (tcp:\S+); Ctrl-C stops\n/);
  const request = start(commandFor('adapters/zeromq', 'request', address, 'h\u00e9llo'));
  expect(await request.ended).toEqual({ code: 0, signal: null });
  expect(request.output).toEqual({ stdout: 'h\u00e9llo\n', stderr: '' });
  reply.child.kill('SIGINT');
  expect(await reply.ended).toEqual({ code: 0, signal: null });
  expect(reply.output.stderr).toBe('');
});
