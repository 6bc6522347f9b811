// An attachment that was detached does nothing, not even when its poller was attached anew.
import { createPoller, type DriverName } from '@pollux/core';
import { backends } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';

const cases = backends.flatMap((backend) => {
  using poller = createPoller({ backend, ignoreEnvironment: true });
  return poller.drivers.map((driver): [string, DriverName] => [backend, driver]);
});

describe.each(cases)('%s, %s', (backend, driver) => {
  test('the one before leaves the present one alone', async () => {
    using poller = createPoller({ backend, ignoreEnvironment: true });
    const calls: string[] = [];
    const former = poller.attach(() => calls.push('former'), driver);
    former.detach();
    await new Promise<void>((resolve) => {
      const present = poller.attach(() => {
        calls.push('present');
        resolve();
      }, driver);
      present.keepAlive(true);
      present.arm(Infinity);
      former.keepAlive(false);
      former.arm(0);
      former.retime(0);
      expect(former.harvest()).toBe(0);
      former.detach();
      expect(() => poller.wait(0)).toThrow(
        expect.objectContaining({ code: 'ERR_POLLUX_ATTACHED' }),
      );
      poller.notify();
    });
    expect(calls).toEqual(['present']);
  });
});
