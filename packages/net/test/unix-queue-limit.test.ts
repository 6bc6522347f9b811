// `maxQueuedBytes` of a Unix stream counts too what waits behind descriptors that the system does not
// take, for too many are on their way.
import { expect, test } from 'vitest';
import { runChild } from './support.js';

test('bytes behind descriptors that have to wait', async () => {
  const { stdout, stderr, code } = await runChild(
    `
    import { Reactor } from '@pollux/core';
    import { UnixStream } from '@pollux/net';
    const reactor = new Reactor({ mode: 'blocking' });
    const [first, second] = UnixStream.pair(reactor, { maxQueuedBytes: 1_000 });
    const events = [];
    first.on('error', ({ code }) => events.push(code)).on('close', () => events.push('close'));
    for (let i = 0; i < 24 && first.queuedFds < 100; i++) {
      first.sendFds('x', Array(20).fill(0));
      reactor.turn(0);
    }
    const bytes = [];
    for (let i = 0; i < 3; i++) {
      first.write(new Uint8Array(400));
      reactor.turn(0);
      bytes.push(first.queuedBytes > 0);
    }
    for (let i = 0; i < 5; i++) reactor.turn(2);
    console.log(JSON.stringify({ bytes, events }));
    reactor.close();
    `,
    (command) => [
      ...(process.getuid?.() === 0
        ? [
            // A user of its own: what other tests have on their way counts for theirs.
            'setpriv',
            '--reuid=61235',
            '--clear-groups',
            ...['inh-caps', 'ambient-caps'].map((set) => `--${set}=+dac_override`),
          ]
        : []),
      'prlimit',
      '--nofile=300:300',
      ...command,
    ],
  );
  expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
  expect(JSON.parse(stdout)).toEqual({
    bytes: [true, true, false],
    events: ['ERR_POLLUX_QUEUE_FULL', 'close'],
  });
});
