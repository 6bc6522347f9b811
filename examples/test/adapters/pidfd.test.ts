// pidfds: the end of a child and of somebody else's child is told; signals go to that process only.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { ProcessWatch } from '../../dist/adapters/pidfd.js';
import { commandFor, start } from '../support.js';
import { backends, closing, descriptors, foreignEnvironment, newReactor } from './support.js';

/** A child that waits for the end of its standard input. */
function waitingChild() {
  return spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'], env: foreignEnvironment });
}

describe.each(backends)('%s', (backend) => {
  test('a child that ends by itself', async () => {
    expect(descriptors(/pidfd/)).toEqual([]);
    const child = waitingChild();
    const exit = once(child, 'exit');
    const watch = new ProcessWatch(newReactor(backend), child.pid ?? 0);
    expect(descriptors(/pidfd/)).toMatchObject([{ cloexec: true }]);
    let ended = false;
    watch.ended.then(() => {
      ended = true;
    });
    await new Promise(setImmediate);
    expect(ended).toBe(false);
    child.stdin.end();
    await watch.ended;
    expect(await exit).toEqual([0, null]); // Node's own waiting is not disturbed
    expect(watch.kill('SIGTERM')).toBe(false);
    expect(descriptors(/pidfd/)).toEqual([]);
  });

  test('a process that is not ours, killed through the descriptor', async () => {
    // The shell ends; what it started goes on, as a child of somebody else.
    const script = 'sleep 1000 >/dev/null & echo $!';
    const shell = spawn('sh', ['-c', script], { stdio: 'pipe', env: foreignEnvironment });
    const [[line]] = await Promise.all([once(shell.stdout, 'data'), once(shell, 'exit')]);
    const watch = closing(new ProcessWatch(newReactor(backend), Number(line)));
    expect(watch.kill('SIGKILL')).toBe(true);
    await watch.ended;
    expect(watch.kill('SIGKILL')).toBe(false);
  });

  test('many at once, each told once', async () => {
    const reactor = newReactor(backend);
    const children = Array.from({ length: 20 }, waitingChild);
    const watches = children.map(({ pid }) => new ProcessWatch(reactor, pid ?? 0));
    for (const watch of watches.slice(0, 10)) expect(watch.kill('SIGTERM')).toBe(true);
    for (const child of children.slice(10)) child.stdin.end();
    await Promise.all(watches.map(({ ended }) => ended));
    expect(descriptors(/pidfd/)).toEqual([]);
  });

  test('no such process', async () => {
    const child = waitingChild();
    child.stdin.end();
    await once(child, 'exit');
    expect(() => new ProcessWatch(newReactor(backend), child.pid ?? 0)).toThrow('ESRCH');
    expect(() => new ProcessWatch(newReactor(backend), -1)).toThrow('EINVAL');
  });
});

test('as a program', async () => {
  const child = waitingChild();
  const program = start(commandFor('adapters/pidfd', `${child.pid}`));
  await program.until(/waiting\n/);
  child.stdin.end();
  expect(await program.ended).toEqual({ code: 0, signal: null });
  expect(program.output).toEqual({ stdout: `waiting\n${child.pid} has ended\n`, stderr: '' });
});
