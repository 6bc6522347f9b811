// `runSync()` in a worker: another thread ends it by a message and a waker, or by terminate(), however
// long the wait under way is.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type Waker, wake } from '@pollux/core';
import { backends } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';

interface Said {
  step: string;
  waker: Waker;
  got?: unknown[];
  turns?: number;
}

/** Starts a worker and waits until its loop is about to begin. */
async function start(backend: string, how: string): Promise<{ worker: Worker; waker: Waker }> {
  const worker = new Worker(new URL('../fixtures/reactor-run-sync.mjs', import.meta.url), {
    workerData: { backend, how },
  });
  const [said] = (await once(worker, 'message')) as [Said];
  expect(said.step).toBe('running');
  return { worker, waker: said.waker };
}

/** Late enough for the wait to be under way. */
const inTheWait = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

describe.each(backends)('%s', (backend) => {
  test('a waker makes it look at its messages; one of them says stop', async () => {
    const { worker, waker } = await start(backend, 'messages');
    const ended = once(worker, 'message');
    const exit = once(worker, 'exit');
    for (const message of ['one', 'two', 'stop']) {
      await inTheWait();
      worker.postMessage(message);
      const woken = wake(waker);
      // Whom the wake before lets see the last message may have closed by now.
      if (message !== 'stop') expect(woken).toBe(true);
    }
    const [said] = (await ended) as [Said];
    expect(said).toMatchObject({ step: 'ended', got: ['one', 'two', 'stop'] });
    // It slept in between.
    expect(said.turns).toBeLessThan(100);
    expect(await exit).toEqual([0]);
    expect(wake(waker)).toBe(false);
  });

  test('a message before the wait begins is not missed', async () => {
    for (let n = 0; n < 5; n++) {
      const { worker, waker } = await start(backend, 'messages');
      const ended = once(worker, 'message');
      const exit = once(worker, 'exit');
      worker.postMessage('stop');
      wake(waker);
      expect(((await ended) as [Said])[0]).toMatchObject({ step: 'ended', got: ['stop'] });
      expect(await exit).toEqual([0]);
    }
  });

  test.each(['forever', 'timer', 'busy', 'idle'])('terminate() ends it: %s', async (how) => {
    const { worker, waker } = await start(backend, how);
    await inTheWait();
    expect(await worker.terminate()).toBe(1);
    expect(wake(waker)).toBe(false);
  });
});
