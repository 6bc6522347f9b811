// A prepare hook is a callback as any other: what it starts counts for the wait that follows, what
// it queued does not wait with us, and it may not start a loop inside the loop.
import { Reactor } from '@pollux/core';
import { backends } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { macrotask, thrownBy } from './reactor-support.js';

describe.each(backends)('%s', (backend) => {
  test('a timer that its nextTick or promise sets is in time', async () => {
    await macrotask(() => {
      using reactor = new Reactor({ backend, mode: 'blocking' });
      const order: string[] = [];
      const hook = reactor.prepare(() => {
        hook.close();
        process.nextTick(() => {
          order.push('nextTick');
          Promise.resolve().then(() => {
            order.push('promise');
            reactor.timer(0, () => order.push('timer'));
          });
        });
      });
      // It would never end otherwise.
      reactor.turn();
      expect(order).toEqual(['nextTick', 'promise', 'timer']);
    });
  });

  test('turn() and runSync() are refused in it', () => {
    using reactor = new Reactor({ backend, mode: 'blocking' });
    const codes: unknown[] = [];
    reactor.prepare(() => {
      codes.push(thrownBy(() => reactor.turn(0)).code, thrownBy(() => reactor.runSync()).code);
    });
    reactor.turn(0);
    expect(codes).toEqual(['ERR_POLLUX_NESTED', 'ERR_POLLUX_NESTED']);
  });

  test('stop() and close() in it end the turn before the wait', () => {
    for (const end of ['stop', 'close'] as const) {
      using reactor = new Reactor({ backend, mode: 'blocking' });
      reactor.prepare(() => reactor[end]());
      expect(reactor.turn()).toBe(0);
    }
  });
});
