// What is no socket but can be waited for on Windows, an event here: told once per call, under its key,
// in every way of waiting.
import { createPoller, Events } from '@pollux/core';
import { closeHandle, createEvent, handleCount, setEvent } from '@pollux/testkit';
import { cases, DrivenPoller } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';

const rows = cases.filter(({ backend }) => backend === 'iocp');

describe.skipIf(rows.length > 0)('without iocp', () => {
  test('handles are refused', () => {
    using poller = createPoller();
    expect(() => poller.watchHandle?.(4, 1)).toThrow(
      expect.objectContaining({ code: 'ERR_POLLUX_UNSUPPORTED' }),
    );
  });
});

describe.each(rows)('$backend, $way', (row) => {
  test('a signalled event is told once, until it is watched again', async () => {
    using driven = new DrivenPoller(row);
    const event = createEvent(true);
    driven.poller.watchHandle?.(event, 7);
    expect(await driven.poll(10)).toEqual([]);
    setEvent(event);
    expect(await driven.poll(5000)).toEqual([{ key: 7, events: Events.readable }]);
    expect(await driven.poll(10)).toEqual([]);
    driven.poller.watchHandle?.(event, 8);
    expect(await driven.poll(5000)).toEqual([{ key: 8, events: Events.readable }]);
    driven.poller.unwatchHandle?.(event);
    closeHandle(event);
  });

  test('unwatched, it is silent at once, also where it was found already', async () => {
    using driven = new DrivenPoller(row);
    const [before, after] = [createEvent(true), createEvent(true)];
    for (const [i, event] of [before, after].entries()) driven.poller.watchHandle?.(event, i);
    driven.poller.unwatchHandle?.(before);
    for (const event of [before, after]) setEvent(event);
    expect(await driven.poll(5000)).toEqual([{ key: 1, events: Events.readable }]);
    driven.poller.unwatchHandle?.(after);
    expect(driven.records(1)).toEqual([]);
    for (const event of [before, after]) closeHandle(event);
  });

  test('refusals: twice, unknown, and what is no handle', () => {
    using driven = new DrivenPoller(row);
    const event = createEvent(false);
    driven.poller.watchHandle?.(event, 1);
    const code = (name: string, syscall?: string) =>
      expect.objectContaining(syscall === undefined ? { code: name } : { code: name, syscall });
    const watching = 'RegisterWaitForSingleObject';
    expect(() => driven.poller.watchHandle?.(event, 2)).toThrow(code('EEXIST', watching));
    driven.poller.unwatchHandle?.(event);
    expect(() => driven.poller.unwatchHandle?.(event)).toThrow(code('ENOENT', 'UnregisterWaitEx'));
    closeHandle(event);
    expect(() => driven.poller.watchHandle?.(event, 1)).toThrow(code('EBADF', watching));
    expect(() => driven.poller.watchHandle?.(-1, 1)).toThrow(code('ERR_OUT_OF_RANGE'));
  });

  test('a thousand of them come and go, and no handle is left', async () => {
    using driven = new DrivenPoller(row);
    await driven.poll(0);
    const events = Array.from({ length: 100 }, () => createEvent(false));
    const round = async () => {
      for (const [key, event] of events.entries()) driven.poller.watchHandle?.(event, key);
      for (const [i, event] of events.entries()) if (i % 2 === 0) setEvent(event);
      const seen = new Set<number>();
      while (seen.size < 50) for (const { key } of await driven.poll(5000)) seen.add(key);
      expect([...seen].every((key) => key % 2 === 0)).toBe(true);
      for (const event of events) driven.poller.unwatchHandle?.(event);
    };
    await round();
    const before = handleCount();
    for (let i = 0; i < 10; i++) await round();
    expect(handleCount()).toBeLessThan(before + 20);
    for (const event of events) closeHandle(event);
  });
});
