// Nothing that is done to a native poller, in whatever order, may crash the process: long random
// histories with junk arguments in a child, which must end by itself and leave no descriptor open.
import { backends } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';
import { fixture, runNode } from './support.js';

const first = Number(process.env.POLLUX_TEST_SEED ?? Date.now() % 1_000_000);
const STEPS = 15_000;

describe.each(backends)('%s', (backend) => {
  test.each([first, first + 1])('any history (seed %i)', async (seed) => {
    const ended = await runNode(
      ['--expose-gc', fixture('native-sequences.mjs'), backend, String(seed), String(STEPS)],
      { env: { NODE_NO_WARNINGS: '1' } },
    );
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' });
    const did = JSON.parse(ended.stdout);
    expect(did).toMatchObject({ name: backend, leaked: 0 });
    // It was no empty exercise.
    expect(did.calls).toBeGreaterThan(STEPS / 2);
    for (const what of ['refused', 'thrown', 'uncaught', 'batches', 'records']) {
      expect(did[what], what).toBeGreaterThan(0);
    }
  });
});
