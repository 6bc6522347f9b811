// A descriptor of a batch that is closed behind its back: its number is free for a watcher, as that
// of a closed watcher's descriptor is. One that is still open belongs to the batch.
import { Interest } from '@pollux/core';
import { close, dup2, pipe, write } from '@pollux/testkit';
import { cases, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, thrownBy } from './reactor-support.js';

const { readable } = Interest;

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  test('watch is refused, and the batch goes on', async () => {
    using driven = new DrivenReactor(row);
    const [reader, writer] = fds.trackAll(pipe());
    const keys: number[] = [];
    const batch = driven.reactor.batch((records, count, self) => {
      for (let i = 0; i < count; i++) {
        if (records[2 * i + 1]) keys.push(records[2 * i] as number);
      }
      self.close();
    });
    batch.add(reader, readable, 7);
    const error = thrownBy(() => driven.reactor.watch(reader, readable, () => {}));
    expect(error).toMatchObject({ code: 'EEXIST', fd: reader });
    write(writer, 'x');
    await driven.until(() => keys.length > 0);
    expect(keys).toEqual([7]);
  });

  test('a number that was closed and reused is watched, and gone from the batch', async () => {
    using driven = new DrivenReactor(row);
    const [reader, writer] = pipe();
    fds.track(writer);
    let batched = 0;
    const batch = driven.reactor.batch(() => {
      batched++;
    });
    batch.add(reader, readable, 7);
    close(reader);
    const [fresh, other] = fds.trackAll(pipe());
    // POSIX gives out the lowest number; elsewhere it has to be asked for.
    const reused = fresh === reader ? fresh : fds.track(dup2(fresh, reader));
    let calls = 0;
    driven.reactor.watch(reused, readable, (_events, watcher) => {
      calls++;
      watcher.close();
    });
    expect(batch.size).toBe(0);
    write(other, 'x');
    await driven.until(() => calls === 1);
    expect(batched).toBe(0);
  });
});
