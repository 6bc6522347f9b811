// Nothing that JavaScript can pass may crash the process. A child throws junk at every native export
// and every public method, and must end by itself, having met nothing but errors and results.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { backends } from '@pollux/testkit/conformance';
import { describe, expect, test } from 'vitest';

const fixture = fileURLToPath(new URL('fixtures/junk.mjs', import.meta.url));
const seed = process.env.POLLUX_TEST_SEED ?? String(Date.now() % 1_000_000);

describe.each(backends)('%s', (backend) => {
  test.each(['native', 'poller', 'attached', 'reactor'])(
    `junk at the %s (seed ${seed})`,
    (target) => {
      const child = spawnSync(process.execPath, [fixture, backend, target, seed], {
        encoding: 'utf8',
        timeout: 60_000,
      });
      expect({
        signal: child.signal,
        status: child.status,
        stderr: child.stderr.slice(-2000),
      }).toEqual({
        signal: null,
        status: 0,
        stderr: expect.not.stringContaining('AddressSanitizer'),
      });
      const { calls, thrown } = JSON.parse(child.stdout);
      expect(calls).toBeGreaterThan(1000);
      expect(thrown).toBeGreaterThan(100);
    },
  );
});
