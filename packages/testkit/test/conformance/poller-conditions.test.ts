// Every condition of features.md C.0, as each backend reports it: half-closes, resets, refusals,
// pipes without a far end, terminals, urgent bytes. poll(2) is the oracle. `readable` and `writable`
// must be the same on every backend; `error`, `hangup` and `readClosed` come where the capabilities
// promise them, and nowhere without their cause.
//
// What is seen here are rows of docs/portability.md.
import { Interest } from '@pollux/core';
import { kernelPoll } from '@pollux/testkit';
import {
  allPollNames,
  backends,
  type ConditionRow,
  capabilitiesOf,
  cases,
  checkLeaks,
  conditionRow,
  conditions,
  DrivenPoller,
  describeEvents,
  dissent,
  lacking,
  PortabilityRecord,
  Scene,
  verdict,
} from '@pollux/testkit/conformance';
import { afterAll, describe, expect, test } from 'vitest';

const everything = Interest.readable | Interest.writable | Interest.priority;
const subsets = [1, 2, 3, 4, 5, 6, 7];
const records = new Map(
  backends.map((backend) => [
    backend,
    new PortabilityRecord<ConditionRow>('conditions', backend, conditions),
  ]),
);
const rows = new Map<string, Map<string, ConditionRow>>();
afterAll(() => {
  for (const record of records.values()) record.write();
});
checkLeaks();

describe.each(cases)('$backend, $way', (row) => {
  const { backend } = row;

  test.for(conditions)('$title', async (condition, context) => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const { poller } = driven;
    let fd: number;
    try {
      fd = condition.make(scene);
    } catch (error) {
      records.get(backend)!.skip(condition.title);
      context.skip(`this system says ${lacking(error)}`);
      return;
    }

    if (!condition.guaranteed && !poller.canWatch(fd)) {
      records.get(backend)!.skip(condition.title);
      context.skip(`${backend} does not watch it`);
    }
    poller.add(fd, everything, 5);
    let reported = 0;
    for (const { key, events } of await driven.poll(0)) {
      expect(key).toBe(5);
      reported |= events;
    }
    const told = conditionRow(condition, reported);
    records.get(backend)!.note(condition.title, told);
    const others = rows.get(condition.title) ?? new Map<string, ConditionRow>();
    rows.set(condition.title, others.set(backend, told));

    // Each thing asked for alone, and together: neither more nor less than poll(2) sees.
    for (const interest of subsets) {
      poller.modify(fd, interest, interest);
      const [found, ...more] = await driven.poll(0);
      expect(more).toEqual([]);
      const seen = kernelPoll([fd], allPollNames)[0]!;
      const expected = verdict(seen, interest, capabilitiesOf(backend), condition.only);
      const events = found?.events ?? 0;
      expect(
        dissent(events, expected),
        `asked for ${describeEvents(interest)}, told ${describeEvents(events)}, poll: ${seen}`,
      ).toBeNull();
      if (found) expect(found.key).toBe(interest);
    }

    // Interest 0 is a pause: silent even where poll(2) reports an error or a hangup unasked.
    poller.modify(fd, 0, 0);
    expect(await driven.poll(5)).toEqual([]);
    poller.modify(fd, everything, 9);
    expect(await driven.poll(0)).toEqual(reported === 0 ? [] : [{ key: 9, events: reported }]);
  });
});

test.skipIf(backends.length < 2)('what is promised looks the same on every backend', () => {
  for (const [title, told] of rows) {
    const promises = [...told.values()].map(({ readable, writable }) => ({ readable, writable }));
    for (const promise of promises) expect(promise, title).toEqual(promises[0]);
  }
});
