// `npm run bench -- --json`: nothing but objects, a line each, whose ratios are those of the figures.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const bench = fileURLToPath(new URL('../bench/run.mjs', import.meta.url));

/** Three figures of four digits, each off by no more than 5 in 10,000. */
const ROUNDED = 0.0016;
const offBy = (value: number, expected: number) => Math.abs(value / expected - 1);

it('prints one object per variant, with ratios of Pollux to each peer', () => {
  const { stdout, status } = spawnSync(
    process.execPath,
    [bench, 'udp-echo/attached', '--json', '--quick', '--rounds', '1'],
    { encoding: 'utf8', timeout: 60_000 },
  );
  expect(status).toBe(0);
  const lines = stdout.trimEnd().split('\n');
  expect(lines).toHaveLength(1);
  const result = JSON.parse(lines[0] ?? '');
  expect(result).toMatchObject({
    scenario: 'udp-echo',
    variant: 'attached',
    metric: 'cpu_us_per_message',
    rounds: 1,
  });
  expect(Object.keys(result.peers)).toEqual(['c-mmsg', 'c-epoll', 'node-dgram']);
  for (const [peer, value] of Object.entries<number>(result.peers)) {
    expect(value).toBeGreaterThan(0);
    expect(offBy(result.ratios[peer], result.pollux / value)).toBeLessThan(ROUNDED);
    const { user, system, cpu, perSecond } = result.detail[peer];
    expect(offBy(user + system, cpu)).toBeLessThan(ROUNDED);
    expect(perSecond).toBeGreaterThan(0);
  }
}, 90_000);

it('refuses a name that is none', () => {
  const { stdout, stderr, status } = spawnSync(process.execPath, [bench, 'tcp-echo/51'], {
    encoding: 'utf8',
  });
  expect(status).toBe(2);
  expect(stdout).toBe('');
  expect(stderr).toContain('tcp-echo/51');
});
