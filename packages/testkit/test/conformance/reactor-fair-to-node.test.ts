// An attached reactor with something always ready leaves Node's own loop its turns.
import { Interest, Reactor } from '@pollux/core';
import { pipe, write } from '@pollux/testkit';
import { backends, Scene } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';

describe.each(backends)('%s', (backend) => {
  test('immediates and timers of Node come between its batches', async () => {
    using scene = new Scene();
    using reactor = new Reactor({ backend, ignoreEnvironment: true });
    const [reader, writer] = scene.fds.trackAll(pipe());
    write(writer, 'x');
    let calls = 0;
    let most = 0;
    let total = 0;
    const end = performance.now() + 300;
    const watcher = reactor.watch(reader, Interest.readable, () => calls++);
    await new Promise<void>((resolve) => {
      const round = (): void => {
        most = Math.max(most, calls);
        total += calls;
        calls = 0;
        if (performance.now() > end && total > 100) resolve();
        else setImmediate(round);
      };
      setImmediate(round);
    });
    watcher.close();
    expect(most).toBeLessThanOrEqual(40);
  });
});
