// Ten thousand descriptors (four thousand where only sockets can be polled), and numbers as high as the
// limit lets them be: where a stock select ends at 1024 (FD_SETSIZE).
import { Interest } from '@pollux/core';
import {
  close,
  drain,
  dupTo,
  eventfd,
  openFds,
  pipe,
  pipesAreSockets,
  raiseNofile,
  udpSendTo,
  udpSocket,
  write,
} from '@pollux/testkit';
import { cases, checkLeaks, DrivenPoller, Scene } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';

const { readable } = Interest;
const limit = Math.min(raiseNofile(), 20_000);
/** Wine walks all polls at each event of a socket; reactor-many has ten thousand there too. */
const MANY = Math.min(pipesAreSockets ? 4000 : 10_000, limit - 200);
const one = new Uint8Array(BigUint64Array.of(1n).buffer);
checkLeaks();

/** What takes one descriptor and can be made readable by itself: where only sockets are polled, UDP. */
function bell(): { fd: number; ring(): void } {
  if (!pipesAreSockets) {
    const fd = eventfd();
    return { fd, ring: () => write(fd, one) };
  }
  const { fd, port } = udpSocket();
  return { fd, ring: () => udpSendTo(fd, port, 'x') };
}

describe.each(cases)('$backend, $way', (row) => {
  test(`${MANY} descriptors: exactly those that are ready are reported`, async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const { poller } = driven;
    const bells = Array.from({ length: MANY }, () => scene.fds.trackFd(bell()));
    const fds = bells.map(({ fd }) => fd);
    for (const [key, fd] of fds.entries()) poller.add(fd, readable, key);
    expect(await driven.keys(0)).toEqual([]);
    const chosen = Array.from({ length: 100 }, (_, i) => (i * 7919 + 13) % MANY);
    chosen.sort((a, b) => a - b);
    for (const key of chosen) bells[key]!.ring();
    expect(await driven.keys(5000)).toEqual(chosen);
    for (const key of chosen) drain(fds[key]!);
    expect(await driven.keys(0)).toEqual([]);

    // All of them changed, and half of them gone.
    for (const [key, fd] of fds.entries())
      poller.modify(fd, readable, MANY + key, { mode: 'oneshot' });
    for (const fd of fds.slice(0, MANY / 2)) poller.delete(fd);
    for (const { ring } of bells) ring();
    const served = new Set<number>();
    for (let waits = 0; served.size < MANY / 2 && waits < 20; waits++)
      for (const key of await driven.keys(0)) served.add(key);
    expect(served.size).toBe(MANY / 2);
    expect(Math.min(...served)).toBe(MANY + MANY / 2);
    expect(await driven.keys(0)).toEqual([]);
  });

  test('numbers from 0 to the limit, beside and after each other', async () => {
    using scene = new Scene();
    using driven = new DrivenPoller(row);
    const [reader, writer] = scene.fds.trackAll(pipe());
    const open = new Set(openFds());
    const wanted = [500, 1022, 1023, 1024, 1025, 4095, 4096, 16_383, limit - 65, limit - 1];
    const numbers = wanted
      .filter((number) => number < limit && !open.has(number))
      .map((number) => scene.fds.track(dupTo(reader, number)));
    for (const fd of numbers) driven.poller.add(fd, readable, fd);
    expect(await driven.keys(0)).toEqual([]);
    write(writer, 'x');
    expect(await driven.keys(0)).toEqual(numbers);
    // From the top, so that the highest number is another one each time.
    for (let left = numbers.length - 1; left >= 0; left--) {
      const fd = numbers[left]!;
      driven.poller.delete(fd);
      close(fd);
      expect(await driven.keys(0)).toEqual(numbers.slice(0, left));
    }
    const again = scene.fds.track(dupTo(reader, limit - 1));
    driven.poller.add(again, readable, 7, { mode: 'oneshot' });
    expect([await driven.keys(0), await driven.keys(0)]).toEqual([[7], []]);
  });
});
