// A lookup that throws in place of answering: `open` rejects, and holds nothing open for an answer.
import { Reactor } from '@pollux/core';
import { TcpStream } from '@pollux/net';
import { expect, test } from 'vitest';

const lookups = {
  'one of the user': {
    lookup: () => {
      throw Object.assign(new Error('not today'), { code: 'ETODAY' });
    },
  },
  // dns.lookup throws for any other family than 0, 4 and 6.
  'dns.lookup': { family: 5 as 4 },
};

test.each(Object.entries(lookups))('%s', async (_, options) => {
  const reactor = new Reactor();
  const opening = TcpStream.open(reactor, { host: 'localhost', port: 9, ...options });
  await expect(opening).rejects.toMatchObject({ code: expect.any(String) });
  expect(reactor.alive).toBe(false);
  reactor.close();
});
