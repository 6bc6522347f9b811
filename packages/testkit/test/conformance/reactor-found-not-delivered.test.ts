// A oneshot that the kernel has disarmed, and an edge that it will not repeat, between being found and
// being delivered: whatever is done to their watcher then, an event is delivered once, or found anew,
// and never lost. In one turn, and with a budget that leaves the rest for the next.
import { Interest, type Reactor, type Watcher } from '@pollux/core';
import { pipe, read, socketpair, write } from '@pollux/testkit';
import { cases, casesWith, DrivenReactor } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { countedFds, insideTurn, readyPipes } from './reactor-support.js';

const { readable, writable } = Interest;
const oneshot = { mode: 'oneshot' } as const;
const edge = { mode: 'edge' } as const;
const budgets = [
  ['in one turn', {}],
  ['over two turns', { budget: { callbacks: 1 } }],
] as const;

interface Scene {
  readonly driven: DrivenReactor;
  readonly reactor: Reactor;
  readonly fd: number;
  readonly other: number;
  readonly watcher: Watcher;
  readonly heard: number[];
}

describe.each(cases)('$backend, $way', (row) => {
  const fds = countedFds();

  /**
   * A watcher of a socket with a byte to read, found together with a pipe that comes first, in whose
   * callback `body` runs.
   */
  async function found(
    options: { mode: 'oneshot' | 'edge' },
    settings: object,
    body: (scene: Scene) => void,
  ): Promise<Scene> {
    const driven = new DrivenReactor(row, settings);
    const { reactor } = driven;
    const [fd, other] = fds.trackAll(socketpair());
    write(other, 'x');
    const heard: number[] = [];
    let scene: Scene | undefined;
    let ran = false;
    await insideTurn(driven, () => {
      const watcher = reactor.watch(fd, readable, (events) => heard.push(events), options);
      scene = { driven, reactor, fd, other, watcher, heard };
      const first = (_events: number, self: Watcher): void => {
        self.close();
        ran = true;
        expect(heard).toEqual([]);
        body(scene as Scene);
      };
      reactor.watch(readyPipes(fds, 1)[0] as number, readable, first, { priority: 2 });
    });
    await driven.until(() => ran);
    await driven.during(10);
    return scene as Scene;
  }

  describe.each(budgets)('a oneshot, %s', (_name, settings) => {
    const once: Record<string, (scene: Scene) => void> = {
      nothing: () => {},
      'resume()': ({ watcher }) => watcher.resume(),
      'update() to the same': ({ watcher }) => watcher.update(readable),
      'pause() and resume()': ({ watcher }) => {
        watcher.pause();
        watcher.resume();
      },
      'update(0) and back': ({ watcher }) => {
        watcher.update(0);
        watcher.update(readable);
      },
      'a wider interest and back': ({ watcher }) => {
        watcher.update(readable | writable);
        watcher.update(readable);
      },
      'one that joins and goes': ({ reactor, fd }) => reactor.watch(fd, readable, () => {}).close(),
      'one that joins, for writing, and goes': ({ reactor, fd }) =>
        reactor.watch(fd, writable, () => {}).close(),
    };
    test.each(Object.entries(once))('%s: called once, and again after resume', async (_n, body) => {
      const { driven, watcher, heard } = await found(oneshot, settings, body);
      using _ = driven;
      await driven.until(() => heard.length > 0);
      expect(heard).toEqual([readable]);
      expect(watcher.active).toBe(false);
      watcher.resume();
      await driven.until(() => heard.length === 2);
      await driven.during(10);
      expect(heard).toEqual([readable, readable]);
    });

    test.each([
      ['pause()', (watcher: Watcher) => watcher.pause()],
      ['update(0)', (watcher: Watcher) => watcher.update(0)],
    ] as const)('%s: silent, until it is resumed', async (_name, silence) => {
      const { driven, watcher, heard } = await found(oneshot, settings, (scene) =>
        silence(scene.watcher),
      );
      using _ = driven;
      expect(heard).toEqual([]);
      watcher.update(readable);
      await driven.until(() => heard.length === 1);
      await driven.during(10);
      expect(heard).toEqual([readable]);
    });

    test('update() to another interest: only that is heard', async () => {
      const { driven, heard } = await found(oneshot, settings, ({ watcher }) =>
        watcher.update(writable),
      );
      using _ = driven;
      await driven.until(() => heard.length > 0);
      expect(heard).toEqual([writable]);
    });

    test('joined by a level watcher: once, and the other goes on', async () => {
      let joined = 0;
      const { driven, watcher, heard } = await found(oneshot, settings, ({ reactor, fd }) =>
        reactor.watch(fd, readable, () => joined++),
      );
      using _ = driven;
      await driven.until(() => heard.length > 0);
      expect(heard).toEqual([readable]);
      joined = 0;
      await driven.until(() => joined > 3);
      watcher.resume();
      await driven.until(() => heard.length === 2);
    });

    test('joined by a oneshot: each once', async () => {
      const joined: number[] = [];
      const { driven, watcher, heard } = await found(oneshot, settings, ({ reactor, fd }) =>
        reactor.watch(fd, readable, (events) => joined.push(events), oneshot),
      );
      using _ = driven;
      await driven.until(() => heard.length > 0 && joined.length > 0);
      expect([heard, joined]).toEqual([[readable], [readable]]);
      watcher.resume();
      await driven.until(() => heard.length === 2);
      await driven.during(10);
      expect([heard.length, joined.length]).toEqual([2, 1]);
    });

    test('joined by a oneshot for writing: each hears of its own, once', async () => {
      const joined: number[] = [];
      const { driven, heard } = await found(oneshot, settings, ({ reactor, fd }) =>
        reactor.watch(fd, writable, (events) => joined.push(events), oneshot),
      );
      using _ = driven;
      await driven.until(() => heard.length > 0 && joined.length > 0);
      expect([heard, joined]).toEqual([[readable], [writable]]);
    });

    test('closed, and another in its place: that one is called, once', async () => {
      const next: number[] = [];
      const { driven, heard } = await found(oneshot, settings, ({ reactor, fd, watcher }) => {
        watcher.close();
        reactor.watch(fd, readable, (events) => next.push(events), oneshot);
      });
      using _ = driven;
      await driven.until(() => next.length > 0);
      expect([heard, next]).toEqual([[], [readable]]);
    });
  });

  test('two oneshots found together: the first closes, pauses or resumes the second', async () => {
    for (const [change, expected] of [
      [(second: Watcher) => second.close(), 0],
      [(second: Watcher) => second.pause(), 0],
      [(second: Watcher) => second.resume(), 1],
      [(second: Watcher) => second.update(readable), 1],
    ] as const) {
      using driven = new DrivenReactor(row);
      const [fd] = readyPipes(fds, 1) as [number];
      let calls = 0;
      let firstCalls = 0;
      await insideTurn(driven, () => {
        const callback = (): void => {
          firstCalls++;
          change(second);
        };
        driven.reactor.watch(fd, readable, callback, oneshot);
        const second = driven.reactor.watch(fd, readable, () => calls++, oneshot);
      });
      await driven.until(() => firstCalls === 1 && calls >= expected);
      await driven.during(10);
      expect([firstCalls, calls]).toEqual([1, expected]);
    }
  });
});

describe.each(casesWith('edge'))('$backend, $way: edge', (row) => {
  const fds = countedFds();

  test('update and resume report anew what is still the case', async () => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    let calls = 0;
    const watcher = driven.reactor.watch(fd, readable, () => calls++, edge);
    const again = [
      () => watcher.update(readable),
      () => watcher.resume(),
      () => {
        watcher.pause();
        watcher.resume();
      },
    ];
    for (let round = 0; round < 6; round++) {
      await driven.until(() => calls === round + 1);
      await driven.during(5);
      expect(calls).toBe(round + 1);
      again[round % 3]?.();
    }
    await driven.until(() => calls === 7);
    // Nothing is the case any more: nothing is reported.
    read(fd);
    watcher.update(readable);
    await driven.during(10);
    expect(calls).toBe(7);
  });

  test('update in its own callback', async () => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    let calls = 0;
    driven.reactor.watch(
      fd,
      readable,
      (_events, self) => ++calls < 10 && self.update(readable),
      edge,
    );
    await driven.until(() => calls === 10);
    await driven.during(10);
    expect(calls).toBe(10);
  });

  test('one that joins hears of what is there already', async () => {
    using driven = new DrivenReactor(row);
    const [fd] = readyPipes(fds, 1) as [number];
    const calls = [0, 0];
    driven.reactor.watch(fd, readable, () => calls[0]!++, edge);
    await driven.until(() => calls[0] === 1);
    driven.reactor.watch(fd, readable, () => calls[1]!++, edge);
    await driven.until(() => calls[1] === 1);
  });

  test('a reader and a writer: an edge of one is no edge lost of the other', async () => {
    using driven = new DrivenReactor(row);
    const [first, second] = fds.trackAll(socketpair());
    let reads = 0;
    let writes = 0;
    driven.reactor.watch(
      first,
      readable,
      () => {
        while (read(first)) reads++;
      },
      edge,
    );
    const writer = driven.reactor.watch(first, writable, () => writes++, edge);
    await driven.until(() => writes > 0);
    for (let round = 1; round <= 20; round++) {
      const before = writes;
      write(second, 'x');
      if (round % 2) writer.update(writable);
      else {
        writer.pause();
        writer.resume();
      }
      await driven.until(() => reads === round && writes > before);
    }
  });

  describe.each(budgets)('found, %s', (_name, settings) => {
    test.each([
      ['nothing', () => {}],
      ['update', (watcher: Watcher) => watcher.update(readable)],
      ['resume', (watcher: Watcher) => watcher.resume()],
      [
        'pause and resume',
        (watcher: Watcher) => {
          watcher.pause();
          watcher.resume();
        },
      ],
    ] as const)('%s: it is not lost', async (_n, change) => {
      using driven = new DrivenReactor(row, settings);
      const [first, second] = [fds.trackAll(pipe()), fds.trackAll(pipe())];
      for (const [, writer] of [first, second]) write(writer, 'x');
      let calls = 0;
      await insideTurn(driven, () => {
        const watcher = driven.reactor.watch(second[0], readable, () => calls++, edge);
        const callback = (_events: number, self: Watcher): void => {
          self.close();
          change(watcher);
        };
        driven.reactor.watch(first[0], readable, callback, { priority: 2 });
      });
      await driven.until(() => calls > 0);
      await driven.during(10);
      // Delivered, and perhaps reported anew: no more than that.
      expect(calls).toBeLessThanOrEqual(2);
    });
  });
});
