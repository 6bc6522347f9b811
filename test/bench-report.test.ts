// `npm run bench -- --render`: the page of what was measured, with verdicts and charts.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const bench = fileURLToPath(new URL('../bench/run.mjs', import.meta.url));

const measured = {
  date: '2026-01-01',
  command: 'npm run bench -- --report',
  machine: {
    cpu: 'a <fast> one',
    cores: 2,
    kernel: 'linux 6',
    node: '20',
    arch: 'x64',
    pinned: true,
  },
  scenario: 'udp-echo',
  variant: 'attached',
  metric: 'cpu_us_per_message',
  rounds: 5,
  pollux: 5,
  peers: { 'c-mmsg': 5, 'node-dgram': 10 },
  ratios: { 'c-mmsg': 1, 'node-dgram': 0.5 },
  detail: {
    pollux: { cpu: 5, perSecond: 200000 },
    absent: { 'c-epoll': 'no C compiler' },
  },
};

it('writes what is met, missed and absent, and draws a chart', () => {
  const docs = mkdtempSync(join(tmpdir(), 'pollux-bench-docs-'));
  try {
    mkdirSync(join(docs, 'benchmarks'));
    writeFileSync(
      join(docs, 'benchmarks/prose.md'),
      '{{machine}}\n\n{{bounds}}\n\n{{udp-echo}}\n\n{{timers}}\n',
    );
    writeFileSync(
      join(docs, 'benchmarks/results.json'),
      JSON.stringify({ 'udp-echo/attached': measured }),
    );
    const { status } = spawnSync(process.execPath, [bench, '--render', '--docs', docs]);
    expect(status).toBe(0);
    const page = readFileSync(join(docs, 'benchmarks.md'), 'utf8');
    expect(page).toContain('2026-01-01, `npm run bench -- --report`: a <fast> one, 2 cores');
    expect(page).toContain('1 of 3 bounds are met, 1 could not be judged');
    expect(page).toContain('| attached | 5 | 5: 1 (≤ 1.05) | 10: 0.5 **(> 0.35)** |');
    expect(page).toContain('attached: no c-epoll: no C compiler');
    expect(page).toContain('![');
    expect(page).toContain('not measured yet');
    const svg = readFileSync(join(docs, 'benchmarks/udp-echo.svg'), 'utf8');
    expect(svg).toMatch(/^<svg [^>]*>/);
    const width = (name: string) =>
      Number(new RegExp(`class="${name}"[^>]* width="([\\d.]+)"`).exec(svg)?.[1]);
    expect(width('ours')).toBeCloseTo(width('peer'), 0);
  } finally {
    rmSync(docs, { recursive: true });
  }
});
