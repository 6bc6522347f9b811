// Reactors in workers: terminated at every step of their life, ending by themselves, and several at
// once. In a process of its own, for a mistake here is a crash.
import { cases } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { runFixture } from './reactor-support.js';

interface Step {
  step: string;
  lives: { reached: boolean; error: string | null; code: number }[];
  leaked: { fds: number; threads: number };
}

describe.each(cases)('$backend, $way', ({ backend, way }) => {
  // A hundred workers, one after the other.
  const timeoutMs = 120_000;

  test.concurrent('a worker may be terminated at any step, and leaves nothing', {
    timeout: timeoutMs + 5000,
  }, async () => {
    const ended = await runFixture('reactor-worker-lives', [backend, way], { timeoutMs });
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
    // Children are watched by pidfd.
    expect(ended.said).toHaveLength(process.platform === 'linux' ? 31 : 30);
    for (const { step, lives, leaked } of ended.said as Step[]) {
      const code = step.startsWith('ends') ? 0 : 1;
      for (const life of lives) {
        expect({ ...life, step }).toEqual({ step, reached: true, error: null, code });
      }
      expect({ step, leaked }).toEqual({ step, leaked: { fds: 0, threads: 0 } });
    }
  });

  test.concurrent('four workers and the main thread at once', async () => {
    const ended = await runFixture('reactor-worker-crowd', [backend, way]);
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
    const threads = ['main', 'worker 0', 'worker 1', 'worker 2', 'worker 3'];
    expect(ended.said).toHaveLength(threads.length);
    for (const thread of threads) {
      expect(ended.said).toContainEqual({ thread, backend, driver: way, read: 500, ticks: 20 });
    }
  });
});
