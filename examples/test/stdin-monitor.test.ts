// The stdin example reads lines from a pipe, a terminal, a file and /dev/null while its clock ticks,
// and ends with 0 at the end of the input.
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { commandFor, installed, start } from './support.js';

const CLEAN = { code: 0, signal: null };

test('a pipe: lines as they come, ticks in between, the unfinished line at the end', async () => {
  const monitor = start(commandFor('stdin-monitor', '20'), { stdin: 'pipe' });
  const stdin = monitor.child.stdin;
  await monitor.until(/tick 2\n/);
  stdin?.write('first\nsecond ha');
  await monitor.until(/line 1: first\n(tick \d+\n)+/);
  stdin?.write('lf\n\nth\u00efrd');
  await monitor.until(/line 2: second half\nline 3: \n/);
  stdin?.end();
  expect(await monitor.ended).toEqual(CLEAN);
  expect(monitor.output.stdout).toMatch(/line 4: th\u00efrd\nend of input after 4 lines\n$/);
  expect(monitor.output.stderr).toBe('');
});

test.skipIf(!installed('script'))('a terminal (script of util-linux), Ctrl-D ends it', async () => {
  const command = commandFor('stdin-monitor', '20').join(' ');
  const monitor = start(['script', '-qec', `test -t 0 && ${command}`, '/dev/null'], {
    stdin: 'pipe',
  });
  await monitor.until(/tick 2\r\n/);
  monitor.child.stdin?.write('typed\n');
  await monitor.until(/line 1: typed\r\n(tick \d+\r\n)+/);
  monitor.child.stdin?.write('\x04');
  await monitor.until(/end of input after 1 line\r\n/);
  monitor.child.stdin?.end();
  expect(await monitor.ended).toEqual(CLEAN);
});

test('a file and /dev/null: read to the end, whether the backend can watch them or not', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'stdin-monitor-'));
  const file = join(directory, 'lines');
  const lines = Array.from({ length: 50_000 }, (_, i) => `number ${i}`);
  writeFileSync(file, `${lines.join('\n')}\n`);
  try {
    for (const backend of ['epoll', 'select']) {
      for (const path of [file, '/dev/null']) {
        const stdin = openSync(path, 'r');
        const env = { POLLUX_BACKEND: backend };
        const monitor = start(commandFor('stdin-monitor', '5'), { stdin, env });
        closeSync(stdin);
        expect(await monitor.ended).toEqual(CLEAN);
        const { stdout, stderr } = monitor.output;
        const count = path === file ? 50_000 : 0;
        expect(stdout.match(/^line \d+: number \d+$/gm) ?? []).toHaveLength(count);
        expect(stdout).toMatch(new RegExp(`end of input after ${count} lines\n$`));
        expect(stderr).toBe(
          backend === 'epoll'
            ? 'epoll cannot watch this kind of stdin: reading it to its end\n'
            : '',
        );
      }
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});
