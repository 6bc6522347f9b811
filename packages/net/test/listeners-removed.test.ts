// Listeners that are removed: nothing is lost for the next one, and all of them means all.

import { close, write } from '@pollux/testkit';
import { expect, test } from 'vitest';
import { onEveryReactor } from './support.js';
import { labelled, pairOf } from './unix-support.js';

onEveryReactor((bench) => {
  test('removeAllListeners removes all, and reading begins anew with the next', async () => {
    const [first, second] = pairOf(bench());
    const ours = second.listenerCount('newListener');
    second.on('data', () => {}).on('end', () => {});
    expect(second.removeAllListeners()).toBe(second);
    expect(second.eventNames()).toEqual(['newListener']);
    expect(second.listenerCount('newListener')).toBe(ours);
    first.write('kept');
    await bench().idle();
    const got: string[] = [];
    second.on('data', (data) => got.push(data.toString()));
    await bench().until(() => got.length === 1, 'the bytes');
    expect(got).toEqual(['kept']);
  });

  test('removeAllListeners of one event leaves the others', () => {
    const [, second] = pairOf(bench());
    second.on('data', () => {}).on('end', () => {});
    second.removeAllListeners('data');
    expect([second.listenerCount('data'), second.listenerCount('end')]).toEqual([0, 1]);
  });

  test('bytes that came when the reactor was stopped wait for the next listener', async () => {
    const { reactor } = bench();
    const pairs = [pairOf(bench()), pairOf(bench())];
    const got: string[] = [];
    const listeners = pairs.map(([, reader], i) => {
      const listener = (data: Buffer) => {
        got.push(data.toString());
        // The other's were read in the same call, and cannot be handed out any more.
        reactor.stop();
        const other = pairs[1 - i]?.[1];
        if (got.length === 1) other?.off('data', listeners[1 - i] as typeof listener);
      };
      reader.on('data', listener);
      return listener;
    });
    for (const [i, [writer]] of pairs.entries()) {
      writer.write(`from ${i}`);
      writer.flush();
    }
    await bench().until(() => got.length === 1, 'the first');
    if (reactor.mode === 'attached') void reactor.run();
    await bench().idle();
    expect(got.length).toBe(1);
    const later: string[] = [];
    const waiting = pairs[got[0] === 'from 0' ? 1 : 0]?.[1];
    waiting?.on('data', (data) => later.push(data.toString()));
    await bench().until(() => later.length === 1, 'the second');
    expect([...got, ...later].sort()).toEqual(['from 0', 'from 1']);
  });

  test("a listener of 'fds' that ends the reading: the bytes wait", async () => {
    const [first, second] = pairOf(bench());
    const lost: string[] = [];
    const onData = (data: Buffer) => lost.push(data.toString());
    second.on('data', onData);
    let passed = 0;
    second.on('fds', (fds) => {
      passed += fds.length;
      for (const fd of fds) fd.close();
      second.off('data', onData);
    });
    const fd = labelled(write, 'x');
    first.sendFds('with it', [fd]);
    close(fd);
    await bench().until(() => passed === 1, 'the descriptor');
    await bench().idle();
    const got: string[] = [];
    second.on('data', (data) => got.push(data.toString()));
    await bench().until(() => got.length === 1, 'the bytes');
    expect([lost, got]).toEqual([[], ['with it']]);
  });
});
