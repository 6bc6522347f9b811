// The stdin example reads lines from a pipe, a terminal, a file and /dev/null while its clock ticks,
// and ends with 0 at the end of the input; on each backend, whether that can watch them or not.
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Interest } from '@pollux/core';
import { describe, expect, test } from 'vitest';
import { PtyProcess } from '../dist/adapters/pty.js';
import { backends, closing, Inbox, newReactor } from './adapters/support.js';
import { commandFor, start } from './support.js';

const CLEAN = { code: 0, signal: null };

describe.each(backends)('%s', (backend) => {
  const env = { ...process.env, POLLUX_BACKEND: backend };

  test('a pipe: lines as they come, ticks in between, the unfinished line at the end', async () => {
    const monitor = start(commandFor('stdin-monitor', '20'), { stdin: 'pipe', env });
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

  test('a terminal, Ctrl-D ends it', async () => {
    const shown = new Inbox<Buffer>();
    const until = (pattern: RegExp) =>
      shown.until((pieces) => pattern.test(Buffer.concat(pieces).toString()));
    const command = [
      'sh',
      '-c',
      `test -t 0 && exec ${commandFor('stdin-monitor', '20').join(' ')}`,
    ];
    const onOutput = shown.add;
    const monitor = closing(new PtyProcess(newReactor(backend), command, { env, onOutput }));
    await until(/tick 2\r\n/);
    monitor.write('typed\n');
    await until(/line 1: typed\r\n(tick \d+\r\n)+/);
    monitor.write('\x04');
    await until(/end of input after 1 line\r\n/);
    expect(await monitor.ended).toBe(0);
  });

  test('a file and /dev/null: read to the end', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'stdin-monitor-'));
    const file = join(directory, 'lines');
    const lines = Array.from({ length: 50_000 }, (_, i) => `number ${i}`);
    writeFileSync(file, `${lines.join('\n')}\n`);
    try {
      for (const path of [file, '/dev/null']) {
        const stdin = openSync(path, 'r');
        const monitor = start(commandFor('stdin-monitor', '5'), { stdin, env });
        closeSync(stdin);
        expect(await monitor.ended).toEqual(CLEAN);
        const { stdout, stderr } = monitor.output;
        const count = path === file ? 50_000 : 0;
        expect(stdout.match(/^line \d+: number \d+$/gm) ?? []).toHaveLength(count);
        expect(stdout).toMatch(new RegExp(`end of input after ${count} lines\n$`));
        expect(stderr).toBe('');
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test('what the reactor itself says to a file and to /dev/null', async () => {
    for (const path of [import.meta.filename, '/dev/null']) {
      const fd = openSync(path, 'r');
      const reactor = newReactor(backend);
      const reports = new Inbox<number>();
      const watch = () => reactor.watch(fd, Interest.readable, reports.add);
      expect(reactor.poller.canWatch(fd)).toBe(backend !== 'epoll');
      if (backend === 'epoll') {
        expect(watch).toThrow(expect.objectContaining({ code: 'EPERM' }));
      } else {
        const watcher = watch();
        await reports.until((items) => items.length > 1); // always readable, also at its end
        watcher.close();
      }
      closeSync(fd);
    }
  });
});
