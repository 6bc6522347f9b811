// A pseudoterminal with real programs in it: they see a terminal, its size, its Ctrl-C and its end.
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { PtyProcess } from '../../dist/adapters/pty.js';
import { commandFor, start } from '../support.js';
import {
  backends,
  closing,
  descriptors,
  foreignEnvironment,
  Inbox,
  newReactor,
} from './support.js';

const env = { ...foreignEnvironment, ENV: '', PS1: 'sh> ', TERM: 'dumb' };

describe.each(backends)('%s', (backend) => {
  /** The command in a terminal, all that it shows, and what it shows after something is typed. */
  function run(...command: string[]) {
    const inbox = new Inbox<Buffer>();
    const pty = new PtyProcess(newReactor(backend), command, { env, onOutput: inbox.add });
    const shown = () => Buffer.concat(inbox.items).toString();
    const type = async (text: string, pattern: RegExp) => {
      const before = shown().length;
      pty.write(text);
      await inbox.until(() => pattern.test(shown().slice(before)));
    };
    const until = (pattern: RegExp) => inbox.until(() => pattern.test(shown()));
    return { pty: closing(pty), shown, type, until };
  }

  test('a shell: its terminal, the size of it, Ctrl-C, and the exit code', async () => {
    const { pty, type, until } = run('sh');
    await until(/sh> $/);
    await type('tty; stty size\n', /\n\/dev\/pts\/\d+\r\n24 80\r\nsh> $/);
    pty.resize(132, 43);
    await type('stty size\n', /\n43 132\r\nsh> $/);
    await type('cat\n', /cat\r\n/);
    await type('once\n', /once\r\nonce\r\n/); // the terminal's echo, and cat's
    await type('\x03', /\^C[\s\S]*sh> $/);
    await type('echo $((6 * 7)) $?\n', /\n42 130\r\nsh> $/);
    pty.write('exit 3\n');
    expect(await pty.ended).toBe(3);
  });

  test('more input than the terminal has room for', async () => {
    const { pty, shown, until } = run('sh', '-c', 'stty raw; echo ready; head -c 300000 | md5sum');
    await until(/ready/);
    const input = Buffer.alloc(300_000, 'abcdefghijklm');
    pty.write(input);
    expect(await pty.ended).toBe(0);
    expect(shown()).toContain(createHash('md5').update(input).digest('hex'));
  });

  test('output to its last line, whoever has ended by then', async () => {
    const { pty, shown } = run('seq', '1', '20000');
    expect(await pty.ended).toBe(0);
    const lines = Array.from({ length: 20_000 }, (_, i) => `${i + 1}\r\n`);
    expect(shown()).toBe(lines.join(''));
  });

  test('closed, it hangs up, and no descriptor is left', async () => {
    const ptys = /\/dev\/(ptmx|pts\/)/;
    expect(descriptors(ptys)).toEqual([]);
    const { pty, until } = run('sh', '-c', 'echo ready; exec sleep 1000');
    expect(descriptors(ptys)).toEqual([{ nonblocking: true, cloexec: true }]);
    await until(/ready/);
    pty.close();
    expect(await pty.ended).toBe(null);
    expect(pty.child.signalCode).toBe('SIGHUP');
    expect(descriptors(ptys)).toEqual([]);
    pty.write('nobody reads this');
  });

  test('a program that is not there', async () => {
    const { pty, shown } = run('/nowhere/program');
    expect(await pty.ended).toBe(127);
    expect(shown()).toContain('/nowhere/program');
  });
});

test('as a program', async () => {
  const command = ['sh', '-c', 'read line; tty; echo "<$line>"; exit 5'];
  const program = start(commandFor('adapters/pty', ...command), { stdin: 'pipe' });
  program.child.stdin?.end('typed\n');
  expect(await program.ended).toEqual({ code: 5, signal: null });
  expect(program.output.stdout).toMatch(/typed\r\n\/dev\/pts\/\d+\r\n<typed>\r\n$/);
  expect(program.output.stderr).toBe('');
});
