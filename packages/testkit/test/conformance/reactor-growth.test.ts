// A hundred thousand life cycles of all that a reactor hands out, and of reactors in smaller numbers,
// leave nothing: no descriptor, no thread, nothing that holds Node's loop, no memory. In a process of
// its own, with --expose-gc; what was measured is printed.
import { cases } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { runFixture } from './reactor-support.js';

/** AddressSanitizer is slow, and keeps what was freed. */
const sanitized = process.env.POLLUX_SANITIZED !== undefined;
// A system call under Wine is a message to another process.
const FACTOR = sanitized || process.platform === 'win32' ? 20 : 1;
/** What remains of a hundred thousand: less than 11 bytes of JavaScript for each. */
const MOST_HEAP_KB = 1024;
/** The first thing measured makes V8's heap as large as it needs. */
const MOST_RSS_KB = 64 * 1024;

interface Growth {
  kind: string;
  count: number;
  ms: number;
  fds: number;
  threads: number;
  holds: number;
  open: number;
  heapKb: number;
  externalKb: number;
  rssKb: number;
}

describe.each(cases)('$backend, $way', ({ backend, way }) => {
  test('nothing grows', { timeout: 130_000 }, async () => {
    const ended = await runFixture('reactor-growth', [backend, way, String(FACTOR)], {
      nodeArguments: ['--expose-gc'],
      timeoutMs: 120_000,
    });
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
    const [which, ...all] = ended.said as [unknown, ...Growth[]];
    expect(which).toEqual({ backend, driver: way });
    expect(all.length).toBeGreaterThan(14);
    const lines = all.map(
      ({ kind, count, ms, heapKb, rssKb }) =>
        `${kind}: ${count} in ${ms} ms, heap ${heapKb} kB, resident ${rssKb} kB`,
    );
    console.log(`${backend}, ${way}\n  ${lines.join('\n  ')}`);
    for (const { kind, fds, threads, holds, open, heapKb, externalKb, rssKb } of all) {
      const left = { kind, fds, threads, holds, open };
      expect(left).toEqual({ kind, fds: 0, threads: 0, holds: 0, open: 0 });
      expect(heapKb, kind).toBeLessThan(MOST_HEAP_KB);
      expect(externalKb, kind).toBeLessThan(MOST_HEAP_KB);
      if (!sanitized) expect(rssKb, kind).toBeLessThan(MOST_RSS_KB);
    }
  });
});
