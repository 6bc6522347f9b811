// What a system lacks of Unix sockets is refused by a typed error, at once, and nothing stays open:
// Windows has no datagrams, no pairs and no descriptors that could be passed, and where it is older than
// Windows 10, or is Wine, no Unix sockets at all.
import { OwnedFd, UnixDatagramSocket, UnixListener, UnixStream } from '@pollux/net';
import { openFds } from '@pollux/testkit';
import { describe, expect, test } from 'vitest';
import { onEveryReactor } from './support.js';

const unsupported = expect.objectContaining({
  name: 'PolluxError',
  code: 'ERR_POLLUX_UNSUPPORTED',
  message: expect.stringMatching(/^This system has no /),
});

describe.runIf(process.platform === 'win32')('on Windows', () => {
  onEveryReactor((bench) => {
    test('datagrams, pairs and descriptors', () => {
      const { reactor } = bench();
      const { fd } = bench().listen();
      const before = openFds();
      for (const step of [
        () => UnixDatagramSocket.bind(reactor, { path: 'C:\\pollux.sock' }),
        () => UnixDatagramSocket.pair(reactor),
        () => UnixStream.pair(reactor),
        () => UnixListener.listen(reactor, { path: '\0abstract' }),
        () => OwnedFd.dup(fd),
      ]) {
        expect(step, String(step)).toThrow(unsupported);
      }
      expect(openFds()).toEqual(before);
    });
  });
});
