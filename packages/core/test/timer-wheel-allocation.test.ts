// A tick of the timing wheel allocates nothing, in a program of its own that counts how often the
// garbage collector runs: an array per tick makes it run, and shows that the count means something.
import { expect, test } from 'vitest';
import { fixture, runNode } from './support.js';

test('a million ticks', async () => {
  const ended = await runNode(['--max-semi-space-size=1', fixture('wheel-ticks.mjs')]);
  expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
  const collections = new Map(
    ended.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { name: string; collections: number })
      .map(({ name, collections }) => [name, collections]),
  );
  const compared = collections.get('an array in each, to compare') as number;
  collections.delete('an array in each, to compare');
  expect(compared).toBeGreaterThan(30);
  expect(collections.size).toBe(5);
  // Not quite none: V8 may put a number with a fraction, given or returned, on its heap in each tick,
  // which is half of what an array takes.
  for (const [name, count] of collections) expect(count, name).toBeLessThan(0.75 * compared);
});
