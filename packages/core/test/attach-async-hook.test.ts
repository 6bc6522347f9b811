// To attach makes an async resource, and Node calls the `init` hooks of node:async_hooks for it: in
// the middle of attach(). What a hook does to the poller then, its caller is told, and holds.
import { type AsyncHook, createHook } from 'node:async_hooks';
import { createPoller, type DriverName, type Poller } from '@pollux/core';
import { backends } from '@pollux/testkit/conformance';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';

let hook: AsyncHook | undefined;
afterEach(() => hook?.disable());

/** Calls `act` in the midst of the first attach(). */
function meanwhile(act: () => void): void {
  let left = 1;
  hook = createHook({
    init(_id, type) {
      if (type === 'POLLUX' && left-- > 0) act();
    },
  }).enable();
}

const cases = backends.flatMap((backend) => {
  using poller = createPoller({ backend, ignoreEnvironment: true });
  return poller.drivers.map((driver): [string, DriverName] => [backend, driver]);
});

describe.each(cases)('%s, %s', (backend, driver) => {
  function open(): Poller {
    const poller = createPoller({ backend, ignoreEnvironment: true });
    onTestFinished(() => poller.close());
    return poller;
  }

  /** That it attaches, and tells of a notify. */
  async function works(poller: Poller): Promise<void> {
    await new Promise<void>((resolve) => {
      const attachment = poller.attach(resolve, driver);
      attachment.keepAlive(true);
      attachment.arm(Infinity);
      poller.notify();
    });
  }

  test('closed meanwhile', () => {
    const poller = open();
    meanwhile(() => poller.close());
    expect(() => poller.attach(() => {}, driver)).toThrow(
      expect.objectContaining({ code: 'ERR_POLLUX_CLOSED' }),
    );
  });

  test.each(['uv', 'thread'] as const)('attached meanwhile, by %s', async (other) => {
    const poller = open();
    if (!poller.drivers.includes(other)) return;
    const told = new Promise<void>((resolve) => {
      meanwhile(() => {
        const attachment = poller.attach(resolve, other);
        attachment.keepAlive(true);
        attachment.arm(Infinity);
      });
    });
    expect(() => poller.attach(() => {}, driver)).toThrow(
      expect.objectContaining({ code: 'EALREADY', syscall: 'attach' }),
    );
    poller.notify();
    await told;
  });

  test('attached and detached meanwhile', async () => {
    const poller = open();
    meanwhile(() => poller.attach(() => {}, driver).detach());
    await works(poller);
  });
});
